"""Predictions after two steps of meta-training, to hold speed to the same results.

`python tests/product/golden.py` writes `golden.json` anew: only when results are meant to change.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import torch

from molmeta.datasets.chembl import load_embedded
from molmeta.models.config import Episodes as Drawn
from molmeta.models.config import Experiment, Model, Training
from molmeta.molecules.molecules import Molecules
from molmeta.tasks.assay import Assay, Assays
from molmeta.training.meta_training import meta_train

FILE = Path(__file__).with_name("golden.json")
GIN = {"name": "gin", "width": 16, "layers": 3}
CASES = {
    "prototypical on gin": ({"name": "prototypical"}, GIN),
    "anil on gin": ({"name": "anil"}, GIN),
    "maml on gin": ({"name": "maml", "inner_steps": 2}, GIN),
    "fomaml on gin": ({"name": "fomaml", "inner_steps": 2}, GIN),
    "matching on hyper_gin": ({"name": "matching"}, {**GIN, "name": "hyper_gin"}),
    "prototypical on fingerprints": (
        {"name": "prototypical"},
        {"name": "fingerprint", "hidden": 32, "dim": 16},
    ),
}


@cache
def binary() -> list[Assay]:
    """Four embedded assays, active or inactive."""
    return list(load_embedded().binarise().values())[:4]


def first(assay: Assay, n: int) -> Assay:
    """The first `n` molecules, in a store of their own."""
    molecules = Molecules(assay.molecules[:n].smiles)
    return replace(assay, molecules=molecules, values=assay.values[:n])


def predictions(case: str) -> list[float]:
    """Scores of 24 molecules, by a learner that had two steps and 16 measurements."""
    learner, encoder = CASES[case]
    small = Assays(first(assay, 60) for assay in binary())
    experiment = Experiment(
        "golden", Model(learner, encoder), Drawn((16,), 16, 3), Training(steps=2)
    )
    base = meta_train(experiment, small, progress=False)
    shown = first(binary()[0], 40)
    scores = base.adapt(first(shown, 16)).predict(shown.molecules[16:])
    return [round(float(score), 7) for score in scores]


if __name__ == "__main__":
    torch.set_num_threads(1)
    found = {case: predictions(case) for case in CASES}
    FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")

"""What the speed benchmarks share: one thread, ours and theirs in turn, the same tasks."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch

from molmeta.datasets import embedded_split
from molmeta.models import AdaptedAssay, BaseModel, Experiment, Model
from molmeta.molecules import Molecules
from molmeta.tasks import Assay, AssayEpisodes

WIDTH, LAYERS = 128, 5
SUPPORT, QUERY, TASKS = 32, 64, 8


class Row(NamedTuple):
    """One line of `speed.csv`; the ratio is how many times better than the peer we are."""

    goal: str
    peer: str
    ours: float
    theirs: float
    ratio: float
    target: float
    unit: str

    def __str__(self) -> str:
        return (
            f"{self.goal} against {self.peer}: {self.ours:.4g} and {self.theirs:.4g} {self.unit}, "
            f"ratio {self.ratio:.2f} (goal {self.target:g})"
        )


def seconds(function: Callable[[int], Any], number: int) -> float:
    """CPU seconds of one call with a round's number."""
    start = time.process_time()
    function(number)
    return time.process_time() - start


def side_by_side(
    goal: str,
    peer: str,
    ours: Callable[[int], Any],
    theirs: Callable[[int], float],
    target: float,
    *,
    unit: str = "s",
    rounds: int = 7,
) -> Row:
    """Median CPU seconds of the two, called in turn with the round's number.

    `theirs` returns its CPU seconds, as it may run in a process of its own.
    """
    torch.set_num_threads(1)
    found = [(seconds(ours, number), theirs(number)) for number in range(rounds + 1)]
    a, b = (median(column) for column in zip(*found[1:], strict=True))  # the first: warm-up
    return Row(goal, peer, a, b, b / a, target, unit)


def measured(function: Callable[[int], Any]) -> Callable[[int], float]:
    """The function, returning its CPU seconds."""
    return lambda number: seconds(function, number)


@cache
def assays() -> list[Assay]:
    """The first 300 molecules of ten embedded assays, as views of one store with graphs."""
    chosen = list(embedded_split().train.binarise().values())[:10]
    starts = np.cumsum([0, *(min(300, len(assay)) for assay in chosen)])
    store = Molecules([text for assay in chosen for text in assay.molecules[:300].smiles])
    store.compute("graph")
    return [
        replace(assay, molecules=store[np.arange(a, b)], values=assay.values[: b - a])
        for assay, a, b in zip(chosen, starts, starts[1:], strict=False)
    ]


@cache
def smiles() -> list[str]:
    """2,000 molecules of the embedded assays, as ChEMBL writes them."""
    return [text for assay in assays() for text in assay.molecules.smiles][:2000]


def write_library(path: Path, rows: int) -> None:
    """So many molecules of the embedded assays, again and again, as CSV."""
    known = [text for assay in embedded_split().train.values() for text in assay.molecules.smiles]
    with path.open("w") as file:
        file.write("smiles\n")
        file.writelines(f"{text}\n" for text in islice(cycle(known), rows))


@cache
def base_model(head: str = "anil", precision: str = "float32") -> BaseModel:
    """A learner on an untrained encoder of the benchmark's size."""
    encoder = {"name": "gin", "width": WIDTH, "layers": LAYERS, "precision": precision}
    torch.manual_seed(0)
    experiment = Experiment("speed", Model({"name": head}, encoder))
    return BaseModel(experiment.model.build().eval(), experiment, "")


def adapted(base: BaseModel, count: int) -> list[AdaptedAssay]:
    """The model adapted to so many assays (each of ten, again and again)."""
    ten = [base.adapt(assay.take(np.arange(SUPPORT))) for assay in assays()]
    return [replace(ten[i % len(ten)], name=f"assay {i}") for i in range(count)]


def main(rows: Callable[[], list[Row]]) -> None:
    """Print the rows of one script; with `--json`, for `run.py`, each as a line of it."""
    for row in rows():
        print(json.dumps(row._asdict()) if "--json" in sys.argv else row, flush=True)


def episodes() -> AssayEpisodes:
    """Meta-batches of 8 assays with 32 molecules to learn from and 64 to ask about."""
    return AssayEpisodes(assays(), (SUPPORT,), QUERY, TASKS)

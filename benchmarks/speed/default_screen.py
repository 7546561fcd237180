"""A user's screen: SMILES to scores with the shipped models, in compiled code against without.

Without is RDKit asked molecule by molecule, tensors for the kernel, and every assay for itself.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
from common import Row, main, measured, seconds, side_by_side, smiles
from rdkit import Chem

from molmeta import registry
from molmeta.datasets import load_embedded
from molmeta.learners import GaussianProcess, Learner
from molmeta.models import AdaptedAssay, from_pretrained
from molmeta.molecules import Molecules
from molmeta.screening import Ask, Scorer

MEASUREMENTS = 64
PEER = "RDKit and torch alone"


@contextmanager
def without_compiled_code() -> Iterator[None]:
    """As where numba is missing, and without what several assays share."""
    nothing = patch.dict(registry._TABLE["pass"], binary=_serves_nothing)
    tensors = patch("molmeta.learners.count_tables._compiled", lambda: None)
    alone = patch.object(GaussianProcess, "ranking", Learner.ranking)
    with nothing, tensors, alone:
        yield


def _serves_nothing(mols: list[Chem.Mol], _: object) -> tuple[dict, np.ndarray]:
    return {}, np.zeros(len(mols), dtype=bool)


def assays(name: str, count: int) -> list[AdaptedAssay]:
    """A shipped model adapted to 64 measurements of so many assays, each again and again."""
    base = from_pretrained(name)
    known = load_embedded()
    known = known if base.experiment.model.target["kind"] == "regression" else known.binarise()
    large = [assay for assay in known.values() if len(assay) >= MEASUREMENTS]
    ten = [base.adapt(assay.take(np.arange(MEASUREMENTS))) for assay in large[:10]]
    return [replace(ten[i % len(ten)], name=f"assay {i}") for i in range(count)]


def of(name: str, count: int, target: float, *, kept: bool = False, rounds: int = 5) -> Row:
    """A model by so many assays, the library met for the first time, or again."""
    many, library = assays(name, count), [Ask(text) for text in smiles()]
    with without_compiled_code():
        plain = Scorer(many)
    with tempfile.TemporaryDirectory() as folder:
        scorer = Scorer(many, features=Path(folder) if kept else None)
        for _ in range(5):  # compiled code is loaded when enough molecules have come by
            scorer.score(library)

        def theirs(number: int) -> float:
            with without_compiled_code():
                return seconds(lambda _: plain.score(library), number)

        again = ", library met again" if kept else ""
        goal = f"screening, {name} model, {count} assay{'s' * (count > 1)}{again}"
        unit = f"s for {len(library)} molecules"
        return side_by_side(
            goal, PEER, lambda _: scorer.score(library), theirs, target, unit=unit, rounds=rounds
        )


def against(goal: str, peer: str, ours: Callable, theirs: Callable, target: float) -> Row:
    """Two functions of nothing, over the benchmark's molecules."""
    unit = f"s for {len(smiles())} molecules"
    return side_by_side(
        goal, peer, lambda _: ours(), measured(lambda _: theirs()), target, unit=unit
    )


def reading() -> Row:
    """What a whole screen by one assay takes over RDKit's reading of the SMILES alone."""
    scorer, library = Scorer(assays("default", 1)), [Ask(text) for text in smiles()]
    return against(
        "screening, default model, 1 assay",
        "RDKit reading the SMILES",
        lambda: scorer.score(library),
        lambda: [Chem.MolFromSmiles(text) for text in smiles()],
        0.5,
    )


def graphs() -> Row:
    """The graph block of molecules that were read."""
    mols = [Chem.MolFromSmiles(text) for text in smiles()]

    def theirs() -> None:
        with without_compiled_code():
            Molecules(parsed=mols).compute("graph")

    goal = "graph featurisation, molecules read"
    return against(goal, PEER, lambda: Molecules(parsed=mols).compute("graph"), theirs, 5)


def rows() -> list[Row]:
    """By one assay and by a hundred, cold and from the folder of features; graphs."""
    return [
        of("default", 1, 5),
        of("default", 100, 10, rounds=3),
        of("default", 1, 50, kept=True),
        of("default", 100, 50, kept=True, rounds=3),
        reading(),
        graphs(),
        of("anil", 1, float("nan")),
        of("anil", 1, float("nan"), kept=True),
    ]


if __name__ == "__main__":
    main(rows)

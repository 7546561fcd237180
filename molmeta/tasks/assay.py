"""Assays: measured molecules under a name, and collections of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import torch

from molmeta.errors import OneClassSupport, UnknownAssay
from molmeta.molecules import Molecules
from molmeta.registry import nearest
from molmeta.tasks.episode import Examples, Inputs
from molmeta.tasks.targets import Classification, Regression, Target, labels


@dataclass(frozen=True)
class Assay:
    """Measurements of one assay.

    Attributes
    ----------
    name : str
        The assay's id.
    molecules : Molecules
        Standardised, and distinct but where a published protocol keeps repetitions (or, once
        encoded, their vectors as a tensor).
    values : ndarray
        `[n]` float64: class indices, or measurements in the assay's unit (higher is more active).
    target : Target
        What the values mean.
    info : mapping
        Whatever else is known of the assay, such as its target protein.
    censor : ndarray, optional
        `[n]` in {−1, 0, 1}: a value is an upper bound (`<`), exact, or a lower bound (`>`).
    behind : ndarray, optional
        `[n]` float64: of classes, the measured values that they were made of; NaN where there is
        none, or a bound.
    """

    name: str
    molecules: Inputs
    values: np.ndarray
    target: Target
    info: Mapping[str, str] = field(default_factory=dict)
    censor: np.ndarray | None = None
    behind: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.values)

    def take(self, index: np.ndarray) -> Assay:
        """Some of the measurements."""
        censor = None if self.censor is None else self.censor[index]
        behind = None if self.behind is None else self.behind[index]
        parts = {"values": self.values[index], "censor": censor, "behind": behind}
        return replace(self, molecules=self.molecules[index], **parts)

    def examples(self, index: np.ndarray | None = None) -> Examples:
        """All measurements, or some, as labelled examples."""
        part = self if index is None else self.take(index)
        censor = None if part.censor is None else torch.tensor(part.censor)
        return Examples(part.molecules, labels(part.values, self.target), self.target, censor)

    @property
    def active(self) -> np.ndarray:
        """`[n]` 0/1: class 1, or a measurement at or above the regression's threshold."""
        return self.target.active(self.values)

    def binarise(self, threshold: float | str = "median") -> Assay:
        """Active (1) where the value is at or above `threshold`.

        With "median", above the assay's median, or at and above it where more than half of all
        values are its largest. An assay that is binary already stays as it is. A bound on the side
        that it is open to (a value < 6 at the threshold 5) says nothing and is left out; `info`
        has the number.

        Raises
        ------
        OneClassSupport
            All measurements fall on one side.
        """
        if isinstance(self.target, Classification):
            return self
        kept, active, meaning = self._sides(threshold)
        if not 0 < active.sum() < len(active):
            side = "active" if active.any() else "inactive"
            span = f"{self.values.min():g} to {self.values.max():g}" if len(self) else "no range"
            raise OneClassSupport(
                f"assay {self.name}: at the threshold {threshold} all {len(active)} measurements "
                f"are {side} (they lie in {span}); choose a threshold between, or 'median'"
            )
        info = {**self.info, "active": meaning}
        if len(kept) < len(self):
            info["undecided"] = f"{len(self) - len(kept)} bounds"
        decided = self.take(kept)
        return replace(
            decided,
            values=active.astype(np.float64),
            target=Classification(2),
            info=info,
            censor=None,
            behind=np.where(exact(decided), decided.values, np.nan),
        )

    def _sides(self, threshold: float | str) -> tuple[np.ndarray, np.ndarray, str]:
        """Which measurements are on a known side of a threshold, their sides, and its meaning."""
        censor = np.zeros(len(self)) if self.censor is None else self.censor
        if threshold == "median":
            cut = float(np.median(self.values)) if len(self) else 0.0
            active, meaning = self.values > cut, f"above the median, {cut:g}"
            if not active.any():
                active, meaning = self.values >= cut, f"at or above the median, {cut:g}"
        else:
            cut = float(threshold)
            active, meaning = self.values >= cut, f"at or above {cut:g}"
        above, below = (censor > 0) & (self.values >= cut), (censor < 0) & (self.values <= cut)
        kept = np.flatnonzero((censor == 0) | above | below)
        return kept, ((active | above) & ~below)[kept], meaning

    def measured(self) -> Assay:
        """The measured values, with the same molecules active as after `binarise`.

        A ranking of the values is then scored like one of the classes. An assay that is binary
        already stays as it is.

        Raises
        ------
        OneClassSupport
            All measurements fall on one side.
        """
        if isinstance(self.target, Classification):
            return self
        binary, (kept, active, _) = self.binarise(), self._sides("median")
        decided = self.take(kept)
        least_active = float(decided.values[active].min())
        return replace(decided, target=Regression(least_active), info=binary.info)


def exact(assay: Assay) -> np.ndarray:
    """Which measurements are values, and no bounds: `[n]`."""
    return np.ones(len(assay), bool) if assay.censor is None else assay.censor == 0


class Assays(Mapping[str, Assay]):
    """Assays by name, over one set of molecules.

    Parameters
    ----------
    assays : iterable of Assay
        With distinct names.
    """

    def __init__(self, assays: Iterable[Assay]) -> None:
        self._assays = {assay.name: assay for assay in assays}

    def __getitem__(self, name: str) -> Assay:
        if name not in self._assays:
            raise UnknownAssay(
                f"there is no assay '{name}'{nearest(name, list(self._assays)[:20])}"
            )
        return self._assays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._assays)

    def __len__(self) -> int:
        return len(self._assays)

    def __repr__(self) -> str:
        return f"Assays({len(self)} assays, {sum(len(a) for a in self.values())} measurements)"

    def select(self, names: Iterable[str]) -> Assays:
        """Only these assays, in this order."""
        return Assays(self[name] for name in names)

    def binarise(self, threshold: float | str = "median") -> Assays:
        """`Assay.binarise` for each."""
        return Assays(assay.binarise(threshold) for assay in self.values())

    def measured(self) -> Assays:
        """`Assay.measured` for each."""
        return Assays(assay.measured() for assay in self.values())

    def binarise_where_possible(
        self, threshold: float | str = "median"
    ) -> tuple[Assays, list[str]]:
        """`binarise` for each that has two classes then, and the names of the others."""
        kept, one_class = [], []
        for name, assay in self.items():
            try:
                kept.append(assay.binarise(threshold))
            except OneClassSupport:
                one_class.append(name)
        return Assays(kept), one_class

    def smiles(self) -> set[str]:
        """All molecules that are measured in one of these assays."""
        return {smiles for assay in self.values() for smiles in assay.molecules.smiles}

    def without(self, smiles: set[str]) -> Assays:
        """The same assays without the measurements of some molecules."""
        keep = {
            name: np.array([text not in smiles for text in assay.molecules.smiles], dtype=bool)
            for name, assay in self.items()
        }
        return Assays(assay.take(np.flatnonzero(keep[name])) for name, assay in self.items())


def in_one_store(sides: Sequence[Assays]) -> list[Assays]:
    """The same assays, whose molecules are views of one store, which has no blocks yet."""
    smiles = sorted(set().union(*(side.smiles() for side in sides)))
    molecules, position = Molecules(smiles), {text: i for i, text in enumerate(smiles)}

    def view(assay: Assay) -> Assay:
        rows = [position[text] for text in assay.molecules.smiles]
        return replace(assay, molecules=molecules[rows])

    return [Assays(view(assay) for assay in side.values()) for side in sides]


class Split(NamedTuple):
    """Assays for meta-training, for selection, and for the one look at the end."""

    train: Assays
    validation: Assays
    test: Assays

    def tested_on(self, assays: Assays) -> Split:
        """Other test assays; their molecules are taken out of training and validation."""
        seen = assays.smiles()
        return Split(self.train.without(seen), self.validation.without(seen), assays)

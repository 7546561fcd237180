"""Batches of molecules with all their labels, for multi-task training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from molmeta.learners import LabelledMolecules, MultiTaskByMolecule
from molmeta.molecules import Molecules, ragged_rows, row_offsets
from molmeta.seeds import generator
from molmeta.tasks import Assay, Regression, exact

PARTS = 8  # of a batch, which several processes may share
FEWEST = 4  # values whose mean and spread say something
ALIKE = 0.05  # the least spread of values, in units of their logarithm
LARGEST = 4.0


@dataclass(frozen=True)
class MoleculeBatches:
    """Distinct molecules with their labels in many assays; an epoch shows each once.

    Attributes
    ----------
    molecules : Molecules
        Distinct.
    offsets, task, y, value : ndarray
        Molecule i has the labels `y[o_i:o_i+1]` in the assays `task[o_i:o_i+1]`, and the values
        behind them, on the scale of each assay; NaN where there are none.
    size : int
        Molecules a batch; the last of an epoch has fewer.
    seed : int
        With the step, all that a batch depends on.
    """

    molecules: Molecules
    offsets: np.ndarray
    task: np.ndarray
    y: np.ndarray
    value: np.ndarray
    size: int
    seed: int

    @classmethod
    def of(
        cls,
        assays: Sequence[Assay],
        size: int,
        seed: int = 0,
        keep: frozenset[str] | None = None,
    ) -> MoleculeBatches:
        """The molecules of some assays, or those to `keep`; assays are numbered as they come."""
        every = Molecules.cat([assay.molecules for assay in assays])
        smiles = np.array(every.smiles, dtype=object)
        kept = np.arange(len(smiles))
        if keep is not None:
            kept = np.flatnonzero([text in keep for text in smiles])
        codes, names = pd.factorize(smiles[kept])
        task = np.repeat(np.arange(len(assays)), [len(assay) for assay in assays])[kept]
        y = np.concatenate([assay.active for assay in assays])[kept]
        value = np.concatenate([_scaled(assay) for assay in assays])[kept]
        order = np.argsort(codes, kind="stable")
        offsets = row_offsets(np.bincount(codes, minlength=len(names)))
        first = kept[order][offsets[:-1]]
        return cls(every[first], offsets, task[order], y[order], value[order], size, seed)

    @property
    def epoch(self) -> int:
        """Batches that show each molecule once."""
        return -(-len(self.molecules) // self.size)

    @property
    def meta_batch_size(self) -> int:
        """Parts of a batch."""
        return PARTS

    def meta_batch(self, step: int) -> list[LabelledMolecules]:
        """The parts of a batch, which depend on the step alone."""
        return self.parts(drawn(len(self.molecules), self.size, self.seed, step))

    def parts(self, index: np.ndarray) -> list[LabelledMolecules]:
        """Some molecules, in at most `PARTS` parts."""
        labels = int(np.sum(np.diff(self.offsets)[index]))
        pieces = np.array_split(index, min(PARTS, len(index)))
        return [self._part(piece, labels / len(pieces)) for piece in pieces]

    def _part(self, index: np.ndarray, mean_labels: float) -> LabelledMolecules:
        rows, offsets = ragged_rows(self.offsets, index)
        return LabelledMolecules(
            self.molecules[index],
            torch.from_numpy(np.repeat(np.arange(len(index)), np.diff(offsets))),
            torch.from_numpy(self.task[rows]),
            torch.from_numpy(self.y[rows]),
            torch.from_numpy(self.value[rows]),
            mean_labels,
        )

    @torch.no_grad()
    def loss(self, learner: MultiTaskByMolecule) -> float:
        """Mean loss over all labels."""
        total = 0.0
        for start in range(0, len(self.molecules), self.size):
            index = np.arange(start, min(start + self.size, len(self.molecules)))
            parts = [part.to(learner.device) for part in self.parts(index)]
            total += float(learner.meta_loss(parts)) * parts[0].mean_labels * len(parts)
        return total / len(self.y)


def drawn(count: int, size: int, seed: int, step: int) -> np.ndarray:
    """Which of so many molecules a step sees: an epoch shows each once, in an order of its own."""
    epoch, place = divmod(step, -(-count // size))
    order = generator("molecules", seed, epoch).permutation(count)
    return order[place * size : (place + 1) * size]


def _scaled(assay: Assay) -> np.ndarray:
    """The values behind an assay's classes, less their mean, over their spread: `[n]` float32.

    Cut at ±`LARGEST`, so that no value in a wrong unit rules; NaN where there are fewer than
    `FEWEST` of them, or all are alike.
    """
    values = assay.behind
    if isinstance(assay.target, Regression):
        values = np.where(exact(assay), assay.values, np.nan)
    if values is None or np.isfinite(values).sum() < FEWEST or np.nanstd(values) < ALIKE:
        return np.full(len(assay), np.nan, dtype=np.float32)
    scaled = (values - np.nanmean(values)) / np.nanstd(values)
    return scaled.clip(-LARGEST, LARGEST).astype(np.float32)

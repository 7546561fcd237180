"""Batches of molecules with the vectors that a network learns to give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from molmeta.encoders import principal_coordinates
from molmeta.errors import ConfigError
from molmeta.learners import KnownVectors
from molmeta.molecules import Dense, Molecules
from molmeta.seeds import generator
from molmeta.tasks import Assay
from molmeta.training.molecule_batches import PARTS, drawn

FITTED = 20_000  # molecules that means and spreads are found from
FURTHEST = 4.0  # spreads from the mean, where a value is cut


@dataclass(frozen=True)
class Coordinates:
    """Vectors of a block, in the coordinates in which they are learned.

    Attributes
    ----------
    block : str
        A dense feature block.
    mean, spread : ndarray
        `[k]`; values are less their mean, over their spread, and cut at ±`FURTHEST`; a column
        without spread is 0.
    factor : Tensor
        `[k, k]`, to principal coordinates over a power of their variances, of mean variance 1,
        times the root of the block's weight.
    """

    block: str
    mean: np.ndarray
    spread: np.ndarray
    factor: Tensor

    @classmethod
    def of(
        cls, molecules: Molecules, block: str, power: float, weight: float, seed: int
    ) -> Coordinates:
        """Fitted to some of these molecules.

        Raises
        ------
        ConfigError
            The block has no row of numbers for a molecule.
        """
        found = molecules.block(block)
        if not isinstance(found, Dense):
            raise ConfigError(f"'{block}' cannot be learned: it has no row of numbers a molecule")
        chosen = generator("coordinates", seed).permutation(len(molecules))[:FITTED]
        values = found.values[molecules.index[np.sort(chosen)]].astype(np.float64)
        mean, spread = values.mean(axis=0), values.std(axis=0)
        spread = np.where(spread > 1e-6 * (1 + np.abs(mean)), spread, np.inf)
        z = torch.from_numpy(((values - mean) / spread).clip(-FURTHEST, FURTHEST))
        _, factor = principal_coordinates(z, power, ridge=1e-3)
        scale = (z @ factor).var(dim=0, correction=0).mean().sqrt()
        factor = (factor * weight**0.5 / scale).float()
        return cls(block, mean.astype(np.float32), spread.astype(np.float32), factor)

    def __call__(self, molecules: Molecules) -> Tensor:
        """`[n, k]` float32."""
        values = molecules.block(self.block).values[molecules.index]
        z = ((values - self.mean) / self.spread).clip(-FURTHEST, FURTHEST)
        return torch.from_numpy(z.astype(np.float32)) @ self.factor


@dataclass(frozen=True)
class ImitationBatches:
    """Distinct molecules with the vectors to be given; an epoch shows each once.

    Attributes
    ----------
    molecules : Molecules
        Distinct.
    coordinates : sequence of Coordinates
        One a target.
    size : int
        Molecules a batch; the last of an epoch has fewer.
    seed : int
        With the step, all that a batch depends on.
    """

    molecules: Molecules
    coordinates: Sequence[Coordinates]
    size: int
    seed: int

    @classmethod
    def of(
        cls, assays: Sequence[Assay], targets: Sequence[dict[str, Any]], size: int, seed: int = 0
    ) -> ImitationBatches:
        """The molecules of some assays, and what is known of them.

        Raises
        ------
        ConfigError
            A target has no block, or an option that there is not.
        """
        every = Molecules.cat([assay.molecules for assay in assays])
        distinct = every[np.unique(every.smiles, return_index=True)[1]]
        coordinates = [_coordinates(distinct, seed, **target) for target in targets]
        return cls(distinct, coordinates, size, seed)

    @property
    def widths(self) -> dict[str, int]:
        """Of each target, by the name of its block."""
        return {one.block: len(one.factor) for one in self.coordinates}

    @property
    def epoch(self) -> int:
        """Batches that show each molecule once."""
        return -(-len(self.molecules) // self.size)

    @property
    def meta_batch_size(self) -> int:
        """Parts of a batch."""
        return PARTS

    def meta_batch(self, step: int) -> list[KnownVectors]:
        """The parts of a batch, which depend on the step alone."""
        index = drawn(len(self.molecules), self.size, self.seed, step)
        pieces = np.array_split(index, min(PARTS, len(index)))
        mean_size = len(index) / len(pieces)
        parts = []
        for piece in pieces:
            x = self.molecules[piece]
            parts.append(KnownVectors(x, {c.block: c(x) for c in self.coordinates}, mean_size))
        return parts


def _coordinates(
    molecules: Molecules, seed: int, block: str = "", power: float = 0.25, weight: float = 1.0
) -> Coordinates:
    if not block:
        raise ConfigError("a target of [episodes] has no block, such as rdkit_descriptors")
    return Coordinates.of(molecules, block, power, weight, seed)

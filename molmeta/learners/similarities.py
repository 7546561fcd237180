"""How alike molecules are in several ways at once, for learners that see nothing else of them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from molmeta.errors import ConfigError
from molmeta.learners.functional import tanimoto
from molmeta.learners.kernels import DirectionKernel
from molmeta.molecules import FINGERPRINTS

MIDDLE = 64  # measurements at which every weight stands as it is written


def log_size(n: int) -> float:
    """Zero at 64 measurements, −1 at 16, 1 at 256."""
    return math.log(n / MIDDLE, 4)


class Similarities(nn.Module):
    """How alike two molecules are in each of several ways: nothing of it is learned.

    Parameters
    ----------
    columns : mapping of slice
        Where the blocks of counts, the `descriptors` and a network's `vector` stand in a row.

    Attributes
    ----------
    names : list of str
        The ways, in their order: min–max of each block of counts, `DirectionKernel` of the
        vectors; and last, where there are descriptors, their squared distance over their number.

    Raises
    ------
    ConfigError
        There is nothing to compare by.
    """

    def __init__(self, columns: Mapping[str, slice]) -> None:
        super().__init__()
        self.counts = {name: place for name, place in columns.items() if name in FINGERPRINTS}
        self.vector, self.descriptors = columns.get("vector"), columns.get("descriptors")
        direction = [] if self.vector is None else ["vector"]
        self.names = [*self.counts, *direction]
        if not self.names:
            raise ConfigError(
                "a learned kernel compares counts or vectors: give it the encoder 'features', "
                "'whitened' or 'joined'"
            )

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """`[n, d]` and `[m, d]` to `[ways, n, m]`."""
        ways = [tanimoto(a[:, place], b[:, place]) for place in self.counts.values()]
        if self.vector is not None:
            ways.append(DirectionKernel(self.vector, length=1.0)(a, b))
        if self.descriptors is not None:
            d = [rows[:, self.descriptors] for rows in (a, b)]
            ways.append(torch.cdist(d[0], d[1]).square() / d[0].shape[1])
        return torch.stack(ways)

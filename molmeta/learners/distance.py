"""Distances that metric learners compare by: two sets of vectors to a matrix."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from molmeta.errors import ConfigError
from molmeta.registry import nearest


class SquaredEuclidean(nn.Module):
    r""":math:`\lVert x - c \rVert^2`, the Bregman divergence of :math:`\lVert x \rVert^2`."""

    def domain(self, x: Tensor) -> Tensor:
        """Vectors `[n, d]` as what is compared and averaged: themselves."""
        return x

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        """Distances of `[n, d]` and `[m, d]`: `[n, m]`.

        Each row is computed from differences, not from the expanded square, so that it does not
        lose digits where a distance is small against the norms.
        """
        return torch.stack([(x - row).square().sum(dim=1) for row in c], dim=1)


class Mahalanobis(SquaredEuclidean):
    r""":math:`(x - c)^\top A^\top A\, (x - c)` with one learned matrix A, shared by all tasks.

    A Bregman divergence, of :math:`x^\top A^\top A\, x`. A starts at the identity.

    Parameters
    ----------
    dim : int
        Width d of the vectors.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.eye(dim))

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        """Distances of `[n, d]` and `[m, d]`: `[n, m]`."""
        return super().forward(x @ self.factor.T, c @ self.factor.T)


class GeneralisedKL(SquaredEuclidean):
    r""":math:`\sum_j x_j \log (x_j / c_j) - x_j + c_j` of positive vectors.

    The generalised Kullback–Leibler (I-) divergence, the Bregman divergence of
    :math:`\sum_j x_j \log x_j` (Banerjee, Merugu, Dhillon, Ghosh: *Clustering with Bregman
    Divergences*, JMLR 2005). Vectors become positive by a softplus, before any mean is taken.
    """

    def domain(self, x: Tensor) -> Tensor:
        """Positive vectors: log(1 + eˣ) + 10⁻⁶."""
        return F.softplus(x) + 1e-6

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        """Divergences of positive `[n, d]` and `[m, d]`: `[n, m]`."""
        return torch.stack([(x * (x / row).log() - x + row).sum(dim=1) for row in c], dim=1)


class Cosine(SquaredEuclidean):
    r""":math:`1 - x^\top c \,/\, (\lVert x \rVert \lVert c \rVert)`; no Bregman divergence."""

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        """Distances of `[n, d]` and `[m, d]`: `[n, m]`."""
        return 1 - F.normalize(x, dim=1) @ F.normalize(c, dim=1).T


def distance(name: str, dim: int) -> SquaredEuclidean:
    """The distance of a name, for vectors of width `dim`.

    Raises
    ------
    ConfigError
        There is no such distance.
    """
    known = {
        "squared_euclidean": SquaredEuclidean,
        "mahalanobis": lambda: Mahalanobis(dim),
        "generalised_kl": GeneralisedKL,
        "cosine": Cosine,
    }
    if name not in known:
        raise ConfigError(f"there is no distance '{name}'{nearest(name, list(known))}")
    return known[name]()

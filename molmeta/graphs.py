"""Graphs for message passing: a batch in compressed sparse rows, and the one sparse primitive."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Csr:
    """A sparse 0/1 matrix in compressed rows, with its transpose.

    Row i sums the columns `indices[offsets[i]:offsets[i + 1]]`. All arrays are int32.
    """

    indices: Tensor
    offsets: Tensor
    t_indices: Tensor
    t_offsets: Tensor

    @classmethod
    def from_pairs(cls, rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> Csr:
        """The matrix with a one at each (row, column)."""
        return cls(
            *_compress(rows, columns, shape[0]),
            *_compress(columns, rows, shape[1]),
        )

    def to(self, device: torch.device) -> Csr:
        """All arrays on a device."""
        return Csr(*(array.to(device) for array in self.__dict__.values()))


def _compress(rows: np.ndarray, columns: np.ndarray, n_rows: int) -> tuple[Tensor, Tensor]:
    order = np.argsort(rows, kind="stable")
    offsets = np.zeros(n_rows + 1, dtype=np.int32)
    np.cumsum(np.bincount(rows, minlength=n_rows), out=offsets[1:])
    return torch.from_numpy(columns[order].astype(np.int32)), torch.from_numpy(offsets)


class _NeighbourSum(torch.autograd.Function):
    @staticmethod
    def forward(h, indices, offsets, t_indices, t_offsets):
        return F.embedding_bag(indices, h, offsets, mode="sum", include_last_offset=True)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs[1:])

    @staticmethod
    def backward(ctx, *grads):
        indices, offsets, t_indices, t_offsets = ctx.saved_tensors
        grad = _NeighbourSum.apply(grads[0], t_indices, t_offsets, indices, offsets)
        return grad, None, None, None, None


def neighbour_sum(h: Tensor, csr: Csr) -> Tensor:
    r"""Sum of neighbours, :math:`\sum_{j \in N(i)} h_j`, for `h [m, d]`: `[n, d]`.

    The product with a sparse 0/1 matrix, whose gradient is the product with the transpose, hence
    differentiable any number of times. Message passing, pooling and feature lookup are this one.
    """
    out = _NeighbourSum.apply(
        h.contiguous(), csr.indices, csr.offsets, csr.t_indices, csr.t_offsets
    )
    assert isinstance(out, Tensor)
    return out


@dataclass(frozen=True)
class GraphBatch:
    """Some molecules, collated.

    Attributes
    ----------
    atom_features : `[V, F]`, one-hot features of the distinct atoms
    lookup : atoms × V, each atom's row of `atom_features`
    neighbours : atoms × atoms, the bonds in both directions
    pool : molecules × atoms
    """

    atom_features: Tensor
    lookup: Csr
    neighbours: Csr
    pool: Csr

    def to(self, device: torch.device) -> GraphBatch:
        """All arrays on a device."""
        return replace(self, **{name: part.to(device) for name, part in self.__dict__.items()})

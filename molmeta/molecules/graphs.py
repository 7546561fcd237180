"""Graphs for message passing: a batch in compressed sparse rows, and the one sparse primitive."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from scipy.sparse import csr_array
from torch import Tensor


@dataclass(frozen=True)
class Csr:
    """A sparse matrix in compressed rows, with its transpose.

    Row i sums the columns `indices[offsets[i]:offsets[i + 1]]`, each times its entry of `weights`;
    without these, all are 1. Other arrays are int32.
    """

    indices: Tensor
    offsets: Tensor
    t_indices: Tensor
    t_offsets: Tensor
    weights: Tensor | None = None
    t_weights: Tensor | None = None

    @classmethod
    def from_rows(cls, indices: np.ndarray, offsets: np.ndarray, columns: int) -> Csr:
        """The 0/1 matrix with these columns, in any order, in each row, of so many columns."""
        ones = np.ones(len(indices), dtype=np.int8)
        parts = (ones, indices.astype(np.int32), offsets.astype(np.int32))
        return cls(*_both_ways(csr_array(parts, shape=(len(offsets) - 1, columns)))[:4])

    @classmethod
    def weighted(cls, matrix: csr_array) -> Csr:
        """A matrix of scipy's, of floats."""
        return cls(*_both_ways(matrix))

    def to(self, device: torch.device, dtype: torch.dtype | None = None) -> Csr:
        """All arrays on a device, the weights of a type."""
        *places, weights, t_weights = self.__dict__.values()
        parts = (None if w is None else w.to(device, dtype) for w in (weights, t_weights))
        return Csr(*(array.to(device) for array in places), *parts)


def _both_ways(matrix: csr_array) -> list[Tensor]:
    """Indices and offsets of a matrix and of its transpose, and then the entries of both."""
    matrix.sort_indices()
    turned = matrix.tocsc()
    places = (matrix.indices, matrix.indptr, turned.indices, turned.indptr)
    arrays = [array.astype(np.int32, copy=False) for array in places]
    return [torch.from_numpy(array) for array in (*arrays, matrix.data, turned.data)]


class _NeighbourSum(torch.autograd.Function):
    @staticmethod
    def forward(h, indices, offsets, t_indices, t_offsets, weights, t_weights):
        return F.embedding_bag(
            *(indices, h, offsets),
            mode="sum",
            include_last_offset=True,
            per_sample_weights=weights,
        )

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs[1:])

    @staticmethod
    def backward(ctx, *grads):
        indices, offsets, t_indices, t_offsets, weights, t_weights = ctx.saved_tensors
        turned = (t_indices, t_offsets, indices, offsets, t_weights, weights)
        return _NeighbourSum.apply(grads[0].contiguous(), *turned), *[None] * 6


def neighbour_sum(h: Tensor, csr: Csr) -> Tensor:
    r"""Sum of neighbours, :math:`\sum_{j \in N(i)} h_j`, for `h [m, d]`: `[n, d]`.

    The product with a sparse matrix, whose gradient is the product with the transpose, hence
    differentiable any number of times. Message passing, pooling, feature lookup and the first layer
    on counts are this one.
    """
    out = _NeighbourSum.apply(h.contiguous(), *csr.__dict__.values())
    assert isinstance(out, Tensor)
    return out


@dataclass(frozen=True)
class Round:
    """Messages of one layer, between distinct environments of atoms.

    Attributes
    ----------
    own : `[K_l]` int64, each environment's one of the layer before
    neighbours : K_l × K_{l−1}
    bonds : K_l × bond codes, the bonds along which the neighbours are
    """

    own: Tensor
    neighbours: Csr
    bonds: Csr

    def to(self, device: torch.device) -> Round:
        """All arrays on a device."""
        return replace(self, **{name: part.to(device) for name, part in self.__dict__.items()})


@dataclass(frozen=True)
class GraphBatch:
    """Some molecules, collated: each distinct environment of an atom stands once in a layer.

    Attributes
    ----------
    atom_features : `[K_0, F]`, one-hot features of the distinct atoms
    bond_features : `[codes, G]`, one-hot features of every bond code
    rounds : one for each layer
    pools : molecules × K_l, for each layer from 0: the environments of a molecule's atoms
    """

    atom_features: Tensor
    bond_features: Tensor
    rounds: list[Round]
    pools: list[Csr]

    def to(self, device: torch.device) -> GraphBatch:
        """All arrays on a device."""
        return GraphBatch(
            self.atom_features.to(device),
            self.bond_features.to(device),
            [part.to(device) for part in self.rounds],
            [part.to(device) for part in self.pools],
        )

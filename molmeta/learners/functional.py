"""Pure tensor functions that the learners are written in."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def class_means(x: Tensor, y_onehot: Tensor) -> Tensor:
    r"""Mean of each class: :math:`c_k = |S_k|^{-1} \sum_{i \in S_k} x_i`.

    Parameters
    ----------
    x : Tensor
        `[n, d]`.
    y_onehot : Tensor
        `[n, W]`.

    Returns
    -------
    Tensor
        `[W, d]`; zero where a class is empty.
    """
    weights = y_onehot.to(x.dtype)
    return (weights.T @ x) / weights.sum(dim=0).clamp(min=1).unsqueeze(1)


def tanimoto(a: Tensor, b: Tensor) -> Tensor:
    """Min–max similarity of rows with entries ≥ 0: `[n, d]`, `[m, d]` to `[n, m]`.

    Two empty rows have similarity 0. Of whole numbers (counts, without a gradient) the shared part
    is a sum of matrix products, and exact; of others it is by Σ min = (Σa + Σb − Σ|a − b|) / 2.
    """
    total = a.sum(dim=1).unsqueeze(1) + b.sum(dim=1)
    if _are_counts(a) and _are_counts(b):
        shared = _shared_counts(a, b)
        return shared / (total - shared).clamp(min=1e-12)
    difference = torch.cdist(a, b, p=1)
    return (total - difference) / (total + difference).clamp(min=1e-12)


def _are_counts(x: Tensor) -> bool:
    return not x.requires_grad and bool((x == x.floor()).all())


def _shared_counts(a: Tensor, b: Tensor) -> Tensor:
    """Σ min(a, b) of counts: level by level, in how many columns both rows reach it."""
    shared = a.new_zeros(len(a), len(b))
    if not len(a) or not len(b):
        return shared
    reached = torch.minimum(a.amax(dim=0), b.amax(dim=0))
    for level in range(1, int(reached.max()) + 1):
        columns = (reached >= level).nonzero()[:, 0]
        a, b, reached = a[:, columns], b[:, columns], reached[columns]
        shared += (a >= level).to(a.dtype) @ (b >= level).to(b.dtype).T
    return shared


def canonical_order(x: Tensor, y: Tensor) -> Tensor:
    """An order of the rows of `x [n, d]` and `y [n]` that does not depend on how they came."""
    keys = torch.cat([y.unsqueeze(1).to(x.dtype), x.flatten(1)], dim=1).detach().cpu().numpy()
    return torch.from_numpy(np.lexsort(keys.T[::-1])).to(x.device)

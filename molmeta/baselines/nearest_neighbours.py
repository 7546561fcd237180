"""k nearest neighbours."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from molmeta.episode import Classification, Examples, Regression, Target
from molmeta.functional import canonical_order
from molmeta.learner import Embedded, Learner, State


class NearestNeighbours(Learner):
    r"""The labels of the `k` most similar molecules, weighted by similarity.

    Similarity is Tanimoto's on counts (min–max; Ruzicka 1958), which on 0/1 vectors is the usual
    Tanimoto coefficient:

    .. math:: s(a, b) = \frac{\sum_i \min(a_i, b_i)}{\sum_i \max(a_i, b_i)}, \qquad
              p(y \mid x) = \frac{\sum_{j \in N_k(x)} s_j [y_j = y]}{\sum_{j \in N_k(x)} s_j}

    State
    -----
    x, y : Tensor
        The support, `[n, d]` with entries ≥ 0, and its encoded labels `[n, W or 1]`.

    Parameters
    ----------
    k : int
        Number of neighbours; all of the support if it is smaller.
    """

    targets = (Classification, Regression)

    def __init__(self, k: int = 5) -> None:
        super().__init__()
        self.k = k

    def adapt(self, support: Examples) -> State:
        """Keep the support, rows sorted (so that ties do not depend on their order)."""
        self.check(support)
        order = canonical_order(support.x, support.y)
        y = support.target.encode(support.y).to(support.x.dtype)
        return {"x": support.x.flatten(1)[order], "y": y[order]}

    def forward(self, x: Tensor, state: State) -> Tensor:
        """Log-probabilities `[n, n_way]`, or weighted mean and log-variance `[n, 2]`."""
        similarity = tanimoto(x.flatten(1), state["x"]) + 1e-6
        weights, rows = similarity.topk(min(self.k, len(state["y"])), dim=1)
        weights = weights / weights.sum(dim=1, keepdim=True)
        neighbours = state["y"][rows]  # [n, k, W]
        mean = (weights.unsqueeze(2) * neighbours).sum(dim=1)
        if mean.shape[1] > 1:
            return torch.log(mean.clamp(min=1e-4))
        variance = (weights * (neighbours.squeeze(2) - mean).square()).sum(dim=1, keepdim=True)
        return torch.cat([mean, torch.log(variance + 1e-4)], dim=1)


def tanimoto(a: Tensor, b: Tensor) -> Tensor:
    """Min–max similarity of rows with entries ≥ 0: `[n, d]`, `[m, d]` to `[n, m]`.

    By Σ min = (Σa + Σb − Σ|a − b|) / 2, exact for counts; two empty rows have similarity 0.
    """
    total = a.sum(dim=1).unsqueeze(1) + b.sum(dim=1)
    difference = torch.cdist(a, b, p=1)
    return (total - difference) / (total + difference).clamp(min=1e-12)


def nearest_neighbours(encoder: nn.Module, target: Target, **options: int) -> Embedded:
    """`NearestNeighbours` on the features of an encoder."""
    return Embedded(encoder, NearestNeighbours(**options))

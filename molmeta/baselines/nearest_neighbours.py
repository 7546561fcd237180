"""k nearest neighbours."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from molmeta.learners import Embedded, Learner, State, tanimoto
from molmeta.tasks import Classification, Examples, Regression, Target


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
        Number of neighbours; all of the support if it is smaller. Those that tie with the last
        count as well, so that nothing depends on the order of the support.
    """

    targets = (Classification, Regression)

    def __init__(self, k: int = 5) -> None:
        super().__init__()
        self.k = k

    def adapt(self, support: Examples) -> State:
        """Keep the support."""
        self.check(support)
        y = support.target.encode(support.y).to(support.x.dtype)
        return {"x": support.x.flatten(1), "y": y}

    def forward(self, x: Tensor, state: State) -> Tensor:
        """Log-probabilities `[n, n_way]`, or weighted mean and log-variance `[n, 2]`."""
        similarity = tanimoto(x.flatten(1), state["x"]) + 1e-6
        k_best = similarity.topk(min(self.k, len(state["y"])), dim=1).values
        weights = similarity * (similarity >= k_best[:, -1:])
        weights = weights / weights.sum(dim=1, keepdim=True)  # [n, support]
        mean = weights @ state["y"]
        if mean.shape[1] > 1:
            return torch.log(mean.clamp(min=1e-4))
        variance = (weights * (state["y"].T - mean).square()).sum(dim=1, keepdim=True)
        return torch.cat([mean, torch.log(variance + 1e-4)], dim=1)


def nearest_neighbours(encoder: nn.Module, target: Target, **options: int) -> Embedded:
    """`NearestNeighbours` on the features of an encoder."""
    return Embedded(encoder, NearestNeighbours(**options))

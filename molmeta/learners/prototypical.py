"""Prototypical Networks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from molmeta.episode import Classification, Examples, Target
from molmeta.functional import class_means, squared_euclidean
from molmeta.learner import Embedded, Learner, State


class Prototypical(Learner):
    r"""Each class is the mean of its support; a query belongs to the nearest.

    Snell, Swersky, Zemel: *Prototypical Networks for Few-shot Learning* (NeurIPS 2017),
    https://arxiv.org/abs/1703.05175, equations 1 and 2:

    .. math:: c_k = \frac{1}{|S_k|} \sum_{(x_i, y_i) \in S_k} f(x_i), \qquad
              p(y = k \mid x) = \mathrm{softmax}_k\big(-\tau \lVert f(x) - c_k \rVert^2\big)

    The distance is *squared* Euclidean, a Bregman divergence, for which the mean is the best
    representative of a class and the classifier is linear: w_k = 2τc_k, b_k = −τ‖c_k‖².

    State
    -----
    prototypes : Tensor
        `[n_way, d]`.

    Differences from the paper
    --------------------------
    A learned scale τ > 0, shared by all tasks, that starts at 1/d: encoders differ in width, and
    without it the first steps are spent on shrinking the embedding.

    Parameters
    ----------
    dim : int
        Width d of the vectors, for the start of τ; 1 gives the paper's τ = 1.
    """

    targets = (Classification,)

    def __init__(self, dim: int = 1) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(-torch.log(torch.tensor(float(dim))))

    def adapt(self, support: Examples) -> State:
        """Equation 1: the mean of each class."""
        self.check(support)
        return {"prototypes": class_means(support.x, support.target.encode(support.y))}

    def forward(self, x: Tensor, state: State) -> Tensor:
        """Equation 2: scores `[n, n_way]`, minus the scaled squared distances."""
        return -self.log_scale.exp() * squared_euclidean(x, state["prototypes"])


def prototypical(encoder: nn.Module, target: Target) -> Embedded:
    """`Prototypical` on an encoder (with its width `dim`)."""
    return Embedded(encoder, Prototypical(encoder.dim))  # type: ignore[arg-type]

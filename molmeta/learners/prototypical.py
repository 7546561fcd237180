"""Prototypical Networks, from measurements or from descriptions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from molmeta import registry
from molmeta.learners.base import Embedded, Learner, State
from molmeta.learners.distance import SquaredEuclidean, distance
from molmeta.learners.functional import class_means
from molmeta.tasks import Classification, Examples, Inputs, Target

HIDDEN = 64  # units between a description and its prototype


class Prototypical(Learner):
    r"""Each class is the mean of its support; a query belongs to the nearest.

    Snell, Swersky, Zemel: *Prototypical Networks for Few-shot Learning* (NeurIPS 2017),
    https://arxiv.org/abs/1703.05175, equations 1 and 2:

    .. math:: c_k = \frac{1}{|S_k|} \sum_{(x_i, y_i) \in S_k} f(x_i), \qquad
              p(y = k \mid x) = \mathrm{softmax}_k\big(-\tau\, d(f(x), c_k)\big)

    d is a Bregman divergence, for which the mean is the best representative of a class (section
    2.3) and the classifier is linear. For the *squared* Euclidean distance it has the weights
    w_k = 2τc_k and b_k = −τ‖c_k‖² (section 2.4).

    Without measurements (section 2.6), the support is one description a class, and its vector,
    of length one, is the prototype: see `Description` and `zero_shot`.

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
    divergence : nn.Module
        `SquaredEuclidean`, `Mahalanobis(dim)` or `GeneralisedKL`. (`Cosine` is no Bregman
        divergence; the paper shows that it does worse.)
    """

    targets = (Classification,)

    def __init__(self, dim: int = 1, divergence: SquaredEuclidean | None = None) -> None:
        super().__init__()
        self.divergence = divergence or SquaredEuclidean()
        self.log_scale = nn.Parameter(-torch.log(torch.tensor(float(dim))))

    def adapt(self, support: Examples) -> State:
        """Equation 1: the mean of each class."""
        self.check(support)
        rows = self.divergence.domain(support.x)
        return {"prototypes": class_means(rows, support.target.encode(support.y))}

    def forward(self, x: Tensor, state: State) -> Tensor:
        """Equation 2: scores `[n, n_way]`, minus the scaled divergences."""
        distances = self.divergence(self.divergence.domain(x), state["prototypes"])
        return -self.log_scale.exp() * distances

    def for_tasks(self, x: Inputs, states: Sequence[State]) -> Sequence[Tensor]:
        r"""The linear model of section 2.4, for all tasks in one product.

        About the mean m of a task's prototypes, so that no digits are lost:
        w_k = 2τ(c_k − m), b_k = −τ‖c_k − m‖² − w_k · m.
        """
        one_shape = len({state["prototypes"].shape for state in states}) == 1
        if type(self.divergence) is not SquaredEuclidean or not one_shape:
            return super().for_tasks(x, states)
        c = torch.stack([state["prototypes"] for state in states])
        centre = c.mean(dim=1, keepdim=True)
        w = 2 * (c - centre)
        b = -(w.square() / 4 + w * centre).sum(dim=2)
        outputs = torch.addmm(b.flatten(), x, w.flatten(0, 1).T)
        return (self.log_scale.exp() * outputs).split(c.shape[1], dim=1)


class Description(nn.Module):
    """Vectors that describe classes, `[n_way, width]`, as prototypes of length one (section 2.6).

    Parameters
    ----------
    width, hidden, dim : int
        Of a description, of the hidden layer, and of the encoder's vectors.
    kind : str
        What describes a class: the name of a text encoder, or `attributes`.
    """

    def __init__(self, width: int, hidden: int, dim: int, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.network = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, dim))

    def forward(self, x: Tensor) -> Tensor:
        """`[n, width]` to `[n, dim]`."""
        return F.normalize(self.network(x), dim=1)


def prototypical(
    encoder: nn.Module, target: Target, divergence: str = "squared_euclidean"
) -> Embedded:
    """`Prototypical` on an encoder (with its width `dim`)."""
    dim: int = encoder.dim  # type: ignore[assignment]
    return Embedded(encoder, Prototypical(dim, distance(divergence, dim)))


def zero_shot(
    encoder: nn.Module,
    target: Target,
    description: str = "hashing",
    width: int | None = None,
) -> Embedded:
    """`Prototypical` whose support is a description of each class.

    Parameters
    ----------
    description : str
        The name of a text encoder; or `attributes`, with the `width` of a class's attributes.
    """
    size: int = width or registry.lookup("text", description).width
    dim: int = encoder.dim  # type: ignore[assignment]
    return Embedded(encoder, Prototypical(dim), Description(size, HIDDEN, dim, description))

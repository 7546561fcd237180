"""Relation Networks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from molmeta.errors import ConfigError
from molmeta.learners.base import Embedded, Learner, State
from molmeta.learners.functional import class_means
from molmeta.tasks import Classification, Episode, Examples, Target


class Relation(Learner):
    r"""A learned module tells how well a query goes with each class.

    Sung, Yang, Zhang, Xiang, Torr, Hospedales: *Learning to Compare: Relation Network for Few-Shot
    Learning* (CVPR 2018), https://arxiv.org/abs/1711.06025, equations 1 and 2:

    .. math:: r_{k}(x) = \sigma\big(g([c_k, f(x)])\big) \in (0, 1), \qquad
              L = \sum_{x, k} \big(r_k(x) - [y = k]\big)^2

    Outputs are :math:`\log r_k` up to a constant that makes them log-probabilities.

    State
    -----
    classes : Tensor
        c, `[n_way, d]`.

    Differences from the paper
    --------------------------
    A class is the *mean* of its shots, not their sum: a sum tells the sizes of the classes of an
    unbalanced support. In the loss a query's class weighs as much as all others together, so that
    it is the mean over queries and classes in two-way tasks; of twenty equal parts nineteen ask for
    0, and r stays at 1/20 for hundreds of steps (loss .0475; Omniglot, 20-way). GroupNorm in place
    of BatchNorm in the convolutions, so that queries do not depend on each other. For vectors, the
    module's inputs pass a LayerNorm, and their product by elements joins them (the paper leaves
    open how the two are put together): from the two vectors alone, a few assays did not teach the
    module to compare.

    Parameters
    ----------
    module : nn.Module
        g: a class `[n, d]` and a query `[n, d]` to logits `[n]`; `VectorRelation` or
        `MapRelation`.
    """

    targets = (Classification,)

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def adapt(self, support: Examples) -> State:
        """The mean of each class."""
        self.check(support)
        return {"classes": class_means(support.x, support.target.encode(support.y))}

    def forward(self, x: Tensor, state: State) -> Tensor:
        """Log-probabilities `[n, n_way]`."""
        return F.logsigmoid(self.relations(x, state)).log_softmax(dim=1)

    def relations(self, x: Tensor, state: State) -> Tensor:
        """Logits of r, `[n, n_way]`."""
        return torch.stack([self.module(c.expand_as(x), x) for c in state["classes"]], dim=1)

    def loss(self, episode: Episode) -> Tensor:
        """Equation 2: squared error of r against 1 for the query's class, 0 for others."""
        relations = self.relations(episode.query.x, self.adapt(episode.support)).sigmoid()
        wanted = episode.target.encode(episode.query.y).to(relations.dtype)
        weight = torch.where(wanted > 0, 0.5, 0.5 / (relations.shape[1] - 1))
        return (weight * (relations - wanted) ** 2).sum(dim=1).mean()


class VectorRelation(nn.Module):
    """Three layers on [c, x, c ⊙ x], where c and x are normalised first.

    Parameters
    ----------
    dim, hidden : int
        Widths of a vector and of the hidden layers.
    """

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.layers = nn.Sequential(
            *(nn.Linear(3 * dim, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()),
            nn.Linear(hidden, 1),
        )

    def forward(self, classes: Tensor, x: Tensor) -> Tensor:
        """`[n, d]` and `[n, d]` to logits `[n]`."""
        a, b = self.norm(classes), self.norm(x)
        return self.layers(torch.cat([a, b, a * b], dim=1)).squeeze(1)


class MapRelation(nn.Module):
    """The paper's module (figure 2) for feature maps: two convolutions, two layers.

    Parameters
    ----------
    shape : tuple of int
        (C, H, W) of a vector seen as feature maps.
    hidden : int
        Width of the hidden layer.
    """

    def __init__(self, shape: tuple[int, int, int], hidden: int) -> None:
        super().__init__()
        self.shape = shape
        channels, height, width = shape
        self.convolutions = nn.Sequential(
            _block(2 * channels, channels), _block(channels, channels)
        )
        left = channels * max(height // 4, 1) * max(width // 4, 1)
        self.layers = nn.Sequential(nn.Linear(left, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, classes: Tensor, x: Tensor) -> Tensor:
        """`[n, C·H·W]` twice to logits `[n]`."""
        maps = torch.cat([part.reshape(-1, *self.shape) for part in (classes, x)], dim=1)
        return self.layers(self.convolutions(maps).flatten(1)).squeeze(1)


class _Halve(nn.Module):
    """2 × 2 max-pooling that leaves a side of one pixel as it is."""

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool2d(x, [min(2, side) for side in x.shape[2:]])


def _block(inputs: int, outputs: int) -> nn.Sequential:
    """Convolution, GroupNorm in place of the paper's BatchNorm, ReLU, pooling."""
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1)
    return nn.Sequential(convolution, nn.GroupNorm(1, outputs), nn.ReLU(), _Halve())


def relation(
    encoder: nn.Module, target: Target, module: str = "vectors", hidden: int = 64
) -> Embedded:
    """`Relation` on an encoder: `module` is `vectors`, or `maps` where it has feature maps.

    Raises
    ------
    ConfigError
        The module has another name, or the encoder has no feature maps.
    """
    if module == "vectors":
        return Embedded(encoder, Relation(VectorRelation(encoder.dim, hidden)))  # type: ignore[arg-type]
    if module != "maps":
        raise ConfigError(f"there is no relation module '{module}'; there is: maps, vectors")
    shape = getattr(encoder, "shape", None)
    if shape is None:
        raise ConfigError(f"{type(encoder).__name__} has no feature maps; use module = 'vectors'")
    return Embedded(encoder, Relation(MapRelation(shape, hidden)))

"""MAML, FOMAML and ANIL of Nguyen et al. 2020: as released, and corrected."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from molmeta.errors import ConfigError
from molmeta.learners.base import Embedded, Learner
from molmeta.learners.maml import MAML
from molmeta.tasks import Classification, Episode, Target

COMPAT = ("corrected", "gsk2020")


class LogitHead(nn.Module):
    """One logit z from a linear layer, as the scores (0, z) of two classes: softmax(0, z) = σ(z).

    Weights start as Xavier's, the bias at zero.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, 1)
        nn.init.xavier_uniform_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x: Tensor) -> Tensor:
        """`[n, dim]` to `[n, 2]`."""
        return F.pad(self.linear(x), (1, 0))


def weighted_loss(outputs: Tensor, y: Tensor, positive_weight: float = 1.0) -> Tensor:
    r"""Mean cross-entropy with actives weighted: :math:`-w y \log p - (1 - y) \log (1 - p)`.

    The mean is over molecules, not over weights. `outputs [n, 2]`, labels `[n]`.
    """
    logit = outputs[:, 1] - outputs[:, 0]
    weight = torch.tensor(positive_weight, dtype=logit.dtype, device=logit.device)
    return F.binary_cross_entropy_with_logits(logit, y.to(logit.dtype), pos_weight=weight)


class TwoClasses(MAML):
    """MAML on a network with a `LogitHead`: of two classes."""

    targets = (Classification,)


class ReleasedMAML(TwoClasses):
    r"""MAML as https://github.com/GSK-AI/meta-learning-qsar trains it.

    Three things are not what the paper says:

    - the inner loss, a mean over n molecules, is divided by n once more, so that the step size is
      :math:`\alpha / n` (.05 / 32 = .0016);
    - actives weigh as much as the mean *fraction* of actives in the training assays, in the inner
      and the outer loss (in `positive_weight`);
    - the meta-loss is the sum over tasks.

    The fourth is what it does to ANIL: the copy of the network that the inner loop moves has
    forgotten that it is ANIL's, and all parameters move, as in MAML.

    Parameters
    ----------
    network : nn.Module
        Molecules to outputs `[n, 2]`.
    positive_weight : float
        Weight of actives in the loss.
    """

    def __init__(self, network: nn.Module, positive_weight: float, **options: float | bool) -> None:
        super().__init__(network, **options)  # type: ignore[arg-type]
        self.positive_weight = positive_weight

    def inner_loss(self, target: Target, outputs: Tensor, y: Tensor) -> Tensor:
        """Divided by the number of molecules twice."""
        return weighted_loss(outputs, y, self.positive_weight) / len(y)

    def loss(self, episode: Episode) -> Tensor:
        """The weighted loss of the query after adapting."""
        outputs = self(episode.query.x, self.adapt(episode.support))
        return weighted_loss(outputs, episode.query.y, self.positive_weight)

    def meta_loss(self, episodes: Sequence[Episode]) -> Tensor:
        """The sum over tasks."""
        return torch.stack([self.loss(episode) for episode in episodes]).sum()


def maml(
    encoder: nn.Module,
    target: Target,
    compat: str = COMPAT[0],
    positive_weight: float = 1.0,
    **options: float | bool,
) -> TwoClasses:
    """MAML (or FOMAML, with `first_order`) on an encoder with a `LogitHead`.

    Nguyen et al., *Meta-Learning Initializations for Low-Resource Drug Discovery* (2020),
    https://arxiv.org/abs/2003.05996.

    Parameters
    ----------
    compat : str
        `corrected`, or `gsk2020` for `ReleasedMAML`, which alone reads `positive_weight`.

    Raises
    ------
    ConfigError
        The target has not two classes; or there is no such `compat`.
    """
    network = nn.Sequential(encoder, _head(encoder, target))
    if compat not in COMPAT:
        raise ConfigError(f"there is no compat '{compat}'; there is: {', '.join(COMPAT)}")
    if compat == "gsk2020":
        return ReleasedMAML(network, positive_weight, **options)
    return TwoClasses(network, **options)  # type: ignore[arg-type]


def anil(
    encoder: nn.Module,
    target: Target,
    compat: str = COMPAT[0],
    positive_weight: float = 1.0,
    **options: float | bool,
) -> Learner:
    """ANIL: the inner loop moves the `LogitHead` alone; with `gsk2020`, all, as released."""
    if compat != "corrected":
        return maml(encoder, target, compat, positive_weight, **options)
    return Embedded(encoder, TwoClasses(_head(encoder, target), **options))  # type: ignore[arg-type]


def _head(encoder: nn.Module, target: Target) -> LogitHead:
    if target != Classification(2):
        raise ConfigError(f"Nguyen et al.'s networks have one logit, for two classes; not {target}")
    return LogitHead(encoder.dim)  # type: ignore[arg-type]

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

QUIRKS = (
    "divided_twice",
    "weighted_training",
    "summed",
    "anil_moves_all",
    "weighted_fine_tuning",
    "selected_by_stopping_set",
)
COMPAT = ("corrected", "gsk2020", *QUIRKS)


def has_quirk(compat: str, quirk: str) -> bool:
    """Whether one of `QUIRKS` is there: by itself, or with all others (`gsk2020`)."""
    return compat in ("gsk2020", quirk)


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

    What is not as the paper says is in `QUIRKS`:

    - `divided_twice`: the inner loss, a mean over n molecules, is divided by n once more, so that
      the step size is :math:`\alpha / n` (.05 / 32 = .0016);
    - `weighted_training`: actives weigh as much as the mean *fraction* of actives in the training
      assays, in the inner and the outer loss;
    - `summed`: the meta-loss is the sum over tasks (which Adam, that trains it, does not see, but
      for its ε);
    - `anil_moves_all`: the copy of the network that the inner loop moves has forgotten that it is
      ANIL's, and all parameters move, as in MAML.

    The others are in how a trained network is used: in fine-tuning, actives weigh as many as there
    are inactives to each (`weighted_fine_tuning`), and what is trained is selected by the molecules
    that its fine-tuning is stopped by (`selected_by_stopping_set`).

    Parameters
    ----------
    network : nn.Module
        Molecules to outputs `[n, 2]`.
    compat : str
        `gsk2020` for all of them, or one.
    positive_weight : float
        Weight of actives in the loss, where it is weighted.
    """

    def __init__(
        self, network: nn.Module, compat: str, positive_weight: float, **options: float | bool
    ) -> None:
        super().__init__(network, **options)  # type: ignore[arg-type]
        self.compat = compat
        self.positive_weight = positive_weight if has_quirk(compat, "weighted_training") else 1.0

    def inner_loss(self, target: Target, outputs: Tensor, y: Tensor) -> Tensor:
        """Divided by the number of molecules, or by it twice."""
        loss = weighted_loss(outputs, y, self.positive_weight)
        return loss / len(y) if has_quirk(self.compat, "divided_twice") else loss

    def loss(self, episode: Episode) -> Tensor:
        """The weighted loss of the query after adapting."""
        outputs = self(episode.query.x, self.adapt(episode.support))
        return weighted_loss(outputs, episode.query.y, self.positive_weight)

    def meta_loss(self, episodes: Sequence[Episode]) -> Tensor:
        """The sum over tasks, or their mean."""
        losses = torch.stack([self.loss(episode) for episode in episodes])
        return losses.sum() if has_quirk(self.compat, "summed") else losses.mean()


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
        `corrected`, or what else is in `COMPAT` for `ReleasedMAML`, which alone reads
        `positive_weight`.

    Raises
    ------
    ConfigError
        The target has not two classes; or there is no such `compat`.
    """
    network = nn.Sequential(encoder, _head(encoder, target))
    return _learner(network, compat, positive_weight, **options)


def anil(
    encoder: nn.Module,
    target: Target,
    compat: str = COMPAT[0],
    positive_weight: float = 1.0,
    **options: float | bool,
) -> Learner:
    """ANIL: the inner loop moves the `LogitHead` alone; or all, as released."""
    if has_quirk(compat, "anil_moves_all"):
        return maml(encoder, target, compat, positive_weight, **options)
    return Embedded(encoder, _learner(_head(encoder, target), compat, positive_weight, **options))


def _learner(
    network: nn.Module, compat: str, positive_weight: float, **options: float | bool
) -> TwoClasses:
    if compat not in COMPAT:
        raise ConfigError(f"there is no compat '{compat}'; there is: {', '.join(COMPAT)}")
    if compat == "corrected":
        return TwoClasses(network, **options)  # type: ignore[arg-type]
    return ReleasedMAML(network, compat, positive_weight, **options)


def _head(encoder: nn.Module, target: Target) -> LogitHead:
    if target != Classification(2):
        raise ConfigError(f"Nguyen et al.'s networks have one logit, for two classes; not {target}")
    return LogitHead(encoder.dim)  # type: ignore[arg-type]

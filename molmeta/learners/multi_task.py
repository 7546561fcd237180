"""One network for all training assays at once, each with a head of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from molmeta.errors import ConfigError
from molmeta.learners.base import Embedded, Learner, State, label_scale, scaled
from molmeta.tasks import Episode, Examples, Inputs, Regression, cat

MOMENTUM = 0.05  # of the running variance of what is expected


class MultiTask(Learner):
    r"""Trains a learner's network by all assays at once, and its prior, if it has one, by theirs.

    Caruana: *Multitask Learning* (Machine Learning 1997). Assay t has the linear head
    :math:`(w_t, b_t)` on the network's vector h; the loss is the cross-entropy of its labels, or
    the squared error of its values on the scale of their mean and spread. In use the heads are
    gone; their mean, :math:`\bar w \cdot h + \bar b`, is what is expected of an unknown assay.

    Parameters
    ----------
    model : Learner
        What is used afterwards.
    network : nn.Module
        The part of it that is trained: an encoder, inputs to vectors `[n, dim]`.
    names : sequence of str
        The training assays.
    prior : nn.Linear, optional
        The part of it, on the network's vector, that becomes the mean of the heads.
    """

    def __init__(
        self,
        model: Learner,
        network: nn.Module,
        names: Sequence[str],
        prior: nn.Linear | None = None,
    ) -> None:
        super().__init__()
        self.model, self.network, self.prior = model, network, prior
        self.number = {name: t for t, name in enumerate(names)}
        self.heads = nn.Linear(network.dim, len(names))  # type: ignore[arg-type]
        self.targets = model.targets  # type: ignore[misc]
        self.register_buffer("variance", torch.ones(()))  # of the heads' mean, in recent batches

    def meta_loss(self, episodes: Sequence[Episode]) -> Tensor:
        """Mean over the episodes' assays; support and query are alike here."""
        parts = [part for e in episodes for part in (e.support, e.query)]
        h = self.network(cat([part.x for part in parts]))
        self._watch(h.detach())
        sizes = [len(e.support) + len(e.query) for e in episodes]
        losses = [self._loss(e, rows) for e, rows in zip(episodes, h.split(sizes), strict=True)]
        return torch.stack(losses).mean()

    @torch.no_grad()
    def _watch(self, h: Tensor) -> None:
        if self.prior is None:
            return
        expected = h @ self.heads.weight.mean(dim=0)
        self.variance.lerp_(expected.var(), MOMENTUM)  # type: ignore[operator]

    def _loss(self, episode: Episode, h: Tensor) -> Tensor:
        t = self.number[episode.task]
        outputs = h @ self.heads.weight[t] + self.heads.bias[t]
        y = torch.cat([episode.support.y, episode.query.y])
        if isinstance(episode.target, Regression):
            both = Examples(h, y, episode.target)
            return F.mse_loss(outputs, scaled(y, label_scale(both)))
        return F.binary_cross_entropy_with_logits(outputs, y.to(outputs.dtype))

    def for_use(self) -> Learner:
        """The model; the mean of the heads is its prior, of spread one."""
        if self.prior is not None:
            deviation = self.variance.sqrt()  # type: ignore[operator]
            with torch.no_grad():
                self.prior.weight.copy_(self.heads.weight.mean(dim=0, keepdim=True) / deviation)
        return self.model

    def adapt(self, support: Examples) -> State:
        """As the model."""
        return self.for_use().adapt(support)

    def forward(self, x: Inputs, state: State) -> Tensor:
        """As the model."""
        return self.model(x, state)


class PreTrained(Embedded):
    """A learner on the vectors of an encoder that `MultiTask` trains, and that then stays."""

    def for_training(self, names: Sequence[str]) -> Learner:
        """All assays at once."""
        return MultiTask(self, self.encoder, names)


@dataclass(frozen=True)
class LabelledMolecules:
    """Part of a batch of molecules, with every label that they have in the training assays.

    Attributes
    ----------
    x : Inputs
        n molecules.
    row, task, y : Tensor
        `[m]`: label y of molecule `row` in assay `task`.
    value : Tensor
        `[m]`: the measured value behind the label, on the scale of its assay's mean and spread;
        NaN where there is none.
    mean_labels : float
        Labels of the whole batch, over the number of its parts.
    """

    x: Inputs
    row: Tensor
    task: Tensor
    y: Tensor
    value: Tensor
    mean_labels: float

    def to(self, device: torch.device) -> LabelledMolecules:
        """Labels on a device; molecules move when they are collated."""
        names = ("row", "task", "y", "value")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})


class MultiTaskByMolecule(MultiTask):
    r"""Multi-task training as Nguyen et al. (2020) do it: batches of molecules, not of assays.

    The loss is the mean cross-entropy over all labels of a batch, so that an assay counts as much
    as it has measurements; and, with a weight w, the squared error of the values v behind them, for
    which an assay has a second head:

    .. math:: \frac{1}{|B|} \sum_{(i,t) \in B} \mathrm{CE}(y_{it}) + w\, (\hat v_{it} - v_{it})^2

    Heads start as Xavier's.

    Parameters
    ----------
    model, network, names, prior
        As for `MultiTask`.
    values_weight : float
        w.
    """

    def __init__(
        self,
        model: Learner,
        network: nn.Module,
        names: Sequence[str],
        prior: nn.Linear | None = None,
        values_weight: float = 0.0,
    ) -> None:
        super().__init__(model, network, names, prior)
        self.values_weight = values_weight
        nn.init.xavier_uniform_(self.heads.weight)
        nn.init.zeros_(self.heads.bias)
        if values_weight:
            self.value_heads = nn.Linear(network.dim, len(names))  # type: ignore[arg-type]
            nn.init.xavier_uniform_(self.value_heads.weight)
            nn.init.zeros_(self.value_heads.bias)

    @classmethod
    def of(cls, learner: Learner, values_weight: float) -> MultiTaskByMolecule:
        """What trains by molecules in place of a `MultiTask`, which trains by assays.

        Raises
        ------
        ConfigError
            The learner is trained by episodes, and not by all assays at once.
        """
        if not isinstance(learner, MultiTask):
            raise ConfigError(
                f"batches of molecules (batch_size in [episodes]) train one network for all assays "
                f"at once; {type(learner).__name__} is trained by episodes: give it support_sizes "
                "and query_size, or an encoder_from that is trained so"
            )
        return cls(
            learner.model, learner.network, list(learner.number), learner.prior, values_weight
        )

    def meta_loss(self, episodes: Sequence[LabelledMolecules]) -> Tensor:
        """Over the labels of these parts of a batch; the mean over all parts is the batch's."""
        h = self.network(cat([part.x for part in episodes]))
        self._watch(h.detach())
        starts = accumulate((len(part.x) for part in episodes), initial=0)
        row = torch.cat([part.row + k for k, part in zip(starts, episodes, strict=False)])
        task, y, value = (
            torch.cat([getattr(part, name) for part in episodes]) for name in ("task", "y", "value")
        )
        outputs = _at(self.heads, h, row, task)
        loss = F.binary_cross_entropy_with_logits(outputs, y.to(outputs.dtype), reduction="sum")
        if self.values_weight:
            known = torch.isfinite(value)
            found = _at(self.value_heads, h, row[known], task[known])
            loss = loss + self.values_weight * (found - value[known]).square().sum()
        return loss / (episodes[0].mean_labels * len(episodes))


def _at(heads: nn.Linear, h: Tensor, row: Tensor, task: Tensor) -> Tensor:
    """Outputs of single molecules in single assays: `[m]`."""
    return (h[row] * heads.weight[task]).sum(dim=1) + heads.bias[task]

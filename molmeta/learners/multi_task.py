"""One network for all training assays at once, each with a head of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import Tensor, nn

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
    mean_labels : float
        Labels of the whole batch, over the number of its parts.
    """

    x: Inputs
    row: Tensor
    task: Tensor
    y: Tensor
    mean_labels: float

    def to(self, device: torch.device) -> LabelledMolecules:
        """Labels on a device; molecules move when they are collated."""
        return replace(
            self, row=self.row.to(device), task=self.task.to(device), y=self.y.to(device)
        )


class MultiTaskByMolecule(MultiTask):
    r"""Multi-task training as Nguyen et al. (2020) do it: batches of molecules, not of assays.

    The loss is the mean cross-entropy over all labels of a batch, so that an assay counts as much
    as it has measurements. Heads start as Xavier's.
    """

    def __init__(self, model: Learner, network: nn.Module, names: Sequence[str]) -> None:
        super().__init__(model, network, names)
        nn.init.xavier_uniform_(self.heads.weight)
        nn.init.zeros_(self.heads.bias)

    def meta_loss(self, episodes: Sequence[LabelledMolecules]) -> Tensor:
        """Over the labels of these parts of a batch; the mean over all parts is the batch's."""
        h = self.network(cat([part.x for part in episodes]))
        starts = accumulate((len(part.x) for part in episodes), initial=0)
        losses = [self._sum(h[start:], part) for start, part in zip(starts, episodes, strict=False)]
        return torch.stack(losses).sum() / (episodes[0].mean_labels * len(episodes))

    def _sum(self, h: Tensor, part: LabelledMolecules) -> Tensor:
        outputs = (h[part.row] * self.heads.weight[part.task]).sum(dim=1)
        outputs = outputs + self.heads.bias[part.task]
        return F.binary_cross_entropy_with_logits(
            outputs, part.y.to(outputs.dtype), reduction="sum"
        )

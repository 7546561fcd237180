"""A learner is p(y | x, S): `state = learner.adapt(support)`, then `learner(x, state)`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from molmeta.episode import Episode, Examples, Inputs, cat
from molmeta.errors import UnsupportedTarget

State = dict[str, Tensor]


class Learner(nn.Module):
    """Learns a new task from its support set.

    Attributes
    ----------
    targets : tuple of type
        The kinds of target that it can honestly predict; others are refused by name.
    class_symmetric : bool
        Relabelling the classes of the support permutes the output columns.
    """

    targets: ClassVar[tuple[type, ...]]
    class_symmetric: ClassVar[bool] = True

    @property
    def device(self) -> torch.device:
        """Where the parameters are (the CPU if there are none)."""
        return next((p.device for p in self.parameters()), torch.device("cpu"))

    @abstractmethod
    def adapt(self, support: Examples) -> State:
        """What the learner knows of a task after seeing its support: plain tensors.

        Pure (no attribute is written) and differentiable; works inside `torch.no_grad`.
        Implementations call `self.check(support)` first.
        """

    @abstractmethod
    def forward(self, x: Inputs, state: State) -> Tensor:
        """Outputs `[n, target.width]` for `n` inputs."""

    def loss(self, episode: Episode) -> Tensor:
        """The training loss of one task: by default that of the query after adapting."""
        outputs = self(episode.query.x, self.adapt(episode.support))
        return episode.target.loss(outputs, episode.query.y)

    def meta_loss(self, episodes: Sequence[Episode]) -> Tensor:
        """Mean of `loss` over a meta-batch."""
        return torch.stack([self.loss(episode) for episode in episodes]).mean()

    def check(self, support: Examples) -> None:
        """Refuse a target that this learner cannot predict, and a support without a class.

        Raises
        ------
        UnsupportedTarget, OneClassSupport
        """
        if not isinstance(support.target, self.targets):
            able = " or ".join(target.kind for target in self.targets)
            raise UnsupportedTarget(
                f"{type(self).__name__} predicts {able}, not {support.target.kind}; "
                + self.advice(support)
            )
        support.require_all_classes(f"support given to {type(self).__name__}")

    @staticmethod
    def advice(support: Examples) -> str:
        """What to do about a target that is not supported."""
        if support.target.kind == "regression":
            return "give a threshold to make the measurements active or inactive"
        return "keep the measured values, without a threshold"


class Embedded(Learner):
    """A learner on the vectors of an encoder.

    ProtoNet is `Embedded(gnn, Prototypical())`; ANIL is `Embedded(gnn, MAML(head))`.

    Parameters
    ----------
    encoder : nn.Module
        Inputs to vectors `[n, dim]`.
    learner : Learner
        Works on the vectors.
    """

    def __init__(self, encoder: nn.Module, learner: Learner) -> None:
        super().__init__()
        self.encoder = encoder
        self.learner = learner
        self.targets = learner.targets  # type: ignore[misc]
        self.class_symmetric = learner.class_symmetric  # type: ignore[misc]

    def adapt(self, support: Examples) -> State:
        """Encode the support and adapt the inner learner to it."""
        self.learner.check(support)
        return self.learner.adapt(replace(support, x=self.encoder(support.x)))

    def forward(self, x: Inputs, state: State) -> Tensor:
        """Encode and predict."""
        return self.learner(self.encoder(x), state)

    def loss(self, episode: Episode) -> Tensor:
        """The inner learner's loss on encoded inputs."""
        return self.meta_loss([episode])

    def meta_loss(self, episodes: Sequence[Episode]) -> Tensor:
        """All inputs of a meta-batch through the encoder in one pass, then the inner learner."""
        sets = [part for episode in episodes for part in (episode.support, episode.query)]
        vectors = self.encoder(cat([part.x for part in sets])).split([len(part) for part in sets])
        encoded = [replace(part, x=rows) for part, rows in zip(sets, vectors, strict=True)]
        return self.learner.meta_loss(
            [
                replace(episode, support=encoded[2 * i], query=encoded[2 * i + 1])
                for i, episode in enumerate(episodes)
            ]
        )

"""A learner is p(y | x, S): `state = learner.adapt(support)`, then `learner(x, state)`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from molmeta.errors import ConfigError, UnsupportedTarget
from molmeta.tasks import Episode, Examples, Inputs, Regression, Target, cat

State = dict[str, Tensor]


class Learner(nn.Module):
    """Learns a new task from its support set.

    Attributes
    ----------
    targets : tuple of type
        The kinds of target that it can honestly predict; others are refused by name.
    class_symmetric : bool
        Relabelling the classes of the support permutes the output columns.
    ordered : bool
        The order of the support matters.
    trains_inputs : bool
        Its `meta_loss` has a gradient for the inputs, so that it can train an encoder below it.
    reads_bounds : bool
        It knows what to do with values that are upper or lower bounds; others refuse them.
    serves_all_targets : bool
        Its weights are of no kind of target: trained for one, it adapts to any of `targets`.
    described_by : str, optional
        The support is one description a class, of this kind (the name of a text encoder, or
        `attributes`), in place of measurements.
    """

    targets: ClassVar[tuple[type, ...]]
    class_symmetric: ClassVar[bool] = True
    ordered: ClassVar[bool] = False
    trains_inputs: ClassVar[bool] = True
    reads_bounds: ClassVar[bool] = False
    serves_all_targets: ClassVar[bool] = False
    described_by: str | None = None

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

    def for_tasks(self, x: Inputs, states: Sequence[State]) -> Sequence[Tensor]:
        """Outputs for each of many tasks, `len(states)` times `[n, target.width]`.

        Those of a row may be shifted, all classes alike, which no probability shows.
        """
        return [self(x, state) for state in states]

    def ranking(self, states: Sequence[State], target: Target) -> Callable[[Inputs], Tensor]:
        """The function that ranks inputs by many tasks of a target: `[n, len(states)]`.

        What depends on the tasks alone may be computed once, for all inputs to come.
        """

        def rank(x: Inputs) -> Tensor:
            scores = target.score(torch.cat(list(self.for_tasks(x, states))))
            return scores.view(len(states), -1).T

        return rank

    def with_parts(self, **parts: nn.Module) -> Self:
        """A copy that has other modules under these names, and shares all else."""
        one = copy(self)
        one._modules = {**self._modules, **parts}
        return one

    def knowing(self, earlier: Sequence[Examples]) -> Learner:
        """What learns from earlier assays of the same project beside each support.

        Raises
        ------
        ConfigError
            It has no use for them.
        """
        raise ConfigError(
            f"{type(self).__name__} learns from one assay alone; earlier ones are of use to the "
            "model 'default', and to gaussian_process"
        )

    def among(self, x: Tensor) -> tuple[Learner, Tensor]:
        """What does the same on these rows alone, and the rows as it reads them.

        For many episodes of one assay: what depends on no support is computed once. By default
        nothing does.
        """
        return self, x

    def loss(self, episode: Episode) -> Tensor:
        """The training loss of one task: by default that of the query after adapting."""
        outputs = self(episode.query.x, self.adapt(episode.support))
        return episode.target.loss(outputs, episode.query.y)

    def meta_loss(self, episodes: Sequence[Episode]) -> Tensor:
        """Mean of `loss` over a meta-batch."""
        return torch.stack([self.loss(episode) for episode in episodes]).mean()

    def for_training(self, names: Sequence[str]) -> Learner:
        """What is trained in its place on the assays of these names: by default itself."""
        return self

    def for_use(self) -> Learner:
        """What was trained: by default itself."""
        return self

    def check(self, support: Examples) -> None:
        """Refuse a target that this learner cannot predict, bounds, and a support without a class.

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
        if support.censored and not self.reads_bounds:
            raise UnsupportedTarget(
                f"{type(self).__name__} reads no bounds (censored values); take them as values "
                "(censor=None), or give them to gaussian_process or prior_mean"
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
    support_encoder : nn.Module, optional
        Encodes the support, where it is not of the query's kind: descriptions of the classes,
        `[n_way, width]` to `[n_way, dim]`. Its `kind` says which.

    Raises
    ------
    ConfigError
        The learner would leave the encoder untrained.
    """

    def __init__(
        self, encoder: nn.Module, learner: Learner, support_encoder: nn.Module | None = None
    ) -> None:
        super().__init__()
        trained = any(p.requires_grad for p in encoder.parameters())
        if not learner.trains_inputs and trained:
            raise ConfigError(
                f"{type(learner).__name__} on the vectors of an encoder would leave the encoder "
                "untrained; give it the whole network instead, encoder and head"
            )
        self.encoder = encoder
        self.learner = learner
        self.support_encoder = support_encoder
        self.targets = learner.targets  # type: ignore[misc]
        self.class_symmetric = learner.class_symmetric  # type: ignore[misc]
        self.ordered = learner.ordered  # type: ignore[misc]
        self.reads_bounds = learner.reads_bounds  # type: ignore[misc]
        self.serves_all_targets = learner.serves_all_targets  # type: ignore[misc]
        self.described_by = support_encoder.kind if support_encoder else None  # type: ignore[assignment]

    def adapt(self, support: Examples) -> State:
        """Encode the support and adapt the inner learner to it."""
        self.learner.check(support)
        encode = self.support_encoder or self.encoder
        return self.learner.adapt(replace(support, x=encode(support.x)))

    def knowing(self, earlier: Sequence[Examples]) -> Learner:
        """The inner learner's way, on encoded molecules."""
        return self.with_parts(learner=self.learner.knowing(_encode(self.encoder, earlier)))

    def forward(self, x: Inputs, state: State) -> Tensor:
        """Encode and predict."""
        return self.learner(self.encoder(x), state)

    def for_tasks(self, x: Inputs, states: Sequence[State]) -> Sequence[Tensor]:
        """Encode once, and predict for each of many tasks."""
        return self.learner.for_tasks(self.encoder(x), states)

    def loss(self, episode: Episode) -> Tensor:
        """The inner learner's loss on encoded inputs."""
        return self.meta_loss([episode])

    def meta_loss(self, episodes: Sequence[Episode]) -> Tensor:
        """All inputs of a meta-batch through the encoder in one pass, then the inner learner."""
        supports, queries = ([getattr(e, part) for e in episodes] for part in ("support", "query"))
        if self.support_encoder is None:
            encoded = _encode(self.encoder, supports + queries)
        else:
            encoded = _encode(self.support_encoder, supports) + _encode(self.encoder, queries)
        return self.learner.meta_loss(
            [
                replace(episode, support=support, query=query)
                for episode, support, query in zip(
                    episodes, encoded[: len(episodes)], encoded[len(episodes) :], strict=True
                )
            ]
        )


def _encode(encoder: nn.Module, sets: Sequence[Examples]) -> list[Examples]:
    """Sets of examples with vectors in place of inputs, in one pass."""
    vectors = encoder(cat([part.x for part in sets])).split([len(part) for part in sets])
    return [replace(part, x=rows) for part, rows in zip(sets, vectors, strict=True)]


def label_scale(support: Examples) -> State:
    """`label.mean` and `label.spread` of a regression's support; nothing for classes."""
    if not isinstance(support.target, Regression):
        return {}
    mean, spread = support.target.scale(support.y)
    return {"label.mean": mean, "label.spread": spread}


def scaled(y: Tensor, scale: State) -> Tensor:
    """Labels `[n]` on the support's scale."""
    return (y - scale["label.mean"]) / scale["label.spread"] if scale else y


def unscaled(outputs: Tensor, state: State) -> Tensor:
    """Outputs for scaled labels, in the labels' own unit; those for classes as they are."""
    if "label.mean" not in state:
        return outputs
    return Regression().unscale(outputs, state["label.mean"], state["label.spread"])

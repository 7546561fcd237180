"""A trained model, and the model adapted to an assay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from molmeta.device import one_thread
from molmeta.errors import MolmetaError, OneClassSupport, TooFewMeasurements
from molmeta.learners import Embedded, Learner, State
from molmeta.models.config import Experiment
from molmeta.molecules import Molecules
from molmeta.tasks import Assay, Target, described

CHUNK = 1024  # molecules that are encoded at once
CHECKED = 32  # measured molecules whose outputs must be finite
HEADS = 64  # assays whose outputs for them are computed at once


@dataclass(frozen=True, repr=False)
class BaseModel:
    """A meta-trained learner with what it was built and trained by.

    Attributes
    ----------
    learner : Learner
        In evaluation mode.
    experiment : Experiment
        The resolved configuration, with the standardisation policy.
    sha256 : str
        Of the weights: what an adapted assay refers to.
    """

    learner: Learner
    experiment: Experiment
    sha256: str

    def __repr__(self) -> str:
        """Its name; a network and an experiment would be pages."""
        return f"BaseModel({self.experiment.name!r})"

    @property
    def blocks(self) -> tuple[str, ...]:
        """The feature blocks that its encoder reads, where there is one that tells."""
        return tuple(getattr(getattr(self.learner, "encoder", None), "blocks", ()))

    def readable(self, assay: Assay) -> Assay:
        """The assay as the learner reads it: bounds as values, where it knows no better."""
        bounded = assay.censor is not None and not self.learner.reads_bounds
        return replace(assay, censor=None) if bounded else assay

    def knowing(self, earlier: Sequence[Assay]) -> BaseModel:
        """The model with earlier assays of the same project beside each that it adapts to.

        Raises
        ------
        ConfigError
            The learner has no use for them.
        """
        if not earlier:
            return self
        known = [self.readable(one).examples().to(self.learner.device) for one in earlier]
        with torch.no_grad():
            return replace(self, learner=self.learner.knowing(known))

    def adapt(self, assay: Assay) -> AdaptedAssay:
        """Adapt to the measurements of one assay, without changing the model.

        A zero-shot model reads the assay's description (`info`) and no measurement.

        Raises
        ------
        UnsupportedTarget, OneClassSupport, TooFewMeasurements
        """
        described_by = self.learner.described_by
        if len(assay) < 2 and described_by is None:
            raise TooFewMeasurements(
                f"assay {assay.name} has {len(assay)} usable measurements; 2 are the least, and 16 "
                "or more are of use"
            )
        if described_by is None:
            refuse_constant(assay)
        assay = replace(assay, molecules=assay.molecules.alone_if_few())
        support = described(assay, described_by) if described_by else assay.examples()
        support = support.to(self.learner.device)
        built_for = self.experiment.model.target["kind"]
        fits = built_for == assay.target.kind or self.learner.serves_all_targets
        if not fits and list(self.learner.parameters()):
            raise MolmetaError(
                f"the model '{self.experiment.name}' was trained for {built_for}, the assay "
                f"{assay.name} is a {assay.target.kind}; {self.learner.advice(support)}"
            )
        with torch.no_grad(), one_thread():
            state = self.learner.adapt(support)
            known = [] if described_by else [self.learner(support.x[:CHECKED], state)]
        if not all(bool(torch.isfinite(t).all()) for t in (*state.values(), *known)):
            raise MolmetaError(
                f"the model '{self.experiment.name}' diverged on assay {assay.name}: its step "
                "sizes are too large for these values; train it on such assays, or take another "
                "model"
            )
        counts = {"measurements": len(assay)}
        if assay.target.kind == "classification":
            actives = int(assay.active.sum())
            counts |= {"active": actives, "inactive": len(assay) - actives}
        if "relation" in state:
            counts["of earlier assays"] = len(state["relation"]) - len(assay)
        return AdaptedAssay(assay.name, state, assay.target, self, counts, dict(assay.info))


def refuse_constant(assay: Assay) -> None:
    """Refuse measured values that are all equal.

    Raises
    ------
    OneClassSupport
        They are.
    """
    bounded = assay.censor is not None and len(np.unique(assay.censor)) > 1
    if assay.target.kind == "regression" and len(assay) > 1 and not bounded:
        if len(np.unique(assay.values)) == 1:
            raise OneClassSupport(
                f"assay {assay.name}: all {len(assay)} values are {assay.values[0]:g}, so there is "
                "nothing to learn; is this the right column?"
            )


@dataclass(frozen=True)
class AdaptedAssay:
    """A base model adapted to one assay.

    Attributes
    ----------
    name : str
        The assay.
    state : dict of Tensor
        What the learner knows of it.
    target : Target
        What is predicted.
    base : BaseModel
        The model that made the state and reads it.
    counts : dict
        Number of support measurements, in all and by class, and those of earlier assays.
    info : dict
        Whatever else is known of the assay, such as what "active" means.
    """

    name: str
    state: State
    target: Target
    base: BaseModel
    counts: dict[str, int]
    info: dict[str, str]

    def predict(self, molecules: Molecules) -> np.ndarray:
        """What molecules are ranked by, `[n]`: p(active), or the predicted value."""
        return score_assays([self], molecules)[:, 0]

    def outputs(self, molecules: Molecules) -> np.ndarray:
        """The learner's outputs: scores of the classes, or mean and log-variance, `[n, width]`."""
        learner, chunks = self.base.learner, range(0, len(molecules), CHUNK)
        with torch.no_grad():
            parts = [learner(molecules[start : start + CHUNK], self.state) for start in chunks]
        empty = np.empty((0, self.target.width))
        return torch.cat(parts).double().cpu().numpy() if parts else empty


def check_together(assays: Sequence[AdaptedAssay]) -> None:
    """Raise `MolmetaError`, if assays are not of one model, or not all classes or all values."""
    if any(assay.base is not assays[0].base for assay in assays):
        raise MolmetaError("the assays were adapted from different models; screen them one by one")
    if len(kinds := {assay.target.kind for assay in assays}) > 1:
        raise MolmetaError(
            f"some assays are a {' and others a '.join(sorted(kinds))}; screen apart"
        )


class Panel:
    """Assays that molecules are scored by together; what they need alone is computed once.

    Parameters
    ----------
    assays : sequence of AdaptedAssay

    Raises
    ------
    MolmetaError
        The assays are not of one base model.
    """

    def __init__(self, assays: Sequence[AdaptedAssay]) -> None:
        check_together(assays)
        self.assays, head, target = assays, assays[0].base.learner, assays[0].target
        self.blocks = assays[0].base.blocks
        self._encoder: nn.Module | None = None
        if isinstance(head, Embedded):
            self._encoder, head = head.encoder, head.learner
        some = [assays[first : first + HEADS] for first in range(0, len(assays), HEADS)]
        self._head, self._states = head, [assay.state for assay in assays]
        self._ranking = [head.ranking([assay.state for assay in part], target) for part in some]

    def score(self, molecules: Molecules) -> np.ndarray:
        """Scores `[n, assays]`; each molecule is encoded once."""
        (scores,) = self._of_each(molecules, self._ranked)
        return scores.reshape(len(molecules), len(self.assays))

    def score_and_outputs(self, molecules: Molecules) -> tuple[np.ndarray, np.ndarray]:
        """Scores, and the learner's outputs `[n, assays, width]`; each molecule is encoded once."""
        scores, outputs = self._of_each(molecules, self._ranked, self._predicted)
        shape = (len(molecules), len(self.assays))
        return scores.reshape(shape), outputs.reshape(*shape, self.assays[0].target.width)

    def _of_each(
        self, molecules: Molecules, *functions: Callable[[Molecules | Tensor], Tensor]
    ) -> list[np.ndarray]:
        """What functions tell of encoded molecules, which are encoded chunk by chunk."""
        molecules = molecules.alone_if_few()
        found: list[list[np.ndarray]] = [[np.empty(0)] for _ in functions]
        with torch.no_grad():
            for start in range(0, len(molecules), CHUNK):
                x = self._encoded(molecules[start : start + CHUNK])
                for parts, function in zip(found, functions, strict=True):
                    parts.append(function(x).double().cpu().numpy().ravel())
        return [np.concatenate(parts) for parts in found]

    def _ranked(self, x: Molecules | Tensor) -> Tensor:
        return torch.cat([rank(x) for rank in self._ranking], dim=1)

    def _predicted(self, x: Molecules | Tensor) -> Tensor:
        return torch.stack(list(self._head.for_tasks(x, self._states)), dim=1)

    def _encoded(self, x: Molecules) -> Molecules | Tensor:
        """What is ranked; the blocks that the encoder reads are computed in one pass."""
        if self._encoder is None:
            return x
        if self.blocks:
            x.compute(*self.blocks)
        return self._encoder(x)


def score_assays(assays: Sequence[AdaptedAssay], molecules: Molecules) -> np.ndarray:
    """Scores `[n, assays]` of a `Panel`."""
    return Panel(assays).score(molecules)


def encode_all(encoder: nn.Module, molecules: Molecules) -> Tensor:
    """The vectors of a frozen encoder, chunk by chunk: `[n, dim]`."""
    starts = range(0, len(molecules), CHUNK)
    with torch.no_grad():
        return torch.cat([encoder(molecules[start : start + CHUNK]) for start in starts])

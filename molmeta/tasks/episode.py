"""A task is data: labelled examples and episodes, validated here and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from molmeta.errors import MolmetaError, OneClassSupport
from molmeta.tasks.targets import Classification, Target

Inputs = Any  # a Tensor (vectors, images) or `molmeta.molecules.Molecules`: len, x[index], cat


@dataclass(frozen=True)
class Examples:
    """Inputs with labels.

    Attributes
    ----------
    x : Inputs
        A tensor `[n, ...]` or `Molecules`.
    y : Tensor
        `[n]`: long class indices, or floats for a regression.
    target : Target
        What the labels mean.
    censor : Tensor, optional
        `[n]` in {−1, 0, 1}: the value is an upper bound, exact, or a lower bound.
    """

    x: Inputs
    y: Tensor
    target: Target
    censor: Tensor | None = None

    def __post_init__(self) -> None:
        if self.y.ndim != 1 or len(self.x) != len(self.y):
            raise MolmetaError(
                f"{len(self.x)} inputs have labels of shape {tuple(self.y.shape)}; "
                f"give one label an input, shape [{len(self.x)}]"
            )
        if isinstance(self.target, Classification):
            _check_classes(self.y, self.target.n_way)
        elif not self.y.is_floating_point() or not bool(torch.isfinite(self.y).all()):
            raise MolmetaError(
                f"regression labels must be finite floats; found {self.y.dtype} with "
                f"{int((~torch.isfinite(self.y.float())).sum())} values that are not finite"
            )
        if self.censor is not None:
            _check_censor(self.censor, self.y, self.target)

    def __len__(self) -> int:
        return len(self.y)

    def to(self, device: torch.device) -> Examples:
        """The labels (and a tensor `x`) on a device; molecules move when they are collated."""
        x = self.x.to(device) if isinstance(self.x, Tensor) else self.x
        censor = None if self.censor is None else self.censor.to(device)
        return replace(self, x=x, y=self.y.to(device), censor=censor)

    @property
    def censored(self) -> bool:
        """Whether a value is a bound."""
        return self.censor is not None and bool((self.censor != 0).any())

    def require_all_classes(self, whose: str) -> None:
        """Raise `OneClassSupport` if a class of the target has no example here."""
        if not isinstance(self.target, Classification):
            return
        counts = torch.bincount(self.y, minlength=self.target.n_way).tolist()
        missing = [str(c) for c, count in enumerate(counts) if count == 0]
        if missing:
            raise OneClassSupport(
                f"{whose}: {len(self)} labelled examples, none of class {', '.join(missing)}; "
                "add at least one measurement of each class, or choose another threshold"
            )


def _check_classes(y: Tensor, n_way: int) -> None:
    if y.dtype != torch.long:
        raise MolmetaError(f"class labels must be long integers; found {y.dtype}: use y.long()")
    if len(y) and not 0 <= int(y.min()) <= int(y.max()) < n_way:
        raise MolmetaError(
            f"class labels must lie in 0..{n_way - 1}; found {int(y.min())}..{int(y.max())}"
        )


def _check_censor(censor: Tensor, y: Tensor, target: Target) -> None:
    if censor.shape != y.shape:
        raise MolmetaError(f"censor has shape {tuple(censor.shape)}, labels {tuple(y.shape)}")
    if not bool(torch.isin(censor, torch.tensor([-1, 0, 1], device=censor.device)).all()):
        raise MolmetaError(
            "censor is -1 (the value is an upper bound), 0 (exact) or 1 (a lower bound); found "
            f"{sorted(set(censor.tolist()))[:5]}"
        )
    if isinstance(target, Classification) and bool((censor != 0).any()):
        raise MolmetaError("classes have no bounds; give censor with measured values alone")


@dataclass(frozen=True)
class Episode:
    """One few-shot task: learn from `support`, be judged on `query`."""

    support: Examples
    query: Examples
    task: str = "task"

    def __post_init__(self) -> None:
        if self.support.target != self.query.target:
            raise MolmetaError(
                f"{self.task}: support is {self.support.target}, query is {self.query.target}"
            )
        self.support.require_all_classes(f"support of {self.task}")

    @property
    def target(self) -> Target:
        """What the labels of both sets mean."""
        return self.support.target

    def to(self, device: torch.device) -> Episode:
        """Both sets on a device."""
        return replace(self, support=self.support.to(device), query=self.query.to(device))


def cat(parts: Sequence[Inputs]) -> Inputs:
    """Concatenate inputs of one kind: tensors along rows, or molecules."""
    first = parts[0]
    return torch.cat(list(parts)) if isinstance(first, Tensor) else first.cat(parts)

"""A task is data: targets, labelled examples and episodes, validated here and nowhere else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from molmeta.errors import MolmetaError, OneClassSupport

Inputs = Any  # a Tensor (vectors, images) or `molmeta.molecules.Molecules`: len, x[index], cat


@dataclass(frozen=True)
class Classification:
    """`n_way` exclusive classes; a binary assay has two (0 inactive, 1 active).

    A learner's outputs are scores `[n, n_way]` whose softmax is p(y | x, S).
    """

    n_way: int = 2
    kind: ClassVar[str] = "classification"

    def __post_init__(self) -> None:
        if self.n_way < 2:
            raise MolmetaError(f"n_way is {self.n_way}; a classification needs at least 2 classes")

    @property
    def width(self) -> int:
        """Number of output columns."""
        return self.n_way

    def encode(self, y: Tensor) -> Tensor:
        """Labels `[n]` as one-hot rows `[n, n_way]`."""
        return F.one_hot(y, self.n_way).to(torch.get_default_dtype())

    def loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Mean cross-entropy of outputs `[n, n_way]` against labels `[n]`."""
        return F.cross_entropy(outputs, y)

    def inner_loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """What a few large gradient steps can go down: the loss itself."""
        return self.loss(outputs, y)

    def score(self, outputs: Tensor) -> Tensor:
        """What molecules are ranked by, `[n]`: the probability of the last class (active)."""
        return outputs.softmax(dim=1)[:, -1]

    def active(self, y: np.ndarray) -> np.ndarray:
        """0/1 of labels `[n]`: class 1."""
        return (y == 1).astype(np.int64)


@dataclass(frozen=True)
class Regression:
    """A real value. Outputs are `[n, 2]`: mean and log-variance, in the unit of the labels.

    `threshold` says what counts as active where a ranking is scored by ΔAUPRC.
    """

    threshold: float | None = None
    kind: ClassVar[str] = "regression"

    @property
    def width(self) -> int:
        """Number of output columns."""
        return 2

    def encode(self, y: Tensor) -> Tensor:
        """Labels `[n]` as one column `[n, 1]`."""
        return y.unsqueeze(1)

    def loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Mean Gaussian negative log-likelihood, without its constant.

        ½ mean[log σ² + (y − μ)² / σ²] for outputs `[n, 2]` = (μ, log σ²).
        """
        mean, log_var = outputs.unbind(dim=1)
        return 0.5 * (log_var + (y - mean).square() * torch.exp(-log_var)).mean()

    def inner_loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """What a few large gradient steps can go down.

        ½ mean[(y − μ)² + log σ² + e² / σ²] with e = y − μ held constant: the likelihood's own
        gradient for μ grows with 1/σ², and steps that overshoot feed on it (Seitzer et al. 2022).
        """
        mean, log_var = outputs.unbind(dim=1)
        squared = (y - mean).square()
        return 0.5 * (squared + log_var + squared.detach() * torch.exp(-log_var)).mean()

    def score(self, outputs: Tensor) -> Tensor:
        """What molecules are ranked by, `[n]`: the predicted mean."""
        return outputs[:, 0]

    def active(self, y: np.ndarray) -> np.ndarray:
        """0/1 of values `[n]`: at or above the threshold, or their median where there is none."""
        cut = float(np.median(y)) if self.threshold is None else self.threshold
        return (y >= cut).astype(np.int64)

    def scale(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the support labels; the latter is 1 if they are equal."""
        spread = y.std(unbiased=False)
        return y.mean(), torch.where(spread > 1e-6, spread, torch.ones_like(spread))

    def unscale(self, outputs: Tensor, mean: Tensor, spread: Tensor) -> Tensor:
        """Outputs for scaled labels `[n, 2]`, turned into the labels' own unit."""
        shift = torch.stack([mean, 2 * spread.log()])
        return outputs * torch.stack([spread, torch.ones_like(spread)]) + shift


Target = Classification | Regression


def target_from_dict(spec: dict[str, Any]) -> Target:
    """The inverse of `target_to_dict`."""
    options = {key: value for key, value in spec.items() if key != "kind"}
    kinds = {Classification.kind: Classification, Regression.kind: Regression}
    return kinds[spec["kind"]](**options)


def target_to_dict(target: Target) -> dict[str, Any]:
    """A target as plain JSON."""
    return {"kind": target.kind, **target.__dict__}


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


def labels(values: Sequence[float] | np.ndarray, target: Target) -> Tensor:
    """Numbers as the label tensor that `target` wants (long or float32); NaN is refused."""
    array = np.asarray(values, dtype=np.float64)
    if not np.isfinite(array).all():
        raise MolmetaError(f"{int((~np.isfinite(array)).sum())} labels are not finite numbers")
    if isinstance(target, Classification):
        if any(math.fmod(value, 1) for value in array.tolist()):
            raise MolmetaError("class labels must be whole numbers; binarise measurements first")
        return torch.from_numpy(array.astype(np.int64))
    return torch.from_numpy(array.astype(np.float32))

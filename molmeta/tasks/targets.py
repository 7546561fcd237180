"""Targets: what the labels of a task mean, how outputs are judged by them, and how they rank."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, get_type_hints

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from molmeta.errors import ConfigError, MolmetaError
from molmeta.schema import matches, shown


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
    """The inverse of `target_to_dict`.

    Raises
    ------
    ConfigError
        It is no such dict.
    """
    kinds = {kind.kind: kind for kind in (Classification, Regression)}
    kind = spec.get("kind") if isinstance(spec, dict) else None
    if not isinstance(kind, str) or kind not in kinds:
        raise ConfigError(f"the target {shown(spec)} has no kind; it is {' or '.join(kinds)}")
    options = {key: value for key, value in spec.items() if key != "kind"}
    types = {f.name: get_type_hints(kinds[kind])[f.name] for f in fields(kinds[kind])}
    for key, value in options.items():
        if key not in types or not matches(value, types[key]):
            raise ConfigError(
                f"the target has {key} = {shown(value)}; a {kind} takes {', '.join(types)}, of "
                "the right type"
            )
    return kinds[kind](**options)


def target_to_dict(target: Target) -> dict[str, Any]:
    """A target as plain JSON."""
    return {"kind": target.kind, **target.__dict__}


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

"""The head that gradient-based learners put on an encoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from molmeta.learners.base import State
from molmeta.tasks import Target


class UnitLength(nn.Module):
    """Rows centred and scaled to length one, so that one inner step size suits every encoder."""

    def forward(self, x: Tensor) -> Tensor:
        """`[n, d]` to `[n, d]`: LayerNorm without weights, over √d."""
        return F.layer_norm(x, x.shape[1:]) / x.shape[1] ** 0.5


class LinearHead(nn.Sequential):
    """A linear layer on vectors of length one."""

    def __init__(self, dim: int, width: int) -> None:
        super().__init__(UnitLength(), nn.Linear(dim, width))

    def for_tasks(self, x: Tensor, states: Sequence[State]) -> Sequence[Tensor]:
        """Outputs with the parameters of each of many states, in one product."""
        weight, bias = (torch.cat([s[name] for s in states]) for name in ("1.weight", "1.bias"))
        return F.linear(self[0](x), weight, bias).split(self[1].out_features, dim=1)


def linear_head(encoder: nn.Module, target: Target) -> LinearHead:
    """The head for an encoder (with its width `dim`)."""
    dim: int = encoder.dim  # type: ignore[assignment]
    return LinearHead(dim, target.width)

"""The head that gradient-based learners put on an encoder."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from molmeta.episode import Target


class UnitLength(nn.Module):
    """Rows centred and scaled to length one, so that one inner step size suits every encoder."""

    def forward(self, x: Tensor) -> Tensor:
        """`[n, d]` to `[n, d]`: LayerNorm without weights, over √d."""
        return F.layer_norm(x, x.shape[1:]) / x.shape[1] ** 0.5


def linear_head(encoder: nn.Module, target: Target) -> nn.Module:
    """A linear layer on vectors of length one."""
    dim: int = encoder.dim  # type: ignore[assignment]
    return nn.Sequential(UnitLength(), nn.Linear(dim, target.width))

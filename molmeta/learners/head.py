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


def step_sizes(network: nn.Module, inner_lr: float, head_lr: float | None) -> dict[str, float]:
    """The step size of each parameter tensor: `head_lr` for the network's last module, its head.

    A head on vectors of length one needs steps some hundred times as long as the layers below it.
    """
    rates = {name: inner_lr for name, _ in network.named_parameters()}
    if head_lr is not None:
        last = [name for name, _ in network.named_children()][-1]
        rates |= {name: head_lr for name in rates if name.startswith(f"{last}.")}
    return rates

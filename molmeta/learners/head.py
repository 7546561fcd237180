"""The head that gradient-based learners put on an encoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from molmeta.learners.base import Learner, State, unscaled
from molmeta.tasks import Inputs, Target


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


def predict(network: nn.Module, x: Inputs, state: State) -> Tensor:
    """Outputs `[n, target.width]`, in the labels' unit, of a network with a state's parameters."""
    parameters = {name: p for name, p in state.items() if not name.startswith("label.")}
    return unscaled(functional_call(network, parameters, x), state)


def predict_for_tasks(learner: Learner, x: Inputs, states: Sequence[State]) -> Sequence[Tensor]:
    """Outputs of a learner, whose states are parameters of its `network`, for many tasks.

    A `LinearHead` on vectors predicts for all at once.
    """
    if isinstance(learner.network, LinearHead) and isinstance(x, Tensor):
        outputs = learner.network.for_tasks(x, states)
        return [unscaled(o, state) for o, state in zip(outputs, states, strict=True)]
    return [learner(x, state) for state in states]


def step_sizes(network: nn.Module, inner_lr: float, head_lr: float | None) -> dict[str, float]:
    """The step size of each parameter tensor: `head_lr` for the network's last module, its head.

    A head on vectors of length one needs steps some hundred times as long as the layers below it.
    """
    rates = {name: inner_lr for name, _ in network.named_parameters()}
    if head_lr is not None:
        last = [name for name, _ in network.named_children()][-1]
        rates |= {name: head_lr for name in rates if name.startswith(f"{last}.")}
    return rates

"""What the learners share that move the weights of a network, each by steps of its own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence

from torch import Tensor, nn
from torch.func import functional_call

from molmeta.errors import ConfigError
from molmeta.learners.base import Embedded, Learner, State, label_scale, scaled, unscaled
from molmeta.learners.head import LinearHead, linear_head
from molmeta.registry import nearest
from molmeta.tasks import Classification, Examples, Inputs, Regression, Target


class GradientBased(Learner):
    """A task is a value for every parameter of one network, or for those from a module on.

    Regression labels are scaled by their support's mean and spread before they are learned from,
    and outputs are scaled back.

    State
    -----
    parameters : Tensor
        The value of every parameter that moves, under its name in the network; for a regression
        also `label.mean` and `label.spread` of the support, in the labels' unit.

    Parameters
    ----------
    network : nn.Module
        Inputs to outputs `[n, target.width]`.
    """

    targets = (Classification, Regression)
    class_symmetric = False

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    @abstractmethod
    def descend(self, x: Inputs, y: Tensor, target: Target) -> State:
        """The parameters after the steps on inputs with (scaled) labels."""

    def adapt(self, support: Examples) -> State:
        """Move the weights."""
        self.check(support)
        scale = label_scale(support)
        return self.descend(support.x, scaled(support.y, scale), support.target) | scale

    def forward(self, x: Inputs, state: State) -> Tensor:
        """The network with the moved weights, in the labels' unit: `[n, target.width]`."""
        parameters = {name: p for name, p in state.items() if not name.startswith("label.")}
        return unscaled(functional_call(self.network, parameters, x), state)

    def for_tasks(self, x: Inputs, states: Sequence[State]) -> Sequence[Tensor]:
        """`forward` for each of many tasks; at once, where the network is a `LinearHead`."""
        if isinstance(self.network, LinearHead) and isinstance(x, Tensor):
            outputs = self.network.for_tasks(x, states)
            return [unscaled(o, state) for o, state in zip(outputs, states, strict=True)]
        return super().for_tasks(x, states)


def on_encoder(
    encoder: nn.Module, target: Target, build: Callable[[nn.Module], GradientBased]
) -> Learner:
    """What moves an encoder and a linear head on it; of a `stacked` encoder, its layer alone."""
    head = linear_head(encoder, target)
    below, above = getattr(encoder, "network", None), getattr(encoder, "layer", None)
    if isinstance(below, nn.Module) and isinstance(above, nn.Module):
        return Embedded(below, build(nn.Sequential(above, head)))
    return build(nn.Sequential(encoder, head))


def step_sizes(
    network: nn.Module, inner_lr: float, head_lr: float | None, moved_from: str = ""
) -> dict[str, float]:
    """The step size of each parameter tensor that the inner loop moves.

    It is `head_lr` for the network's last module, its head: a head on vectors of length one needs
    steps some hundred times as long as the layers below it. `moved_from` names a module, such as
    `bottleneck`: parameters before its first one stay.

    Raises
    ------
    ConfigError
        There is no such module.
    """
    names = [name for name, _ in network.named_parameters()]
    inside = [k for k, name in enumerate(names) if f".{moved_from}." in f".{name}"]
    if moved_from and not inside:
        parts = {part for name in names for part in name.split(".")[:-1] if not part.isdigit()}
        known = nearest(moved_from, list(parts))
        raise ConfigError(f"the network has no module '{moved_from}' with weights{known}")
    rates = dict.fromkeys(names[inside[0] if moved_from else 0 :], inner_lr)
    if head_lr is not None:
        last = [name for name, _ in network.named_children()][-1]
        rates |= {name: head_lr for name in rates if name.startswith(f"{last}.")}
    return rates


def moved_parameters(network: nn.Module, rates: Mapping[str, float]) -> State:
    """The parameters that have a step size."""
    return {name: p for name, p in network.named_parameters() if name in rates}

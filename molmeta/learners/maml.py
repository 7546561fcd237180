"""Model-agnostic meta-learning, its first-order form, and ANIL."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.func import functional_call

from molmeta.learners.base import Embedded, Learner, State
from molmeta.learners.descent import gradient_steps
from molmeta.learners.gradient_based import (
    GradientBased,
    moved_parameters,
    on_encoder,
    step_sizes,
)
from molmeta.learners.head import linear_head
from molmeta.tasks import Inputs, Target


class MAML(GradientBased):
    r"""An initialisation from which a few gradient steps on the support solve the task.

    Finn, Abbeel, Levine: *Model-Agnostic Meta-Learning for Fast Adaptation of Deep Networks*
    (ICML 2017), https://arxiv.org/abs/1703.03400, algorithm 2:

    .. math:: \phi \leftarrow \phi - \alpha \nabla_\phi L_S(\phi) \quad \text{from } \phi =
              \theta, \qquad \min_\theta \sum_T L_Q(\phi_T(\theta))

    FOMAML (section 5.2) treats the inner gradient as a constant. ANIL (Raghu, Raghu, Bengio,
    Vinyals: *Rapid Learning or Feature Reuse?*, ICLR 2020, https://arxiv.org/abs/1909.09157)
    adapts the head alone: `Embedded(encoder, MAML(head))`.

    State
    -----
    parameters : Tensor
        The adapted value of every parameter that moves, under its name in the network; for a
        regression also `label.mean` and `label.spread` of the support, in the labels' unit.

    Parameters
    ----------
    network : nn.Module
        Inputs to outputs `[n, target.width]`.
    inner_lr : float
        Step size α.
    inner_steps : int
        Number of steps, in training and at test.
    first_order : bool
        FOMAML.
    learn_inner_lr : bool
        One learned rate a parameter tensor (Li et al. 2017, in the coarse form), starting at α.
    head_lr : float, optional
        α of the network's last module, where it is not that of the rest.
    moved_from : str
        The module from which on parameters move, such as `bottleneck`; all, if it is empty.

    Differences from the paper
    --------------------------
    The meta-loss is the mean over tasks, not the sum. Regression labels are scaled by their
    support's mean and spread before the inner loop, and outputs scaled back.
    """

    def __init__(
        self,
        network: nn.Module,
        inner_lr: float = 0.1,
        inner_steps: int = 5,
        first_order: bool = False,
        learn_inner_lr: bool = False,
        head_lr: float | None = None,
        moved_from: str = "",
    ) -> None:
        super().__init__(network)
        self.inner_steps = inner_steps
        self.first_order = first_order
        self.step_sizes = step_sizes(network, inner_lr, head_lr, moved_from)
        self.log_rates = (
            nn.ParameterDict(
                {
                    name.replace(".", "/"): nn.Parameter(torch.tensor(rate).log())
                    for name, rate in self.step_sizes.items()
                }
            )
            if learn_inner_lr
            else None
        )

    def descend(self, x: Inputs, y: Tensor, target: Target) -> State:
        """The inner loop."""

        def loss(parameters: State) -> Tensor:
            return self.inner_loss(target, functional_call(self.network, parameters, x), y)

        start = moved_parameters(self.network, self.step_sizes)
        return gradient_steps(
            loss, start, self.rates(), self.inner_steps, first_order=self.first_order
        )

    def inner_loss(self, target: Target, outputs: Tensor, y: Tensor) -> Tensor:
        """What the inner loop goes down: outputs of the support against its scaled labels."""
        return target.inner_loss(outputs, y)

    def rates(self) -> dict[str, Tensor]:
        """The step size of each parameter tensor."""
        if self.log_rates is not None:
            return {name.replace("/", "."): log.exp() for name, log in self.log_rates.items()}
        return {
            name: torch.full((), self.step_sizes[name], device=p.device, dtype=p.dtype)
            for name, p in moved_parameters(self.network, self.step_sizes).items()
        }


def maml(encoder: nn.Module, target: Target, **options: float | bool | str) -> Learner:
    """MAML on an encoder with a linear head on unit vectors; the inner loop moves both.

    Of a `stacked` encoder it moves the layer, and the head.
    """
    return on_encoder(encoder, target, partial(MAML, **options))  # type: ignore[arg-type]


def fomaml(encoder: nn.Module, target: Target, **options: float | bool | str) -> Learner:
    """First-order `maml`."""
    return maml(encoder, target, first_order=True, **options)


def anil(encoder: nn.Module, target: Target, **options: float | bool | str) -> Embedded:
    """ANIL: the inner loop moves the head alone, which is linear on unit vectors."""
    return Embedded(encoder, MAML(linear_head(encoder, target), **options))  # type: ignore[arg-type]

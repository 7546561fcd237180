"""Reptile."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.func import functional_call

from molmeta.errors import ConfigError
from molmeta.learners.base import Learner, State, label_scale, scaled
from molmeta.learners.descent import BETA_2, EPSILON
from molmeta.learners.gradient_based import (
    GradientBased,
    moved_parameters,
    on_encoder,
    step_sizes,
)
from molmeta.tasks import Episode, Inputs, Target, cat


class Reptile(GradientBased):
    r"""An initialisation near the weights that tasks end in.

    Nichol, Achiam, Schulman: *On First-Order Meta-Learning Algorithms* (2018),
    https://arxiv.org/abs/1803.02999, algorithms 1 and 2: k steps of SGD or Adam on the mini-batches
    of a task lead from θ to φ, and

    .. math:: \theta \leftarrow \theta + \epsilon\, \frac{1}{n} \sum_{T=1}^n (\phi_T - \theta)

    The loss of a task is :math:`\tfrac12 \lVert \theta - \phi \rVert^2` with φ held constant. Its
    gradient is θ − φ, so that a step of plain SGD with the rate ε is the paper's update: serial
    with a meta-batch of one task, batched with more. No second derivatives are taken.

    In meta-training the mini-batches come from support and query together, at test from the
    support alone, all of it at each step. Adam has β₁ = 0 as in the paper's experiments, and
    starts afresh for each task.

    State
    -----
    parameters : Tensor
        φ, under the parameters' names in the network; for a regression also `label.mean` and
        `label.spread` of the support, in the labels' unit.

    Differences from the paper
    --------------------------
    A mini-batch takes every b-th example of the episode, whose order is drawn by the sampler; the
    paper draws each mini-batch. Regression labels are scaled by the support.

    Parameters
    ----------
    network : nn.Module
        Inputs to outputs `[n, target.width]`, encoder and head.
    inner_lr : float
        Step size of the inner optimiser.
    inner_steps, test_steps : int
        Steps k in meta-training and at test.
    batch_size : int
        Examples in a mini-batch of meta-training: at least so many, and less than twice as many;
        all, where the episode has fewer.
    optimiser : str
        `sgd` or `adam`.
    head_lr : float, optional
        Step size of the network's last module, where it is not that of the rest.
    moved_from : str
        The module from which on parameters move, such as `bottleneck`; all, if it is empty.
    """

    trains_inputs = False

    def __init__(
        self,
        network: nn.Module,
        inner_lr: float = 0.1,
        inner_steps: int = 5,
        test_steps: int = 10,
        batch_size: int = 16,
        optimiser: str = "sgd",
        head_lr: float | None = None,
        moved_from: str = "",
    ) -> None:
        super().__init__(network)
        if optimiser not in ("sgd", "adam"):
            raise ConfigError(f"there is no inner optimiser '{optimiser}'; there is: adam, sgd")
        self.step_sizes = step_sizes(network, inner_lr, head_lr, moved_from)
        self.inner_steps, self.test_steps = inner_steps, test_steps
        self.batch_size, self.optimiser = batch_size, optimiser

    def descend(self, x: Inputs, y: Tensor, target: Target) -> State:
        """The weights after `test_steps` on the whole support."""
        return self.after_steps([(x, y)] * self.test_steps, target)

    def loss(self, episode: Episode) -> Tensor:
        """Half the squared distance from θ to φ."""
        self.check(episode.support)
        with torch.no_grad():
            after = self.after_steps(self.batches(episode), episode.target)
        before = moved_parameters(self.network, self.step_sizes)
        return 0.5 * sum((before[name] - after[name]).square().sum() for name in before)  # type: ignore[return-value]

    def batches(self, episode: Episode) -> list[tuple[Inputs, Tensor]]:
        """`inner_steps` mini-batches of support and query, with scaled labels."""
        scale = label_scale(episode.support)
        x = cat([episode.support.x, episode.query.x])
        y = scaled(torch.cat([episode.support.y, episode.query.y]), scale)
        count = max(1, len(y) // self.batch_size)
        rows = [torch.arange(i, len(y), count) for i in range(count)]
        chosen = [rows[step % count] for step in range(self.inner_steps)]
        return [(x[index], y[index]) for index in chosen]

    def after_steps(self, batches: list[tuple[Inputs, Tensor]], target: Target) -> State:
        """The inner loop: the parameters after one step on each batch."""
        parameters = moved_parameters(self.network, self.step_sizes)
        second = {name: torch.zeros_like(p) for name, p in parameters.items()}
        for step, (x, y) in enumerate(batches, start=1):

            def inner_loss(p: State, x: Inputs = x, y: Tensor = y) -> Tensor:
                return target.inner_loss(functional_call(self.network, p, x), y)

            grads = torch.func.grad(inner_loss)(parameters)
            if self.optimiser == "adam":
                grads, second = _adam(grads, second, step)
            parameters = {n: p - self.step_sizes[n] * grads[n] for n, p in parameters.items()}
        return parameters


def _adam(grads: State, second: State, step: int) -> tuple[State, State]:
    """Adam's direction with β₁ = 0: g / (√v̂ + ε), and the new v (Kingma, Ba 2015)."""
    second = {n: BETA_2 * second[n] + (1 - BETA_2) * g.square() for n, g in grads.items()}
    correction = 1 - BETA_2**step
    return {n: g / ((second[n] / correction).sqrt() + EPSILON) for n, g in grads.items()}, second


def reptile(encoder: nn.Module, target: Target, **options: float | str) -> Learner:
    """Reptile on an encoder with a linear head on unit vectors; the inner loop moves both.

    Of a `stacked` encoder it moves the layer, and the head.
    """
    return on_encoder(encoder, target, partial(Reptile, **options))  # type: ignore[arg-type]

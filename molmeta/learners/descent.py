"""Descent on a loss of a network's parameters, as pure functions: plain steps, and Adam's."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import count, islice

import torch
from torch import Tensor

Parameters = dict[str, Tensor]  # of a network, by name
Loss = Callable[[Parameters], Tensor]

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # of Adam


def gradient_steps(
    loss: Loss,
    parameters: Parameters,
    rates: Parameters,
    steps: int,
    *,
    first_order: bool,
) -> Parameters:
    r"""Plain gradient descent :math:`\phi \leftarrow \phi - \alpha \nabla L(\phi)`, `steps` times.

    Works inside `torch.no_grad`, too; where gradients are on, it can be differentiated again; with
    `first_order` the gradient is then a constant of the outer differentiation.
    """
    twice = torch.is_grad_enabled()
    for _ in range(steps):
        with torch.enable_grad():
            at = {
                name: p if twice and p.requires_grad else p.detach().requires_grad_()
                for name, p in parameters.items()
            }
            grads = torch.autograd.grad(
                loss(at),
                list(at.values()),
                create_graph=not first_order,
                materialize_grads=True,
            )
        parameters = {
            name: p - rates[name] * grad for (name, p), grad in zip(at.items(), grads, strict=True)
        }
    return parameters


def adam_path(
    loss: Loss,
    parameters: Parameters,
    lr: float,
) -> Iterator[Parameters]:
    r"""Adam (Kingma, Ba 2015, algorithm 1) on one loss: the parameters after every step, forever.

    .. math:: \phi \leftarrow \phi - \alpha\, \hat m / (\sqrt{\hat v} + \epsilon)

    Steps are constants of an outer differentiation; works inside `torch.no_grad`.
    """
    first = {name: torch.zeros_like(p) for name, p in parameters.items()}
    second = dict(first)
    for step in count(1):
        with torch.enable_grad():
            at = {name: p.detach().requires_grad_() for name, p in parameters.items()}
            found = torch.autograd.grad(loss(at), list(at.values()), materialize_grads=True)
        grads = dict(zip(at, found, strict=True))
        first = {n: BETA_1 * first[n] + (1 - BETA_1) * g for n, g in grads.items()}
        second = {n: BETA_2 * second[n] + (1 - BETA_2) * g.square() for n, g in grads.items()}
        for_first, for_second = 1 - BETA_1**step, 1 - BETA_2**step
        parameters = {
            n: p - lr * (first[n] / for_first) / ((second[n] / for_second).sqrt() + EPSILON)
            for n, p in parameters.items()
        }
        yield parameters


def adam_steps(
    loss: Loss,
    parameters: Parameters,
    lr: float,
    steps: int,
) -> Parameters:
    """The parameters after `steps` of `adam_path`."""
    for parameters in islice(adam_path(loss, parameters, lr), steps):  # noqa: B007, B020
        pass
    return parameters


def adam_until(
    loss: Loss,
    watched: Callable[[Parameters], float],
    parameters: Parameters,
    lr: float,
    steps: int,
    patience: int,
) -> Parameters:
    """That of the first `steps` of `adam_path` with the lowest `watched` loss; of equals the last.

    Stops after `patience` steps in a row whose `watched` loss is above the lowest so far.
    """
    best, lowest, worse = parameters, math.inf, 0
    for found in islice(adam_path(loss, parameters, lr), steps):
        if (now := watched(found)) <= lowest:
            best, lowest, worse = found, now, 0
        elif (worse := worse + 1) >= patience:
            break
    return best

"""Pure tensor functions that the learners are written in."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import count, islice

import numpy as np
import torch
from torch import Tensor

Parameters = dict[str, Tensor]  # of a network, by name
Loss = Callable[[Parameters], Tensor]

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # of Adam


def class_means(x: Tensor, y_onehot: Tensor) -> Tensor:
    r"""Mean of each class: :math:`c_k = |S_k|^{-1} \sum_{i \in S_k} x_i`.

    Parameters
    ----------
    x : Tensor
        `[n, d]`.
    y_onehot : Tensor
        `[n, W]`.

    Returns
    -------
    Tensor
        `[W, d]`; zero where a class is empty.
    """
    weights = y_onehot.to(x.dtype)
    return (weights.T @ x) / weights.sum(dim=0).clamp(min=1).unsqueeze(1)


def tanimoto(a: Tensor, b: Tensor) -> Tensor:
    """Min–max similarity of rows with entries ≥ 0: `[n, d]`, `[m, d]` to `[n, m]`.

    Two empty rows have similarity 0. Of whole numbers (counts, without a gradient) the shared part
    is a sum of matrix products, and exact; of others it is by Σ min = (Σa + Σb − Σ|a − b|) / 2.
    """
    total = a.sum(dim=1).unsqueeze(1) + b.sum(dim=1)
    if _are_counts(a) and _are_counts(b):
        shared = _shared_counts(a, b)
        return shared / (total - shared).clamp(min=1e-12)
    difference = torch.cdist(a, b, p=1)
    return (total - difference) / (total + difference).clamp(min=1e-12)


def _are_counts(x: Tensor) -> bool:
    return not x.requires_grad and bool((x == x.floor()).all())


def _shared_counts(a: Tensor, b: Tensor) -> Tensor:
    """Σ min(a, b) of counts: level by level, in how many columns both rows reach it."""
    shared = a.new_zeros(len(a), len(b))
    if not len(a) or not len(b):
        return shared
    reached = torch.minimum(a.amax(dim=0), b.amax(dim=0))
    for level in range(1, int(reached.max()) + 1):
        columns = (reached >= level).nonzero()[:, 0]
        a, b, reached = a[:, columns], b[:, columns], reached[columns]
        shared += (a >= level).to(a.dtype) @ (b >= level).to(b.dtype).T
    return shared


def canonical_order(x: Tensor, y: Tensor) -> Tensor:
    """An order of the rows of `x [n, d]` and `y [n]` that does not depend on how they came."""
    keys = torch.cat([y.unsqueeze(1).to(x.dtype), x.flatten(1)], dim=1).detach().cpu().numpy()
    return torch.from_numpy(np.lexsort(keys.T[::-1])).to(x.device)


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

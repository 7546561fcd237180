"""Bounds as labels of a Gaussian process: expectation propagation."""

from __future__ import annotations

import math

import torch
from torch import Tensor

ROUNDS = 100
DAMPING = 0.7
LEAST_PRECISION = 1e-4


@torch.no_grad()
def exact_for_bounds(
    kernel: Tensor, y: Tensor, noise: Tensor, censor: Tensor
) -> tuple[Tensor, Tensor]:
    r"""Values and noises that stand for bounds, so that what follows is plain regression.

    Tobin: *Estimation of Relationships for Limited Dependent Variables* (Econometrica 1958): of
    y = f + ε it is known only that y > b, or y < b,

    .. math:: t(f) = \Phi\big(\pm (f - b) / \sigma\big)

    which Minka's expectation propagation (2001; Rasmussen, Williams 2006, section 3.6) replaces,
    molecule by molecule, by the Gaussian in f that gives the posterior the same mean and variance.

    Parameters
    ----------
    kernel : Tensor
        `[n, n]`.
    y : Tensor
        Values and bounds, `[n, 1]`, of mean function zero.
    noise : Tensor
        σ², `[n]`.
    censor : Tensor
        `[n]`: −1 where y is an upper bound, 1 where it is a lower one, 0 where it is exact.

    Returns
    -------
    Tensor, Tensor
        `[n, 1]` and `[n]`: as they were where the label is exact. A bound that says little has a
        large noise. They are constants to an outer differentiation.
    """
    k, bound, variance = kernel.double(), y[:, 0].double(), noise.double()
    side = censor.to(k)
    is_bound = side != 0
    precision = torch.where(is_bound, torch.zeros_like(bound), 1 / variance)
    shift = precision * bound  # precision times mean
    for _ in range(ROUNDS):
        mean, spread = _posterior(k, precision, shift)
        new_precision, new_shift = _tilted(*(mean, spread, precision, shift, bound, variance, side))
        before = precision, shift
        precision = torch.where(is_bound, _damped(precision, new_precision), precision)
        shift = torch.where(is_bound, _damped(shift, new_shift), shift)
        moved = max(
            float((a - b).abs().max()) for a, b in zip(before, (precision, shift), strict=True)
        )
        if moved < 1e-9:
            break
    precision = precision.clamp(min=LEAST_PRECISION)
    values = torch.where(is_bound, shift / precision, bound)
    return values.unsqueeze(1).to(y), (1 / precision).to(noise)


def _posterior(k: Tensor, precision: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of each f, `[n]`: Rasmussen and Williams' equations 3.53 and 3.68."""
    root = precision.sqrt()
    among = torch.eye(len(k)).to(k) + root[:, None] * k * root
    explained = torch.linalg.solve_triangular(
        torch.linalg.cholesky(among), root[:, None] * k, upper=False
    )
    covariance = k - explained.T @ explained
    return covariance @ shift, covariance.diagonal()


def _tilted(
    mean: Tensor,
    spread: Tensor,
    precision: Tensor,
    shift: Tensor,
    bound: Tensor,
    noise: Tensor,
    side: Tensor,
) -> tuple[Tensor, Tensor]:
    """What must stand for each bound so that f has the moments that the bound itself gives it."""
    left_precision = (1 / spread - precision).clamp(min=1e-10)
    left_variance = 1 / left_precision
    left_mean = left_variance * (mean / spread - shift)
    width = (noise + left_variance).sqrt()
    z = side * (left_mean - bound) / width
    ratio = torch.exp(-z.square() / 2 - math.log(2 * math.pi) / 2 - torch.special.log_ndtr(z))
    new_mean = left_mean + side * left_variance * ratio / width
    new_variance = left_variance - (left_variance / width).square() * ratio * (z + ratio)
    found = (1 / new_variance - left_precision).clamp(min=0)
    return found, new_mean / new_variance - left_mean * left_precision


def _damped(old: Tensor, new: Tensor) -> Tensor:
    return old + DAMPING * (new - old)

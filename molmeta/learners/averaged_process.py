"""Two Gaussian processes in one: like molecules by their structure, or by their properties."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from molmeta.errors import ConfigError
from molmeta.learners.base import Embedded, Learner, State
from molmeta.learners.earlier_assays import Rows, log_evidence
from molmeta.learners.gaussian_process import (
    PriorMean,
    columns_with_prior,
    moments,
    posterior,
    related_to,
    transferred,
    with_variance,
)
from molmeta.learners.kernels import FingerprintKernel, Kernel, KnownKernel, gaussian, kernel_of
from molmeta.tasks import Regression, Target


class Model(NamedTuple):
    """One of the processes that are averaged."""

    share: float  # of the descriptors in its kernel
    noise: float  # times that of `PriorMean`
    log_prior: float  # before any label


MODELS = (Model(0.0, 1.0, 3.0), Model(0.5, 0.25, 0.0))


class Descriptors(Kernel):
    r"""How alike two molecules are in their properties.

    .. math:: k(a, b) = e^{-\lVert d_a - d_b \rVert^2 / 2\ell^2}

    Parameters
    ----------
    columns : slice
        Where the descriptors d stand in a row.

    Attributes
    ----------
    length : float
        ℓ, as of `FingerprintKernel`.
    """

    length = FingerprintKernel.length

    def __init__(self, columns: slice) -> None:
        super().__init__()
        self.columns = columns

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """`[n, d]` and `[m, d]` to `[n, m]`."""
        return gaussian(a[:, self.columns], b[:, self.columns], self.length)


class AveragedProcess(PriorMean):
    r"""`PriorMean`, averaged with one that goes by descriptors too, as the labels bear them out.

    Bayesian model averaging (Hoeting, Madigan, Raftery, Volinsky 1999, *Statistical Science*
    14(4), equations 1 and 2) over `MODELS`, each with a share c of the descriptors' kernel r:

    .. math:: k_m = (1 - c_m)\, k + c_m\, r, \qquad f = \sum_m w_m f_m, \qquad
              w_m \propto p_m \exp\Big(-\tfrac12 y^{\top} A_m^{-1} y - \tfrac12 \log |A_m|\Big),
              \qquad A_m = k_m(s, s) + \sigma_m^2 I

    An assay of a protein goes by structure, and the second process has hardly a say. Solubility,
    or what else properties tell nearly without noise, it decides within a few measurements; there
    `PriorMean` alone is far behind a random forest. For a regression the variance is that of the
    mixture.

    State
    -----
    As of `GaussianProcess`; `inverse` `[models, n, n]` and `y` `[models, n, n_way or 1]` of each
    process, and its `weight` w `[models]`.

    Parameters
    ----------
    kernel, prior, weight, noise, real_noise
        As for `PriorMean`.
    descriptors : Kernel
        r.

    Differences from the paper
    --------------------------
    Labels of classes, ±1, are taken for measured ones, as the process takes them.
    """

    def __init__(self, kernel: Kernel, prior: slice, descriptors: Kernel, **options: float) -> None:
        super().__init__(kernel, prior, **options)
        self.descriptors = descriptors

    def _posterior(self, rows: Rows) -> State:
        among = self._known(rows.x, rows.x)
        parts = [posterior(_mixed(among, m), rows, m.noise) for m in MODELS]
        known = torch.stack([log_evidence(part["inverse"], part["y"]) for part in parts])
        weight = (known + torch.tensor([m.log_prior for m in MODELS]).to(known)).softmax(dim=0)
        stacked = {name: torch.stack([part[name] for part in parts]) for name in parts[0]}
        return {**stacked, "weight": weight}

    def among(self, x: Tensor) -> tuple[Learner, Tensor]:
        """With both kernels among the rows computed once."""
        one, rows = super().among(x)
        if one is self:
            return self, x
        flat = x.flatten(1)
        known = KnownKernel(self.descriptors(flat, flat))
        return one.with_parts(descriptors=known), rows

    def _known(self, x: Tensor, support: Tensor) -> Tensor:
        return torch.stack([self.kernel(x, support), self.descriptors(x, support)])

    def _against(self, support: Tensor) -> Callable[[Tensor], Tensor]:
        parts = [part.against(support) for part in (self.kernel, self.descriptors)]  # type: ignore[operator]
        return lambda x: torch.stack([part(x) for part in parts])

    def _alpha(self, state: State) -> Tensor:
        """What multiplies each of the two kernels, `[2, n, n_way or 1]`."""
        share = torch.tensor([m.share for m in MODELS]).double()
        solved = state["weight"].double()[:, None, None] * super()._alpha(state).double()
        both = torch.stack([1 - share, share]).to(solved)
        return torch.einsum("km,mnc->knc", both, solved).to(state["y"])

    def _predict(self, x: Tensor, known: Tensor, state: State) -> Tensor:
        noise = self.noise_of(Regression(), len(state["x"]))
        known = related_to(known, state)
        told = [
            moments(_mixed(known, m), state["inverse"][k], state["y"][k], noise * m.noise)
            for k, m in enumerate(MODELS)
        ]
        weight = state["weight"][:, None, None]
        means = torch.stack([mean for mean, _ in told])
        mean = (weight * means).sum(dim=0)
        f = mean + state["mean"] + self.expected(x, state["y"].shape[-1])
        if "label.mean" not in state:
            return f
        apart = (means - mean).square() + torch.stack([variance for _, variance in told])
        return with_variance(f, (weight * apart).sum(dim=0), state)


def _mixed(known: Tensor, model: Model) -> Tensor:
    return (1 - model.share) * known[0] + model.share * known[1]


def averaged_process(
    encoder: nn.Module,
    target: Target,
    weights: Mapping[str, float] | None = None,
    length: float | None = None,
    **options: float,
) -> Embedded:
    """`AveragedProcess` on an encoder with a prior and descriptors; options as for `prior_mean`.

    Raises
    ------
    ConfigError
        The encoder has no prior or no descriptors, or there are more than two classes.
    """
    columns = columns_with_prior(encoder, target)
    if "descriptors" not in columns:
        raise ConfigError("averaged_process needs 'descriptors' among the blocks of its encoder")
    kernel = kernel_of(columns, weights, length)
    by_properties = Descriptors(columns["descriptors"])
    return transferred(encoder, AveragedProcess(kernel, columns["prior"], by_properties, **options))

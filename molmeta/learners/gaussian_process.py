"""Gaussian process regression on the labels of a task, in closed form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy

import torch
from torch import Tensor, nn

from molmeta.errors import ConfigError
from molmeta.learners.base import Embedded, Learner, State, label_scale, scaled
from molmeta.learners.censored import exact_for_bounds
from molmeta.learners.earlier_assays import Rows, inverse_of, with_earlier
from molmeta.learners.kernels import (
    FingerprintKernel,
    Kernel,
    KnownKernel,
    WithLabels,
    fingerprint_kernel,
    kernel_of,
    row_numbers,
)
from molmeta.learners.multi_task import MultiTask
from molmeta.tasks import Classification, Examples, Regression, Target

LARGEST_KERNEL = 5000  # molecules of an assay, among which a kernel has 100 MB


class GaussianProcess(Learner):
    r"""The posterior of a Gaussian process with a fixed kernel; nothing is trained for a task.

    Rasmussen, Williams: *Gaussian Processes for Machine Learning* (MIT Press 2006), equations 2.25
    and 2.26:

    .. math:: f = K_{qs} (K_{ss} + \sigma^2 I)^{-1} y, \qquad
              v = k_{qq} - K_{qs} (K_{ss} + \sigma^2 I)^{-1} K_{sq}

    A regression's labels are scaled by their support's mean and spread, and f and v + σ² scaled
    back; labels that are bounds count as such (`learners/censored.py`). Of a classification, y is
    ±1 for every class in turn (least-squares classification,
    section 6.5), less its mean, which is added again; f is then the expectation of a label.

    State
    -----
    x : Tensor
        The support, `[n, d]`.
    inverse : Tensor
        :math:`(K_{ss} + \sigma^2 I)^{-1}`, `[n, n]`.
    y : Tensor
        Labels (for bounds, what stands for them), `[n, n_way or 1]`, less `mean`; for a
        regression also `label.mean` and `label.spread`.
    mean : Tensor
        `[n_way or 1]`.
    relation : Tensor
        Where it knows earlier assays, whose rows follow those of the support in `x`, `inverse` and
        `y`: how far the assay of a row goes with the new one, `[n]` (`learners/earlier_assays.py`).

    Parameters
    ----------
    kernel : Kernel
        With k(a, a) = 1.
    noise : float
        σ², for labels of variance one.
    real_noise : float
        The same for measured values, which say more than classes do.

    Differences from the book
    -------------------------
    The outputs of a classification are f itself as scores before the softmax, so that of two
    classes p(active) = (1 + tanh f) / 2; its first order is the (1 + f) / 2 of a label of
    expectation f.
    """

    targets = (Classification, Regression)
    reads_bounds = True
    earlier: tuple[Examples, ...] = ()

    def __init__(self, kernel: Kernel, noise: float = 0.4, real_noise: float = 0.2) -> None:
        super().__init__()
        self.kernel = kernel
        self.noise, self.real_noise = noise, real_noise

    def adapt(self, support: Examples) -> State:
        """Invert the kernel of the support, and of what earlier assays say."""
        self.check(support)
        one, scale = self._labelled(support)
        mean = one.y.mean(dim=0)
        rows = one._replace(y=one.y - mean)
        if not self.earlier:
            return {"x": rows.x, **self._posterior(rows), "mean": mean, **scale}
        width = rows.y.shape[1]
        others = [self._labelled(known)[0].centred(width) for known in self.earlier]
        rows, relation = with_earlier(rows, others, self.kernel)
        told = {"x": rows.x, **self._posterior(rows), "relation": relation}
        return {**told, "mean": mean, **scale}

    def knowing(self, earlier: Sequence[Examples]) -> Learner:
        """That has earlier assays beside each support: they say what they can of the new one."""
        one = copy(self)
        one.earlier = tuple(earlier)
        return one

    def _labelled(self, support: Examples) -> tuple[Rows, State]:
        """Rows with labels less what is expected of them, and the scale of these."""
        x, scale = support.x.flatten(1), label_scale(support)
        y = support.target.encode(scaled(support.y, scale)).to(x.dtype)
        y = y if scale else 2 * y - 1
        noise = self.noise_of(support.target, len(x)) * torch.ones(len(x)).to(x)
        bounds = support.censor if support.censored else None
        return Rows(x, y - self.expected(x, y.shape[1]), noise, bounds), scale

    def _posterior(self, rows: Rows) -> State:
        return posterior(self.kernel(rows.x, rows.x), rows)

    def forward(self, x: Tensor, state: State) -> Tensor:
        """Scores `[n, n_way]`, or mean and log-variance `[n, 2]`."""
        x = x.flatten(1)
        return self._predict(x, self._known(x, state["x"]), state)

    def for_tasks(self, x: Tensor, states: Sequence[State]) -> Sequence[Tensor]:
        """`forward` for each of many tasks, with one kernel between the rows and all supports."""
        x, supports = x.flatten(1), [state["x"] for state in states]
        known = self._known(x, torch.cat(supports)).split([len(part) for part in supports], dim=-1)
        return [self._predict(x, k, state) for k, state in zip(known, states, strict=True)]

    @torch.no_grad()
    def ranking(self, states: Sequence[State], target: Target) -> Callable[[Tensor], Tensor]:
        r"""The means alone, :math:`K_{qs} \alpha`, :math:`\alpha = (K_{ss} + \sigma^2 I)^{-1} y`.

        One kernel between the rows and all supports; what a variance needs is left out.
        """
        known = self._against(torch.cat([state["x"] for state in states]))
        sizes = [len(state["x"]) for state in states]
        alphas = [self._alpha(state) for state in states]

        def rank(x: Tensor) -> Tensor:
            x = x.flatten(1)
            expected = self.expected(x, alphas[0].shape[-1])
            parts = zip(known(x).split(sizes, dim=-1), alphas, states, strict=True)
            means = (
                unscaled_mean(_summed(k @ alpha) + state["mean"] + expected, state)
                for k, alpha, state in parts
            )
            return torch.stack([target.score(mean) for mean in means], dim=1)

        return rank

    @torch.no_grad()
    def among(self, x: Tensor) -> tuple[Learner, Tensor]:
        """With the kernel among the rows computed once, where it is of reasonable size."""
        if len(x) > LARGEST_KERNEL or self.earlier:
            return self, x
        rows = x.flatten(1)
        known = KnownKernel(self.kernel(rows, rows))
        return self.with_parts(kernel=known), row_numbers(rows)

    def _known(self, x: Tensor, support: Tensor) -> Tensor:
        return self.kernel(x, support)

    def _against(self, support: Tensor) -> Callable[[Tensor], Tensor]:
        return self.kernel.against(support)  # type: ignore[operator]

    def _alpha(self, state: State) -> Tensor:
        alpha = state["inverse"].double() @ state["y"].double()
        return related_to(alpha.mT, state).mT.to(state["y"])

    def _predict(self, x: Tensor, known: Tensor, state: State) -> Tensor:
        noise = self.noise_of(Regression(), len(state["x"]))
        mean, variance = moments(related_to(known, state), state["inverse"], state["y"], noise)
        f = mean + state["mean"] + self.expected(x, state["y"].shape[-1])
        return f if "label.mean" not in state else with_variance(f, variance, state)

    def noise_of(self, target: Target, n: int) -> float | Tensor:
        """σ² of this kind of label, in a support of `n`."""
        return self.real_noise if isinstance(target, Regression) else self.noise

    def expected(self, x: Tensor, width: int) -> Tensor:
        """The mean function before any label, `[n, width]` or to be broadcast to it: 0."""
        return x.new_zeros(1)


def posterior(among: Tensor, rows: Rows, share: float = 1.0) -> dict[str, Tensor]:
    """`inverse` of the kernel among rows, with a share of their noise, and `y`.

    Labels that are bounds are replaced by what stands for them.
    """
    y, variances = rows.y, rows.noise * share
    among = among if rows.between is None else among * rows.between
    if rows.censor is not None:
        y, variances = exact_for_bounds(among, y, variances, rows.censor)
    return {"inverse": inverse_of(among, variances), "y": y}


def moments(
    known: Tensor, inverse: Tensor, y: Tensor, noise: float | Tensor
) -> tuple[Tensor, Tensor]:
    """Mean `[n, c]` and variance `[n, 1]` of labels, noise included, by `[n, m]` of the kernel."""
    weights = known @ inverse
    explained = (weights * known).sum(dim=1, keepdim=True)
    return weights @ y, (1 - explained).clamp(min=0) + noise


def with_variance(mean: Tensor, variance: Tensor, state: State) -> Tensor:
    """Mean and log-variance `[n, 2]` in a regression's own unit."""
    log_variance = (variance * state["label.spread"] ** 2).log()
    return torch.cat([unscaled_mean(mean, state), log_variance], dim=1)


def related_to(known: Tensor, state: State) -> Tensor:
    """A kernel with a support, `[..., n]`: less with rows of earlier assays that agree less."""
    return known * state["relation"] if "relation" in state else known


def _summed(parts: Tensor) -> Tensor:
    """The sum over kernels, where there are several."""
    return parts if parts.ndim == 2 else parts.sum(dim=0)


def unscaled_mean(mean: Tensor, state: State) -> Tensor:
    """A regression's mean in the labels' own unit; the scores of classes as they are."""
    return mean * state["label.spread"] + state["label.mean"] if "label.mean" in state else mean


class PriorMean(GaussianProcess):
    r"""A Gaussian process whose mean function is learned from other assays.

    Fortuin, Strathmann, Rätsch: *Meta-Learning Mean Functions for Gaussian Processes* (2019),
    https://arxiv.org/abs/1901.08098: the process is fitted to what the mean function leaves,

    .. math:: f = m_q + K_{qs} (K_{ss} + \sigma^2 I)^{-1} (y - m_s), \qquad m = w \cdot \text{prior}

    Parameters
    ----------
    kernel, noise, real_noise
        As for `GaussianProcess`.
    prior : slice
        The column of a row that has the prior, of spread one.
    weight : float
        w; the prior knows less of a new assay than of those that it was trained on.

    Differences from the paper
    --------------------------
    The mean function is not trained through the process but as the mean of the heads of a
    multi-task network (`MultiTask`): trained episodically it learns the training assays by heart.
    """

    class_symmetric = False
    serves_all_targets = True  # what is expected of a value orders the classes, too

    def __init__(self, kernel: Kernel, prior: slice, weight: float = 0.1, **noise: float) -> None:
        super().__init__(kernel, **noise)
        self.prior, self.weight = prior, weight

    def among(self, x: Tensor) -> tuple[Learner, Tensor]:
        """The same; the prior stands beside the number of a row."""
        one, rows = super().among(x)
        if one is self:
            return self, x
        one.prior = slice(1, 2)  # type: ignore[assignment]
        return one, torch.cat([rows, x.flatten(1)[:, self.prior]], dim=1)

    def expected(self, x: Tensor, width: int) -> Tensor:
        """The weighted prior; of two classes, with opposite signs."""
        m = self.weight * x[:, self.prior]
        return m if width == 1 else torch.cat([-m, m], dim=1)


class Transfer(Embedded):
    """`PriorMean` on an encoder whose network and prior `MultiTask` trains."""

    def for_training(self, names: Sequence[str]) -> Learner:
        """All assays at once."""
        network, prior = self.encoder.network, self.encoder.prior
        return MultiTask(self, network, names, prior)  # type: ignore[arg-type]


def prior_mean(
    encoder: nn.Module,
    target: Target,
    weights: Mapping[str, float] | None = None,
    length: float | None = None,
    **options: float,
) -> Embedded:
    """`PriorMean` on an encoder with a prior; one that has weights is trained by `MultiTask`.

    `weights` and `length` are those of `kernel_of`, where the encoder has a `vector` beside its
    fingerprints.

    Raises
    ------
    ConfigError
        The encoder has no prior, or there are more than two classes.
    """
    columns = columns_with_prior(encoder, target)
    if "labels" in columns:
        kernel: Kernel = WithLabels(fingerprint_kernel(columns), columns["labels"])
    else:
        kernel = kernel_of(columns, weights, length)
    return transferred(encoder, PriorMean(kernel, columns["prior"], **options))


def columns_with_prior(encoder: nn.Module, target: Target) -> dict[str, slice]:
    """The columns of an encoder that has a prior; raises `ConfigError` where it cannot serve."""
    columns: dict[str, slice] = getattr(encoder, "columns", {})
    if "prior" not in columns:
        raise ConfigError(
            "a mean function needs the encoder 'features_with_prior' or 'features_with_labels'"
        )
    if isinstance(target, Classification) and target.n_way > 2:
        raise ConfigError(f"prior_mean tells active from inactive, not {target.n_way} classes")
    return columns


def transferred(encoder: nn.Module, head: PriorMean) -> Embedded:
    """A head on an encoder with a prior, to be trained where that has weights."""
    return (Transfer if list(encoder.parameters()) else Embedded)(encoder, head)


def gaussian_process(
    encoder: nn.Module,
    target: Target,
    weights: Mapping[str, float] | None = None,
    length: float | None = None,
    **options: float,
) -> Embedded:
    """`GaussianProcess` with the kernel that an encoder's columns ask for (`kernel_of`).

    On the blocks of the encoder `features`, on a network's vectors (`whitened`), on known labels,
    or on several of these (`joined`), with a weight each and the `length` of a `DirectionKernel`
    on the vectors; or on the vector of an encoder whose entries are counts of a kind, such as that
    of `gin`.

    Raises
    ------
    ConfigError
        The encoder has other vectors.
    """
    columns: dict[str, slice] | None = getattr(encoder, "columns", None)
    if columns is not None:
        kernel = kernel_of(columns, weights, length)
    elif getattr(encoder, "non_negative", False):
        kernel = FingerprintKernel([slice(None)])
    else:
        raise ConfigError(
            "gaussian_process compares counts or vectors: give it the encoder 'features', 'gin', "
            "'whitened' or 'joined'"
        )
    return Embedded(encoder, GaussianProcess(kernel, **options))

"""How a ranking or a prediction is scored, and how sure we are of a mean over assays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from sklearn import metrics as sk

from molmeta.errors import MolmetaError

LEVEL = 0.95  # of an interval


def auprc(active: ArrayLike, score: ArrayLike) -> float:
    """Average precision: Σ (R_k − R_{k−1}) P_k over the thresholds k, without interpolation.

    As scikit-learn's `average_precision_score`, which takes 30 times as long to check its input.
    """
    hits, shown = _found(active, score)
    return float(np.sum(np.diff(hits, prepend=0) * hits / shown) / hits[-1])


def delta_auprc(active: ArrayLike, score: ArrayLike) -> float:
    """Average precision above chance: AUPRC − fraction of actives (Stanley et al. 2021, FS-Mol).

    A constant score has 0; a perfect one has 1 − prevalence.
    """
    return auprc(active, score) - float(np.mean(np.asarray(active)))


def roc_auc(active: ArrayLike, score: ArrayLike) -> float:
    """Probability that an active outranks an inactive, ties counted half."""
    hits, shown = _found(active, score)
    misses = shown - hits
    return float(np.trapezoid([0, *hits], [0, *misses]) / (hits[-1] * misses[-1]))


def enrichment_factor(active: ArrayLike, score: ArrayLike, fraction: float = 0.01) -> float:
    """Actives found in the best `fraction` of the ranking, over those expected by chance.

    At least one molecule is taken; ties keep their order of appearance.
    """
    truth = _both_classes(active)
    taken = max(1, round(fraction * len(truth)))
    best = np.argsort(-np.asarray(score), kind="stable")[:taken]
    return float(truth[best].mean() / truth.mean())


def rmse(y: ArrayLike, predicted: ArrayLike) -> float:
    """Root mean squared error, in the unit of `y`."""
    return float(sk.root_mean_squared_error(np.asarray(y), np.asarray(predicted)))


def spearman(y: ArrayLike, predicted: ArrayLike) -> float:
    """Spearman's rank correlation; 0 where all predictions are the same."""
    values, found = np.asarray(y), np.asarray(predicted)
    if np.ptp(found) == 0 or np.ptp(values) == 0:
        return 0.0
    return float(stats.spearmanr(values, found)[0])  # type: ignore[arg-type]


def accuracy(y: ArrayLike, predicted: ArrayLike) -> float:
    """Fraction of labels that are right."""
    return float(sk.accuracy_score(np.asarray(y), np.asarray(predicted)))


@dataclass(frozen=True)
class Interval:
    """A mean with the two ends of its interval; NaN where one value alone has none."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return self.text("+.3f")

    def text(self, form: str) -> str:
        """`mean [low, high]`, each number in a format such as `.3f`."""
        if np.isnan(self.low):
            return f"{self.mean:{form}} [no interval]"
        return f"{self.mean:{form}} [{self.low:{form}}, {self.high:{form}}]"


def bootstrap_interval(
    values: ArrayLike, *, level: float = LEVEL, resamples: int = 10_000
) -> Interval:
    """Percentile bootstrap of the mean of `values` (one value an assay).

    For a *paired* interval give the differences, assay by assay. One value has no interval (NaN).
    """
    data = _listed(values)
    if len(data) == 1:
        return Interval(float(data[0]), np.nan, np.nan)
    means = _drawn_anew(data, np.random.default_rng(0), resamples)
    return Interval(float(data.mean()), *_percentiles(means, level))


def bootstrap_difference(a: ArrayLike, b: ArrayLike) -> Interval:
    """Percentile bootstrap of the mean of `a` less that of `b`, of assays that are not the same.

    Both are drawn anew, apart from each other. One value on a side has no interval (NaN).
    """
    sides = [_listed(a), _listed(b)]
    difference = float(sides[0].mean() - sides[1].mean())
    if min(map(len, sides)) == 1:
        return Interval(difference, np.nan, np.nan)
    rng = np.random.default_rng(0)
    means = [_drawn_anew(side, rng) for side in sides]
    return Interval(difference, *_percentiles(means[0] - means[1]))


def _drawn_anew(data: np.ndarray, rng: np.random.Generator, resamples: int = 10_000) -> np.ndarray:
    """Means of samples with replacement, `[resamples]`."""
    return data[rng.integers(0, len(data), size=(resamples, len(data)))].mean(axis=1)


def _percentiles(means: np.ndarray, level: float = LEVEL) -> tuple[float, float]:
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def resampled_interval(values: ArrayLike, test_over_train: float) -> Interval:
    r"""Interval of the mean of values that come from repeated splits of one data set.

    Such values share their molecules, and the plain standard error is too small. Nadeau, Bengio:
    *Inference for the Generalization Error* (Machine Learning 2003):

    .. math:: \bar v \pm t_{J-1} \sqrt{\Big(\frac1J + \frac{n_\text{test}}{n_\text{train}}\Big) s^2}

    Parameters
    ----------
    values : array-like
        `[J]`, a split each; differences, for a paired interval.
    test_over_train : float
        Size of a test part over that of a training part.
    """
    data = _listed(values)
    if len(data) == 1:
        return Interval(float(data[0]), np.nan, np.nan)
    mean, spread = float(data.mean()), float(data.var(ddof=1))
    half = stats.t.ppf((1 + LEVEL) / 2, len(data) - 1) * np.sqrt(
        (1 / len(data) + test_over_train) * spread
    )
    return Interval(mean, float(mean - half), float(mean + half))


def _listed(values: ArrayLike) -> np.ndarray:
    data = np.asarray(values, dtype=np.float64)
    if data.ndim != 1 or len(data) == 0:
        raise MolmetaError(f"an interval needs a list of values; found shape {data.shape}")
    return data


def _found(active: ArrayLike, score: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Actives, and molecules, at or above each distinct score, from the highest down."""
    truth, values = _both_classes(active), np.asarray(score)
    if values.shape != truth.shape or not np.isfinite(values).all():
        raise MolmetaError(
            f"{len(truth)} molecules need as many finite scores; found {values.size}, "
            f"{np.count_nonzero(~np.isfinite(values))} of them not finite"
        )
    order = np.argsort(-values, kind="stable")
    ends = np.flatnonzero(np.diff(values[order], append=-np.inf))
    return np.cumsum(truth[order])[ends], ends + 1


def _both_classes(active: ArrayLike) -> np.ndarray:
    truth = np.asarray(active)
    if not np.isin(truth, (0, 1)).all() or truth.min() == truth.max():
        raise MolmetaError(
            "a ranking needs actives (1) and inactives (0) to be scored; found "
            f"{np.unique(truth).tolist()}"
        )
    return truth.astype(np.int64)

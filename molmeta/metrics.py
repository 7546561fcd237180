"""How a ranking or a prediction is scored, and how sure we are of a mean over assays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from sklearn import metrics as sk

from molmeta.errors import MolmetaError


def auprc(active: ArrayLike, score: ArrayLike) -> float:
    """Average precision: Σ (R_k − R_{k−1}) P_k, scikit-learn's, no interpolation."""
    return float(sk.average_precision_score(_both_classes(active), np.asarray(score)))


def delta_auprc(active: ArrayLike, score: ArrayLike) -> float:
    """Average precision above chance: AUPRC − fraction of actives (Stanley et al. 2021, FS-Mol).

    A constant score has 0; a perfect one has 1 − prevalence.
    """
    return auprc(active, score) - float(np.mean(np.asarray(active)))


def roc_auc(active: ArrayLike, score: ArrayLike) -> float:
    """Probability that an active outranks an inactive, ties counted half."""
    return float(sk.roc_auc_score(_both_classes(active), np.asarray(score)))


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


def accuracy(y: ArrayLike, predicted: ArrayLike) -> float:
    """Fraction of labels that are right."""
    return float(sk.accuracy_score(np.asarray(y), np.asarray(predicted)))


@dataclass(frozen=True)
class Interval:
    """A mean with the two ends of its interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


def bootstrap_interval(
    values: ArrayLike, *, level: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> Interval:
    """Percentile bootstrap of the mean of `values` (one value an assay).

    For a *paired* interval give the differences, assay by assay.
    """
    data = np.asarray(values, dtype=np.float64)
    if data.ndim != 1 or len(data) == 0:
        raise MolmetaError(f"an interval needs a list of values; found shape {data.shape}")
    picks = np.random.default_rng(seed).integers(0, len(data), size=(resamples, len(data)))
    means = data[picks].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(data.mean()), float(low), float(high))


def _both_classes(active: ArrayLike) -> np.ndarray:
    truth = np.asarray(active)
    kinds = np.unique(truth)
    if kinds.tolist() != [0, 1]:
        raise MolmetaError(
            f"a ranking needs actives (1) and inactives (0) to be scored; found {kinds.tolist()}"
        )
    return truth

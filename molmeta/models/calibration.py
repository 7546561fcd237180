"""Probabilities and intervals that hold at small n, from predictions that were made out of fold."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from sklearn.isotonic import isotonic_regression

from molmeta.errors import TooFewMeasurements


@dataclass(frozen=True)
class VennAbers:
    r"""Two probabilities that a molecule is active, of which one is right.

    Vovk, Petej: *Venn–Abers Predictors* (UAI 2014), https://arxiv.org/abs/1211.0025: isotonic
    regression of the labels on the scores, with the new molecule among them once as inactive
    (p₀) and once as active (p₁). One number, the best guess under log loss (Vovk, Petej, Fedorova:
    *Large-scale probabilistic predictors with and without guarantees of validity*, 2015), is

    .. math:: p = p_1 / (1 - p_0 + p_1)

    Their validity needs scores of labelled molecules like those of new ones: give scores that
    were made out of fold.

    Attributes
    ----------
    edges : ndarray
        `[m]`, the distinct scores, from the lowest up.
    low, high : ndarray
        `[2 m + 1]`: p₀ and p₁ below the first edge, at it, between it and the next, …, above the
        last.
    """

    edges: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def fit(cls, score: ArrayLike, active: ArrayLike) -> VennAbers:
        """From scores `[n]`, higher for actives, and labels `[n]` of 0 and 1.

        Raises
        ------
        TooFewMeasurements
            There is no active, or no inactive.
        """
        scores, truth = np.asarray(score, dtype=np.float64), np.asarray(active, dtype=np.float64)
        if not 0 < truth.sum() < len(truth):
            raise TooFewMeasurements(
                f"calibration needs actives and inactives; of {len(truth)} labels {truth.sum():.0f}"
                " are active"
            )
        edges, place = np.unique(scores, return_inverse=True)
        counts, actives = np.bincount(place), np.bincount(place, weights=truth)
        both = [_with_one_more(counts, actives, label) for label in (0, 1)]
        return cls(edges, *both)

    def predict(self, score: ArrayLike) -> np.ndarray:
        """p, p₀ and p₁ of scores `[n]`: `[n, 3]`."""
        scores = np.asarray(score, dtype=np.float64)
        left = np.searchsorted(self.edges, scores, side="left")
        at = np.searchsorted(self.edges, scores, side="right") > left
        place = 2 * left + at
        low, high = self.low[place], self.high[place]
        return np.stack([high / (1 - low + high), low, high], axis=1)


def _with_one_more(counts: np.ndarray, actives: np.ndarray, label: int) -> np.ndarray:
    """The fit at a new molecule with a label, for each place where it can stand."""
    found = np.empty(2 * len(counts) + 1)
    for place in range(len(found)):
        edge, is_at = divmod(place, 2)
        if is_at:
            n, ones = counts.copy(), actives.copy()
            n[edge] += 1
            ones[edge] += label
        else:
            n, ones = np.insert(counts, edge, 1), np.insert(actives, edge, label)
        found[place] = isotonic_regression(ones / n, sample_weight=n)[edge]
    return found


@dataclass(frozen=True)
class Conformal:
    r"""Which classes a molecule may be of, so that the true one is missed as rarely as is asked.

    Vovk: *Cross-Conformal Predictors* (Annals of Mathematics and AI 2015), with a category for each
    class (Mondrian), so that it holds for actives and for inactives alike:

    .. math:: p_k(x) = \frac{|\{i: y_i = k,\ s_k(x_i) \le s_k(x)\}| + 1}{n_k + 1}

    with the score s of class k made out of fold for the labelled molecules. A class is ruled out at
    the confidence c where p ≤ 1 − c.

    Attributes
    ----------
    inactive, active : ndarray
        Sorted scores of the labelled molecules of each class, negated for the inactives.
    """

    inactive: np.ndarray
    active: np.ndarray

    @classmethod
    def fit(cls, score: ArrayLike, active: ArrayLike) -> Conformal:
        """From scores `[n]`, higher for actives, and labels `[n]` of 0 and 1."""
        scores, truth = np.asarray(score, dtype=np.float64), np.asarray(active)
        return cls(np.sort(-scores[truth == 0]), np.sort(scores[truth == 1]))

    def p_values(self, score: ArrayLike) -> np.ndarray:
        """Of inactive and active, for scores `[n]`: `[n, 2]`."""
        scores = np.asarray(score, dtype=np.float64)
        sides = ((self.inactive, -scores), (self.active, scores))
        return np.stack(
            [
                (np.searchsorted(known, own, side="right") + 1) / (len(known) + 1)
                for known, own in sides
            ],
            axis=1,
        )


@dataclass(frozen=True)
class ConformalInterval:
    r"""Intervals that hold the measured value as often as is asked.

    Cross-conformal intervals (Vovk 2015) of residuals in units of the predicted deviation
    (Papadopoulos, Gammerman, Vovk 2008):

    .. math:: \mu(x) \pm q\, \sigma(x), \qquad q = \text{the } \lceil c\,(n + 1) \rceil
              \text{-th smallest of } |y_i - \mu_i| / \sigma_i

    Attributes
    ----------
    residuals : ndarray
        Sorted, `[n]`.
    """

    residuals: np.ndarray

    @classmethod
    def fit(cls, y: ArrayLike, mean: ArrayLike, deviation: ArrayLike) -> ConformalInterval:
        """From values `[n]` and the predictions that were made of them out of fold."""
        left = np.abs(np.asarray(y) - np.asarray(mean)) / np.asarray(deviation)
        return cls(np.sort(left))

    def width(self, confidence: float) -> float:
        """q; infinite where n is too small to say so.

        With n measurements the largest confidence of a finite interval is n / (n + 1).
        """
        rank = math.ceil(confidence * (len(self.residuals) + 1) - 1e-9)
        return float(self.residuals[rank - 1]) if rank <= len(self.residuals) else math.inf

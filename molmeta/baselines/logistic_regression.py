"""Logistic regression."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import linear_model
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch import nn

from molmeta.baselines.fitted import FLOOR, Fitted
from molmeta.learners import Embedded
from molmeta.tasks import Target


class LogisticRegression(Fitted):
    r"""scikit-learn's L2-regularised logistic regression; for values, ridge regression.

    .. math:: \min_w \; C \sum_i \log\big(1 + e^{-y_i (w \cdot \phi(x_i) + b)}\big)
              + \tfrac12 \lVert w \rVert^2, \qquad
              \phi(x) = \mathrm{sign}(x) \log(1 + |x|)

    φ keeps a large count from ruling. The log-variance of a regression is that of its residuals on
    the support.

    Parameters
    ----------
    c : float
        C; a regression has the penalty 1 / C.
    """

    def __init__(self, c: float = 1.0) -> None:
        super().__init__()
        self.c = c

    def fit(self, x: np.ndarray, y: np.ndarray, n_way: int) -> Any:
        """Find the weights."""
        if n_way:
            model = linear_model.LogisticRegression(C=self.c, max_iter=1000)
        else:
            model = linear_model.Ridge(alpha=1 / self.c)
        fitted = make_pipeline(FunctionTransformer(_damped), model).fit(x.astype(np.float64), y)
        if not n_way:
            model.residual_ = float(np.var(y - fitted.predict(x)))  # type: ignore[attr-defined]
        return fitted

    def predict_values(self, model: Any, x: np.ndarray) -> np.ndarray:
        """Prediction, and the log-variance of the residuals."""
        mean = model.predict(x)
        return np.stack([mean, np.full_like(mean, np.log(model[-1].residual_ + FLOOR))], axis=1)


def _damped(x: np.ndarray) -> np.ndarray:
    return np.sign(x) * np.log1p(np.abs(x))


def logistic_regression(encoder: nn.Module, target: Target, **options: float) -> Embedded:
    """`LogisticRegression` on the features of an encoder."""
    return Embedded(encoder, LogisticRegression(**options))

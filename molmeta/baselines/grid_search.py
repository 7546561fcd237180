"""The best forest of a grid, without growing a tree twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from sklearn import config_context
from sklearn.model_selection import ParameterGrid, StratifiedKFold
from sklearn.tree import DecisionTreeClassifier

from molmeta.baselines.trees import bootstraps

Grid = Mapping[str, Sequence[Any]]


def best_settings(grid: Grid, x: np.ndarray, y: np.ndarray, folds: int) -> dict[str, Any]:
    """What scikit-learn's `GridSearchCV` chooses for a `RandomForestClassifier(random_state=0)`.

    Of candidates with equal mean accuracy the first of `ParameterGrid` is taken, as there. The
    choice is the same to the last bit, from a sixth to a half of the trees:

    - Tree `i` of every forest has the same seed and, from as many rows, the same bootstrap sample.
      So the first `n` trees of the largest forest are the forest of `n` trees.
    - A tree that ends above `max_depth` has never met it, and is also the tree without a limit. One
      that ends *at* the limit need not be: a search for a split that finds none draws random
      numbers, which the limited tree, not searching there, leaves to its later nodes.

    Parameters
    ----------
    grid : mapping
        Values of `n_estimators`, `max_depth`, `max_features` and `min_samples_leaf`, or some.
    x, y : ndarray
        Rows `[n, d]` and their classes `[n]`, at least `folds` of each class.
    folds : int
        Number of stratified folds.
    """
    means = np.average(fold_accuracies(grid, x, y, folds), axis=1)
    return list(ParameterGrid(grid))[int(np.argmax(means))]


def fold_accuracies(grid: Grid, x: np.ndarray, y: np.ndarray, folds: int) -> np.ndarray:
    """Accuracy of each candidate on each fold `[candidates, folds]`."""
    candidates = list(ParameterGrid(grid))
    x = np.asarray(x, dtype=np.float32)  # as trees read it
    found = np.empty((len(candidates), folds))
    with config_context(skip_parameter_validation=True):  # a seventh of the time of a small tree
        for fold, (train, test) in enumerate(StratifiedKFold(folds).split(x, y)):
            found[:, fold] = _accuracies(candidates, x[train], y[train], x[test], y[test])
    return found


def _accuracies(
    candidates: list[dict[str, Any]],
    x: np.ndarray,
    y: np.ndarray,
    x_test: np.ndarray,
    y_test: np.ndarray,
) -> list[float]:
    """Accuracy of each candidate on one fold."""
    classes = np.unique(y)
    most = max(candidate.get("n_estimators", 100) for candidate in candidates)
    draws = bootstraps(len(y), most)
    check = not np.isfinite(x).all()  # where a value is missing, the check is what notices it

    def grow(seed: int, weights: np.ndarray, **settings: Any) -> tuple[int, np.ndarray]:
        tree = DecisionTreeClassifier(random_state=seed, **settings)
        tree.fit(x, y, weights, check_input=check)
        return tree.get_depth(), np.asarray(tree.predict_proba(x_test, check_input=False))

    @cache
    def trees(max_depth: int | None, **settings: Any) -> list[tuple[int, np.ndarray]]:
        """Depth and votes of each tree."""
        if max_depth is None:
            return [grow(*draw, **settings) for draw in draws]
        return [
            free if free[0] < max_depth else grow(*draw, max_depth=max_depth, **settings)
            for free, draw in zip(trees(None, **settings), draws, strict=True)
        ]

    @cache
    def by_number(max_depth: int | None, **settings: Any) -> np.ndarray:
        """Accuracy of the first tree, of the first two, and so on `[most]`."""
        # summed in the order of the trees, then divided: as a forest does it, so that ties are tied
        votes = np.cumsum([vote for _, vote in trees(max_depth, **settings)], axis=0)
        votes /= np.arange(1, most + 1)[:, None, None]
        return (classes[votes.argmax(axis=2)] == y_test).mean(axis=1)

    def accuracy(
        n_estimators: int = 100,
        max_depth: int | None = None,
        max_features: str | float = "sqrt",
        min_samples_leaf: int = 1,
    ) -> float:
        settings = {"max_features": max_features, "min_samples_leaf": min_samples_leaf}
        return by_number(max_depth, **settings)[n_estimators - 1]

    return [accuracy(**candidate) for candidate in candidates]

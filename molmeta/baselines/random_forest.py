"""Random forest."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from torch import nn

from molmeta.baselines.fitted import FLOOR, Fitted
from molmeta.baselines.grid_search import best_settings
from molmeta.baselines.trees import Forest
from molmeta.learners import Embedded
from molmeta.tasks import Target

GRID = {
    "n_estimators": [10, 100, 200, 500],
    "max_depth": [None, 5, 10, 20],
    "max_features": ["sqrt", "log2"],
    "min_samples_leaf": [1, 2, 5],
}


class RandomForest(Fitted):
    """scikit-learn's random forest, fitted to the support alone.

    Breiman: *Random Forests* (Machine Learning 2001). Outputs are the log of the mean vote of the
    trees; of a regression the mean and the log-variance over trees.

    Parameters
    ----------
    n_trees : int
        Number of trees; all other settings are scikit-learn's.
    max_features : float, optional
        Share of the features that a split of a regression chooses from; scikit-learn's own is
        all of them, Breiman's a third. Trees of classes choose from the square root.
    grid : bool
        Of a classification, choose number, depth, features and leaves of the trees on the support,
        by cross-validation in up to five folds, as FS-Mol does (Stanley et al. 2021, its
        `baseline_test.py`; "auto" there is today's "sqrt"): of 96 forests the one that
        scikit-learn's `GridSearchCV` finds, tree by tree, in a fraction of its time
        (`grid_search.py`); still many seconds a task. A class with a single molecule leaves
        nothing to validate on, and `n_trees` stands.
    """

    def __init__(
        self, n_trees: int = 100, max_features: float | None = None, grid: bool = False
    ) -> None:
        super().__init__()
        self.n_trees, self.max_features, self.grid = n_trees, max_features, grid

    def fit(self, x: np.ndarray, y: np.ndarray, n_way: int) -> Any:
        """Grow the forest."""
        if not n_way:
            share = self.max_features or 1.0
            return Forest.fit(DecisionTreeRegressor, self.n_trees, x, y, max_features=share)
        folds = min(5, int(np.bincount(y.astype(int), minlength=n_way).min()))
        if self.grid and folds > 1:
            settings = best_settings(GRID, x, y, folds)
            return RandomForestClassifier(random_state=0, **settings).fit(x, y)
        return Forest.fit(DecisionTreeClassifier, self.n_trees, x, y, max_features="sqrt")

    def predict_values(self, model: Any, x: np.ndarray) -> np.ndarray:
        """Mean and log-variance over trees."""
        trees = model.of_each_tree(x)
        return np.stack([trees.mean(axis=0), np.log(trees.var(axis=0) + FLOOR)], axis=1)


def random_forest(encoder: nn.Module, target: Target, **options: Any) -> Embedded:
    """`RandomForest` on the features of an encoder."""
    return Embedded(encoder, RandomForest(**options))

"""The trees of scikit-learn's forests, grown without the forest: a small one in less time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

import numpy as np
from sklearn import config_context
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

Tree = DecisionTreeClassifier | DecisionTreeRegressor


@dataclass(frozen=True)
class Forest:
    """What scikit-learn's forest with `random_state=0` would be, to the last bit.

    Of few rows, most of the time of a forest there is what is done around each tree: copies of
    settings, checks of rows that were checked.

    Attributes
    ----------
    estimators_ : list
        The trees.
    """

    estimators_: list[Any]

    @classmethod
    def fit(cls, kind: type[Tree], n_trees: int, x: Any, y: Any, **settings: Any) -> Self:
        """Grow trees of a kind on rows `[n, d]` and labels `[n]`."""
        x, y = as_read(x), np.asarray(y, dtype=np.float64)
        check = not np.isfinite(x).all()  # where a value is missing, the check is what notices it
        with config_context(skip_parameter_validation=True):
            trees = [
                kind(random_state=seed, **settings).fit(x, y, weights, check_input=check)
                for seed, weights in bootstraps(len(y), n_trees)
            ]
        return cls(trees)

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """Mean votes `[n, classes]`, summed in the order of the trees, as a forest does it."""
        rows = as_read(x)
        votes = [tree.predict_proba(rows, check_input=False) for tree in self.estimators_]
        return np.add.reduce(votes) / len(votes)

    def of_each_tree(self, x: np.ndarray) -> np.ndarray:
        """Values `[trees, n]`."""
        rows = as_read(x)
        return np.stack([tree.predict(rows, check_input=False) for tree in self.estimators_])


def as_read(x: np.ndarray) -> np.ndarray:
    """Rows as trees read them."""
    return np.ascontiguousarray(x, dtype=np.float32)


@lru_cache(maxsize=8)
def bootstraps(rows: int, trees: int) -> list[tuple[int, np.ndarray]]:
    """Seed of each tree, and how often it draws each row, in a forest with `random_state=0`."""
    seeds, drawn = np.random.RandomState(0), []
    for _ in range(trees):
        seed = int(seeds.randint(np.iinfo(np.int32).max))
        own = np.random.RandomState(seed).randint(0, rows, rows, dtype=np.int32)
        drawn.append((seed, np.bincount(own, minlength=rows).astype(np.float64)))
    return drawn

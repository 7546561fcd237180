"""The quick grid search is scikit-learn's, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.model_selection import GridSearchCV

from molmeta.baselines import random_forest
from molmeta.baselines.grid_search import best_settings, fold_accuracies
from molmeta.baselines.random_forest import RandomForest
from molmeta.baselines.trees import bootstraps

GRID = {
    "n_estimators": [3, 8, 15],
    "max_depth": [None, 3, 5],
    "max_features": ["sqrt", "log2"],
    "min_samples_leaf": [1, 3],
}


def counts(n, seed, width=60):
    return np.random.default_rng(seed).poisson(0.4, size=(n, width)).astype(np.float32)


def labels(*sizes, seed=0):
    y = np.repeat(np.arange(len(sizes)), sizes)
    return np.random.default_rng(seed).permutation(y)


def doubled(n, seed):
    """Rows that are there twice and more, so with labels that contradict each other."""
    return counts(n, seed)[np.random.default_rng(seed).integers(0, n // 2, size=n)]


def holed(n, seed):
    x = counts(n, seed)
    x[np.random.default_rng(seed).random(x.shape) < 0.05] = np.nan
    return x


SUPPORTS = {
    "16": (counts(16, 0), labels(8, 8)),
    "16, two folds, doubled": (doubled(16, 1), labels(14, 2)),
    "32, doubled": (doubled(32, 2), labels(16, 16)),
    "32, three folds": (counts(32, 3), labels(29, 3)),
    "48, three classes": (counts(48, 4), labels(24, 18, 6)),
    "64, doubled": (doubled(64, 5), labels(40, 24)),
    "64, two folds": (counts(64, 6), labels(2, 62)),
    "32, values missing": (holed(32, 7), labels(20, 12)),
}


@pytest.mark.parametrize("support", SUPPORTS)
def test_scores_choice_and_predictions_are_those_of_grid_search(support, monkeypatch):
    x, y = SUPPORTS[support]
    folds = min(5, np.bincount(y).min())
    theirs = GridSearchCV(RandomForestClassifier(random_state=0), GRID, cv=folds).fit(x, y)
    scores = [theirs.cv_results_[f"split{fold}_test_score"] for fold in range(folds)]
    np.testing.assert_array_equal(fold_accuracies(GRID, x, y, folds), np.stack(scores, axis=1))
    assert best_settings(GRID, x, y, folds) == theirs.best_params_

    monkeypatch.setattr(random_forest, "GRID", GRID)
    ours = RandomForest(grid=True).fit(x, y, n_way=y.max() + 1)
    other = counts(40, 99)
    np.testing.assert_array_equal(ours.predict_proba(other), theirs.predict_proba(other))


def test_the_first_of_tied_candidates_is_taken():
    x, y = np.zeros((16, 3), dtype=np.float32), labels(12, 4)  # nothing to learn: all are equal
    theirs = GridSearchCV(RandomForestClassifier(random_state=0), GRID, cv=2).fit(x, y)
    assert set(theirs.cv_results_["rank_test_score"]) == {1}
    first = {key: values[0] for key, values in GRID.items()}
    assert best_settings(GRID, x, y, 2) == theirs.best_params_ == first


def test_settings_that_the_grid_leaves_out_are_scikit_learns():
    x, y = counts(20, 8), labels(10, 10)
    for grid in ({"max_depth": [2, None]}, {"n_estimators": [4, 7]}):
        theirs = GridSearchCV(RandomForestClassifier(random_state=0), grid, cv=2).fit(x, y)
        scores = [theirs.cv_results_[f"split{fold}_test_score"] for fold in range(2)]
        np.testing.assert_array_equal(fold_accuracies(grid, x, y, 2), np.stack(scores, axis=1))


def same(one, other):
    names = ("children_left", "feature", "threshold", "value")
    return all(np.array_equal(getattr(one.tree_, n), getattr(other.tree_, n)) for n in names)


@pytest.mark.parametrize("support", ["32, doubled", "64, doubled", "48, three classes"])
def test_a_tree_that_ends_above_the_limit_is_the_tree_without_one(support):
    x, y = SUPPORTS[support]
    at_the_limit = []
    for leaf in (1, 2, 5):
        settings = {"n_estimators": 60, "min_samples_leaf": leaf, "random_state": 0}
        free = RandomForestClassifier(**settings).fit(x, y).estimators_
        depths = [tree.get_depth() for tree in free]
        for limit in range(2, 9):
            limited = RandomForestClassifier(max_depth=limit, **settings).fit(x, y).estimators_
            trees = list(zip(depths, free, limited, strict=True))
            assert all(same(one, other) for depth, one, other in trees if depth < limit)
            at_the_limit += [same(one, other) for depth, one, other in trees if depth == limit]
        assert min(depths) < 8
    assert not all(at_the_limit), "depth < limit could be depth <= limit"


def test_the_first_trees_of_a_forest_are_the_smaller_forest():
    x, y = SUPPORTS["64, doubled"]
    settings = {"min_samples_leaf": 3, "random_state": 0}
    trees = RandomForestClassifier(50, **settings).fit(x, y).estimators_
    other = counts(40, 99)
    sums = np.cumsum([tree.predict_proba(other) for tree in trees], axis=0)
    for n in (1, 3, 10, 49):
        smaller = RandomForestClassifier(n, **settings).fit(x, y)
        np.testing.assert_array_equal(sums[n - 1] / n, smaller.predict_proba(other))


def test_seeds_and_bootstrap_samples_are_those_of_any_forest():
    x, y = SUPPORTS["32, doubled"]
    forest = RandomForestClassifier(9, max_features="log2", max_depth=3, random_state=0).fit(x, y)
    drawn = bootstraps(32, 20)[:9]
    assert [seed for seed, _ in drawn] == [tree.random_state for tree in forest.estimators_]
    for (_, weights), rows in zip(drawn, forest.estimators_samples_, strict=True):
        np.testing.assert_array_equal(weights, np.bincount(rows, minlength=32))


@pytest.mark.parametrize("support", SUPPORTS)
def test_a_forest_is_scikit_learns_to_the_last_bit(support):
    x, y = SUPPORTS[support]
    other = counts(40, 99)
    theirs = RandomForestClassifier(30, random_state=0).fit(x, y)
    ours = RandomForest(30).fit(x, y, n_way=y.max() + 1)
    np.testing.assert_array_equal(ours.predict_proba(other), theirs.predict_proba(other))
    values = y + x[:, np.isfinite(x).all(axis=0)].sum(axis=1) / 7
    trees = RandomForestRegressor(30, max_features=0.33, random_state=0).fit(x, values).estimators_
    learner = RandomForest(30, max_features=0.33)
    found = learner.predict_values(learner.fit(x, values, n_way=0), other)
    np.testing.assert_array_equal(found[:, 0], np.mean([t.predict(other) for t in trees], axis=0))

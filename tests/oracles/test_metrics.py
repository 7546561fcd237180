"""Rankings are scored as scikit-learn scores them, and intervals cover."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, mean_squared_error, roc_auc_score

from molmeta import metrics
from molmeta.errors import MolmetaError


@pytest.fixture(params=["distinct scores", "tied scores", "rare actives"])
def ranking(request, rng) -> tuple[np.ndarray, np.ndarray]:
    """Actives and scores of 200 molecules."""
    prevalence = 0.02 if request.param == "rare actives" else 0.4
    active = (np.arange(200) < 200 * prevalence).astype(int)
    score = active + rng.normal(size=200)
    return active, np.round(score) if request.param == "tied scores" else score


def test_delta_auprc_is_scikit_learns_average_precision_above_the_prevalence(ranking):
    active, score = ranking
    expected = average_precision_score(active, score) - active.sum() / len(active)
    assert metrics.delta_auprc(active, score) == pytest.approx(expected, abs=1e-12)


def test_roc_auc_is_scikit_learns(ranking):
    active, score = ranking
    assert metrics.roc_auc(active, score) == pytest.approx(roc_auc_score(active, score), abs=1e-12)


def test_a_constant_score_and_a_perfect_one_have_the_values_that_are_promised():
    active = np.array([1, 0, 0, 0, 1])
    assert metrics.delta_auprc(active, np.zeros(5)) == pytest.approx(0, abs=1e-12)
    assert metrics.delta_auprc(active, active) == pytest.approx(1 - 0.4, abs=1e-12)
    assert metrics.roc_auc(active, np.zeros(5)) == 0.5


def test_enrichment_factor_counts_the_actives_on_top():
    active = np.array([1, 1, 0, 1, 0, 0, 0, 0, 0, 0])
    assert metrics.enrichment_factor(active, -np.arange(10), 0.2) == pytest.approx(1 / 0.3)
    assert metrics.enrichment_factor(active, -np.arange(10), 0.4) == pytest.approx(0.75 / 0.3)
    assert metrics.enrichment_factor(active, np.arange(10), 0.4) == 0


def test_rmse_is_the_root_of_scikit_learns_mean_squared_error(rng):
    y, predicted = rng.normal(size=(2, 50))
    assert metrics.rmse(y, predicted) == pytest.approx(mean_squared_error(y, predicted) ** 0.5)


@pytest.mark.parametrize("active", [[0, 0, 0], [1, 1, 1], [0, 1, 2]])
def test_a_ranking_without_both_classes_is_refused(active):
    for metric in (metrics.delta_auprc, metrics.roc_auc, metrics.enrichment_factor):
        with pytest.raises(MolmetaError, match="actives"):
            metric(active, [0.1, 0.2, 0.3])


def test_a_bootstrap_interval_of_95_percent_covers_about_as_often(rng):
    samples = rng.normal(loc=0.3, size=(400, 30))
    intervals = [metrics.bootstrap_interval(values, resamples=500) for values in samples]
    covered = np.mean([interval.low <= 0.3 <= interval.high for interval in intervals])
    assert 0.90 <= covered <= 0.98


def test_the_interval_of_a_difference_is_that_of_two_samples(rng):
    """Of two means that know nothing of each other: the variances add."""
    a, b = rng.normal(2, 1, 80), rng.normal(0, 2, 50)
    found = metrics.bootstrap_difference(a, b)
    half = 1.96 * np.sqrt(a.var(ddof=1) / 80 + b.var(ddof=1) / 50)
    assert found.mean == pytest.approx(a.mean() - b.mean())
    assert found.high - found.low == pytest.approx(2 * half, rel=0.05)
    assert np.isnan(metrics.bootstrap_difference([1.0], b).low)


def test_a_bootstrap_interval_has_the_width_of_the_standard_error(rng):
    values = rng.normal(size=2000)
    interval = metrics.bootstrap_interval(values, level=0.9, resamples=4000)
    half = 1.645 * values.std() / np.sqrt(len(values))
    assert interval.mean == pytest.approx(values.mean())
    assert interval.high - interval.low == pytest.approx(2 * half, rel=0.05)
    assert metrics.bootstrap_interval(values, resamples=100) == metrics.bootstrap_interval(
        values, resamples=100
    )


def test_an_interval_of_nothing_is_refused():
    with pytest.raises(MolmetaError, match="list of values"):
        metrics.bootstrap_interval([])

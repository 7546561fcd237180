"""Venn–Abers and conformal prediction: against plain definitions, and what they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from molmeta.errors import TooFewMeasurements
from molmeta.models.calibration import Conformal, ConformalInterval, VennAbers


def sample(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores with ties, and labels that follow them; one of each at least."""
    active = np.concatenate([[0, 1], (rng.random(n - 2) < 0.4).astype(int)])
    return np.round(rng.normal(size=n) + active, 1), active


@pytest.mark.parametrize("n", [2, 5, 16, 40])
def test_venn_abers_is_isotonic_regression_with_one_molecule_more(n, rng):
    score, active = sample(rng, n)
    ours = VennAbers.fit(score, active)
    new = np.concatenate([score, score + 0.05, [-10, 10]])
    for one, (p, low, high) in zip(new, ours.predict(new), strict=True):
        theirs = [
            IsotonicRegression()
            .fit(np.append(score, one), np.append(active, label))
            .predict([one])[0]
            for label in (0, 1)
        ]
        assert (low, high) == pytest.approx(theirs, abs=1e-12)
        assert low <= high and low - 1e-12 <= p <= high + 1e-12
        assert p == pytest.approx(high / (1 - low + high))


def test_venn_abers_is_calibrated_where_the_score_is_far_off(rng):
    """Probabilities of a logistic truth from scores that are squared and shifted."""
    kept = []
    for _ in range(300):
        z = rng.normal(size=64) * 2
        active = (rng.random(64) < 1 / (1 + np.exp(-z))).astype(int)
        if 0 < active[:32].sum() < 32:
            model = VennAbers.fit(z[:32] ** 3 - 5, active[:32])
            kept.append(np.stack([model.predict(z[32:] ** 3 - 5)[:, 0], active[32:]], axis=1))
    p, y = np.concatenate(kept).T
    for low in np.arange(0, 1, 0.2):
        part = (p >= low) & (p < low + 0.2)
        assert abs(p[part].mean() - y[part].mean()) < 0.05


def test_venn_abers_never_turns_a_ranking(rng):
    score, active = sample(rng, 30)
    p = VennAbers.fit(score, active).predict(np.sort(rng.normal(size=200)))
    assert (np.diff(p, axis=0) >= -1e-12).all()


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_cannot_be_calibrated(label):
    with pytest.raises(TooFewMeasurements, match="needs actives and inactives"):
        VennAbers.fit([1.0, 2.0], [label, label])


def test_p_values_are_their_definition(rng):
    score, active = sample(rng, 25)
    ours = Conformal.fit(score, active)
    new = np.concatenate([score[:5], [-9, 0.33, 9]])
    for one, p in zip(new, ours.p_values(new), strict=True):
        for k, own in ((0, -score), (1, score)):
            s = one if k else -one
            below = sum(own[i] <= s for i in range(25) if active[i] == k)
            assert p[k] == pytest.approx((below + 1) / (np.sum(active == k) + 1))


@pytest.mark.parametrize("confidence", [0.8, 0.9])
@pytest.mark.parametrize("share", [0.2, 0.5])
def test_the_true_class_is_missed_as_rarely_as_is_asked_in_each_class(confidence, share, rng):
    missed: dict[int, list[bool]] = {0: [], 1: []}
    for _ in range(400):
        y = np.concatenate([[0, 1], (rng.random(60) < share).astype(int)])
        score = rng.normal(size=62) + 0.8 * y
        p = Conformal.fit(score[:32], y[:32]).p_values(score[32:])
        for label, row in zip(y[32:], p, strict=True):
            missed[int(label)].append(row[label] <= 1 - confidence)
    for label in (0, 1):
        assert np.mean(missed[label]) <= 1 - confidence + 0.01


@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.9])
@pytest.mark.parametrize("n", [16, 33])
def test_intervals_hold_the_value_as_often_as_is_asked(confidence, n, rng):
    hits = []
    for _ in range(2000):
        deviation = rng.uniform(0.5, 2, n + 1)
        y = deviation * rng.standard_t(3, n + 1)  # heavier tails than what is predicted
        model = ConformalInterval.fit(y[:n], np.zeros(n), deviation[:n])
        hits.append(abs(y[n]) <= model.width(confidence) * deviation[n])
    assert confidence - 0.02 <= np.mean(hits) <= confidence + 1 / (n + 1) + 0.02


def test_what_n_is_too_small_to_promise_is_everything():
    model = ConformalInterval.fit(np.arange(4.0), np.zeros(4), np.ones(4))
    assert model.width(0.8) == 3 and model.width(0.81) == math.inf

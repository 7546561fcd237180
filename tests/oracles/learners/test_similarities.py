"""Learners that see similarities alone: their formulas, written out row by row."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.kernel_ridge import KernelRidge
from torch import Tensor

from molmeta.errors import ConfigError
from molmeta.learners.base import Learner
from molmeta.learners.kernels import fingerprint_kernel
from molmeta.learners.learned_kernel import LearnedKernel, learned_kernel
from molmeta.learners.similarities import Similarities, log_size
from molmeta.learners.similarity_network import SimilarityNetwork
from molmeta.tasks.episode import Examples
from molmeta.tasks.targets import Classification, Regression

COLUMNS = {
    "ecfp4": slice(0, 12),
    "torsion": slice(12, 20),
    "descriptors": slice(20, 24),
    "vector": slice(24, 30),
}


@pytest.fixture
def rows(rng) -> Tensor:
    counts = rng.integers(0, 3, (40, 20)).astype(np.float32)
    return torch.from_numpy(np.hstack([counts, rng.normal(size=(40, 10)).astype(np.float32)]))


@pytest.fixture
def support(rows, rng) -> Examples:
    return Examples(rows[:16], torch.from_numpy(rng.permutation([0, 1] * 8)), Classification(2))


def shaken(learner: Learner) -> Learner:
    """With numbers that training might have found."""
    torch.manual_seed(1)
    for parameter in learner.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return learner.eval()


def test_similarities_are_min_max_direction_and_mean_squared_distance(rows):
    a, b = rows[3].numpy(), rows[5].numpy()
    found = Similarities(COLUMNS)(rows[3:4], rows[5:6]).flatten().numpy()
    counts = [np.minimum(a[k], b[k]).sum() / np.maximum(a[k], b[k]).sum() for k in COUNTS]
    u, v = a[24:], b[24:]
    cosine = u @ v / np.sqrt((u @ u) * (v @ v))
    distance = ((a[20:24] - b[20:24]) ** 2).mean()
    np.testing.assert_allclose(found, [*counts, np.exp(cosine - 1), distance], rtol=1e-5)


COUNTS = (COLUMNS["ecfp4"], COLUMNS["torsion"])


def test_the_mixture_is_its_formula(rows):
    learner = shaken(LearnedKernel(COLUMNS))
    kernel, n = learner.kernel, 16
    *alike, d2 = Similarities(COLUMNS)(rows[16:], rows[:n]).numpy()
    mixture = {name: p.detach().numpy() for name, p in kernel.mixture.named_parameters()}
    logits = mixture["weight"] + mixture["slope"] * np.log(n / 64) / np.log(4)
    w = np.exp(logits) / np.exp(logits).sum()
    near, alone = (np.exp(-d2 / (2 * np.exp(one) ** 2)) for one in mixture["log_length"])
    expected = sum(w[j] * s + w[3 + j] * s * near for j, s in enumerate(alike)) + w[6] * alone
    np.testing.assert_allclose(kernel(rows[16:], rows[:n]).detach(), expected, rtol=1e-5)


def test_before_training_it_is_nearly_the_fixed_kernel(rows):
    columns = {name: COLUMNS[name] for name in ("ecfp4", "torsion", "descriptors")}
    learned, fixed = LearnedKernel(columns).kernel, fingerprint_kernel(columns)
    fixed.length = 4**0.5  # one in the learned kernel's unit, for four descriptors
    assert (learned(rows, rows) - fixed(rows, rows)).abs().max() < 0.06  # .05 to descriptors alone


@pytest.mark.parametrize("target", [Classification(2), Regression()], ids=lambda t: t.kind)
def test_the_posterior_is_scikit_learns(rows, support, target):
    learner = shaken(LearnedKernel(COLUMNS))
    y = support.y if target == Classification(2) else support.y + rows[:16, 20]
    with torch.no_grad():
        found = learner(rows[16:], learner.adapt(Examples(rows[:16], y, target)))
        known, across = learner.kernel(rows[:16], rows[:16]), learner.kernel(rows[16:], rows[:16])
        noise = float(learner.noise_of(target, 16))
    labels = 2.0 * y.numpy() - 1 if target == Classification(2) else y.numpy()
    spread = 1.0 if target == Classification(2) else labels.std()
    peer = KernelRidge(kernel="precomputed", alpha=noise)
    peer.fit(known.numpy(), (labels - labels.mean()) / spread)
    expected = peer.predict(across.numpy()) * spread + labels.mean()
    column = 1 if target == Classification(2) else 0
    np.testing.assert_allclose(found[:, column].numpy(), expected, rtol=1e-4, atol=1e-5)


def test_noise_and_weights_follow_the_size_of_the_support(rows):
    learner = shaken(LearnedKernel(COLUMNS))
    assert log_size(16) == -1 and log_size(64) == 0 and log_size(256) == pytest.approx(1)
    noises = [learner.noise_of(Classification(2), n).item() for n in (16, 64, 256)]
    assert noises[0] / noises[1] == pytest.approx(noises[1] / noises[2], rel=1e-5)
    assert noises[0] != pytest.approx(noises[1], rel=1e-3)
    kernels = [learner.kernel.mixture(torch.ones(4, 2, 2), n) for n in (16, 64)]
    assert not torch.allclose(kernels[0], kernels[1])


def test_opinions_are_ridge_regressions_averages_and_the_nearest_label(rows, support):
    learner = shaken(SimilarityNetwork({"ecfp4": slice(0, 12)}, hidden=4))
    with torch.no_grad():
        state = learner.adapt(support)
        found = learner(rows[16:], state).numpy()
        kernel = Similarities({"ecfp4": slice(0, 12)})
        known, across = (kernel(rows[k], rows[:16])[0].numpy() for k in (slice(16), slice(16, 40)))
    y = 2.0 * support.y.numpy() - 1
    ridge = [across @ np.linalg.solve(known + s * np.eye(16), y) for s in (0.1, 0.4, 1.6)]
    soft = [np.exp(b * across) @ y / np.exp(b * across).sum(axis=1) for b in (5, 20)]
    opinions = np.stack([*ridge, *soft, y[across.argmax(axis=1)]])
    opinions = np.concatenate([opinions, opinions])  # of the one way, and of the mean of all
    seen = [across.max(axis=1)] * 2 + [across.mean(axis=1)] * 2
    facts = np.stack([*seen, np.full(24, -1), np.zeros(24)], axis=1).astype(np.float32)
    with torch.no_grad():
        weight = (learner.weight + learner.gate(torch.from_numpy(facts))).numpy()
    np.testing.assert_allclose(found[:, 1], (weight.T * opinions).sum(axis=0), rtol=2e-3, atol=1e-4)
    np.testing.assert_allclose(found[:, 0], -found[:, 1], rtol=1e-5, atol=1e-6)


def test_many_assays_and_known_rows_give_the_same(rows, support):
    for learner in (LearnedKernel(COLUMNS), SimilarityNetwork(COLUMNS)):
        learner = shaken(learner)
        other = Examples(rows[4:24], (rows[4:24, 20] > 0).long(), Classification(2))
        with torch.no_grad():
            states = [learner.adapt(one) for one in (support, other)]
            expected = [learner(rows[24:], state) for state in states]
            for a, b in zip(learner.for_tasks(rows[24:], states), expected, strict=True):
                torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
            one, known = learner.among(rows)
            again = one(known[24:], one.adapt(Examples(known[:16], support.y, support.target)))
        torch.testing.assert_close(again, expected[0], rtol=1e-4, atol=1e-4)


def test_an_encoder_without_counts_or_vectors_is_refused():
    with pytest.raises(ConfigError, match="compares counts or vectors"):
        learned_kernel(torch.nn.Identity(), Classification(2))

"""Two processes averaged: scikit-learn's evidence, means and variances, put together by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel
from torch import Tensor

from molmeta.encoders.features_with_prior import FeaturesWithPrior
from molmeta.errors import ConfigError
from molmeta.learners.averaged_process import MODELS, AveragedProcess, averaged_process
from molmeta.learners.gaussian_process import PriorMean
from molmeta.learners.kernels import Kernel
from molmeta.tasks.episode import Examples
from molmeta.tasks.targets import Classification, Regression

PRIOR = slice(3, 4)
LENGTHS = (0.5, 3.0)


class Gaussian(Kernel):
    def __init__(self, length: float) -> None:
        super().__init__()
        self.length = length

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return torch.exp(-torch.cdist(a[:, :3], b[:, :3]).square() / (2 * self.length**2))


@pytest.fixture
def learner() -> AveragedProcess:
    structure, properties = (Gaussian(length) for length in LENGTHS)
    return AveragedProcess(structure, PRIOR, properties, weight=0.5, noise=0.4, real_noise=0.2)


@pytest.fixture
def rows(rng) -> tuple[Tensor, Tensor]:
    x = torch.from_numpy(rng.normal(size=(40, 4)))
    return x[:24], x[24:]


def peers(x: Tensor, y: np.ndarray, noise: float) -> list[GaussianProcessRegressor]:
    found = []
    for share, less, _ in MODELS:
        parts = [ConstantKernel(c, "fixed") for c in (1 - share, share)]
        kernel = parts[0] * RBF(LENGTHS[0]) + parts[1] * RBF(LENGTHS[1])
        one = GaussianProcessRegressor(kernel, alpha=noise * less, optimizer=None)
        found.append(one.fit(x[:, :3].numpy(), y))
    return found


def weights(found: list[GaussianProcessRegressor]) -> np.ndarray:
    evidence = [one.log_marginal_likelihood_value_ for one in found]
    return softmax([e + m.log_prior for e, m in zip(evidence, MODELS, strict=True)])


def test_values_have_the_mean_and_the_variance_of_the_mixture(learner, rows, rng):
    support, query = rows
    y = support[:, 0].numpy() + 0.1 * rng.normal(size=24)
    state = learner.adapt(Examples(support, torch.from_numpy(y), Regression()))
    mean, log_variance = learner(query, state).unbind(dim=1)
    left = (y - y.mean()) / y.std() - 0.5 * support[:, 3].numpy()
    found = peers(support, left - left.mean(), 0.2)
    w = weights(found)
    np.testing.assert_allclose(state["weight"].numpy(), w, rtol=1e-9)
    assert 0.01 < w[0] < 0.99  # both have a say
    told = [one.predict(query[:, :3].numpy(), return_std=True) for one in found]
    means = np.stack([one for one, _ in told])
    noise = 0.2 * np.array([m.noise for m in MODELS])[:, None]
    variances = np.stack([one**2 for _, one in told]) + noise
    f = w @ means
    expected = (f + left.mean() + 0.5 * query[:, 3].numpy()) * y.std() + y.mean()
    np.testing.assert_allclose(mean.numpy(), expected, rtol=1e-9)
    variance = w @ (variances + (means - f) ** 2) * y.std() ** 2
    np.testing.assert_allclose(log_variance.exp().numpy(), variance, rtol=1e-8)


def test_classes_are_weighed_by_one_column_of_their_labels(learner, rows):
    support, query = rows
    y = (support[:, 0] > 0.2).long()
    state = learner.adapt(Examples(support, y, Classification(2)))
    left = 2.0 * y.numpy() - 1 - 0.5 * support[:, 3].numpy()
    found = peers(support, left - left.mean(), 0.4)
    w = weights(found)
    np.testing.assert_allclose(state["weight"].numpy(), w, rtol=1e-6)
    means = w @ np.stack([one.predict(query[:, :3].numpy()) for one in found])
    expected = means + left.mean() + 0.5 * query[:, 3].numpy()
    np.testing.assert_allclose(learner(query, state)[:, 1].numpy(), expected, rtol=1e-6)


def test_what_properties_tell_is_found_out_and_else_nothing_changes(learner, rng):
    x = torch.from_numpy(rng.normal(size=(60, 4)))
    x[:, 3] = 0
    alone = PriorMean(learner.kernel, PRIOR, weight=0.5, noise=0.4, real_noise=0.2)
    smooth = torch.sin(x[:, 0]) + x[:, 1]
    said = [one.adapt(Examples(x[:30], smooth[:30], Regression())) for one in (learner, alone)]
    errors = [
        (one(x[30:], state)[:, 0] - smooth[30:]).square().mean()
        for one, state in zip((learner, alone), said, strict=True)
    ]
    assert said[0]["weight"][1] > 0.99
    assert errors[0] < 0.5 * errors[1]
    noise = torch.from_numpy(rng.normal(size=30))
    assert learner.adapt(Examples(x[:30], noise, Regression()))["weight"][0] > 0.9


def test_descriptors_must_be_there():
    network = {"name": "fingerprint", "hidden": 16, "dim": 8}
    with pytest.raises(ConfigError, match="descriptors"):
        averaged_process(FeaturesWithPrior(["ecfp4"], network), Classification(2))

"""The Gaussian process is scikit-learn's; its kernel is what its formula says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.stats import multivariate_normal
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF
from torch import Tensor, nn

from molmeta.encoders.features import Features
from molmeta.encoders.features_with_prior import FeaturesWithPrior
from molmeta.encoders.fingerprint_network import FingerprintNetwork
from molmeta.errors import ConfigError
from molmeta.learners.base import Embedded
from molmeta.learners.deep_kernel import DeepKernel
from molmeta.learners.functional import tanimoto
from molmeta.learners.gaussian_process import (
    GaussianProcess,
    PriorMean,
    gaussian_process,
    prior_mean,
)
from molmeta.learners.kernels import LearnedRBF, fingerprint_kernel
from molmeta.learners.multi_task import MultiTask
from molmeta.models.checkpoints import from_pretrained
from molmeta.models.config import load_experiment
from molmeta.molecules.blocks import FINGERPRINTS
from molmeta.molecules.molecules import Molecules
from molmeta.tasks.assay import Assays
from molmeta.tasks.episode import Episode, Examples
from molmeta.tasks.targets import Classification, Regression
from molmeta.training.meta_training import meta_train

NETWORK = {"name": "fingerprint", "hidden": 16, "dim": 8}


class Near(nn.Module):
    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return torch.exp(-torch.cdist(a, b).square() / 2)


class FirstTwo(Near):
    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return super().forward(a[:, :2], b[:, :2])


@pytest.fixture
def rows(rng) -> tuple[Tensor, Tensor]:
    x = torch.from_numpy(rng.normal(size=(30, 3)))
    return x[:20], x[20:]


def theirs(x: Tensor, y: np.ndarray, noise: float) -> GaussianProcessRegressor:
    return GaussianProcessRegressor(RBF(), alpha=noise, optimizer=None).fit(x.numpy(), y)


def test_regression_is_scikit_learns(rows, rng):
    support, query = rows
    y = rng.normal(loc=6, scale=2, size=20)
    learner = GaussianProcess(Near(), real_noise=0.3)
    state = learner.adapt(Examples(support, torch.from_numpy(y), Regression()))
    mean, log_variance = learner(query, state).unbind(dim=1)
    peer = theirs(support, (y - y.mean()) / y.std(), 0.3)
    expected, deviation = peer.predict(query.numpy(), return_std=True)
    np.testing.assert_allclose(mean.numpy(), expected * y.std() + y.mean(), rtol=1e-9)
    variance = (deviation**2 + 0.3) * y.std() ** 2
    np.testing.assert_allclose(log_variance.exp().numpy(), variance, rtol=1e-9)


def test_classification_regresses_on_labels_of_one_and_minus_one(rows):
    support, query = rows
    y = (support[:, 0] > 0.3).long()
    learner = GaussianProcess(Near(), noise=0.4)
    outputs = learner(query, learner.adapt(Examples(support, y, Classification(2))))
    signs = 2.0 * y.numpy() - 1
    expected = theirs(support, signs - signs.mean(), 0.4).predict(query.numpy()) + signs.mean()
    np.testing.assert_allclose(outputs[:, 1].numpy(), expected, rtol=1e-6)
    np.testing.assert_allclose(outputs[:, 0].numpy(), -expected, rtol=1e-6)
    active = Classification(2).score(outputs).numpy()
    np.testing.assert_allclose(active, (1 + np.tanh(expected)) / 2, rtol=1e-6)


def test_a_prior_mean_is_a_gaussian_process_on_what_it_leaves(rows, rng):
    support, query = rows
    y = rng.normal(loc=6, scale=2, size=20)
    learner = PriorMean(FirstTwo(), prior=slice(2, 3), weight=0.5, real_noise=0.3)
    state = learner.adapt(Examples(support, torch.from_numpy(y), Regression()))
    mean = learner(query, state)[:, 0].numpy()
    left = (y - y.mean()) / y.std() - 0.5 * support[:, 2].numpy()
    fitted = theirs(support[:, :2], left - left.mean(), 0.3).predict(query[:, :2].numpy())
    expected = fitted + left.mean() + 0.5 * query[:, 2].numpy()
    np.testing.assert_allclose(mean, expected * y.std() + y.mean(), rtol=1e-9)


def test_the_prior_speaks_for_the_active_class(rows):
    support, query = rows
    y = (support[:, 0] > 0.3).long()
    learner = PriorMean(FirstTwo(), prior=slice(2, 3), weight=0.5)
    higher = query + torch.tensor([0.0, 0.0, 1.0])
    state = learner.adapt(Examples(support, y, Classification(2)))
    change = learner(higher, state) - learner(query, state)
    np.testing.assert_allclose(change.numpy(), np.tile([-0.5, 0.5], (10, 1)), rtol=1e-9)


def test_the_prior_is_the_mean_of_the_heads_with_spread_one(drugs: Molecules):
    model = prior_mean(FeaturesWithPrior(["ecfp4"], NETWORK), Classification(2))
    assert isinstance(model, Embedded)
    together = model.for_training(["a", "b", "c"])
    assert isinstance(together, MultiTask)
    y = torch.arange(len(drugs)) % 2
    part = Examples(drugs, y, Classification(2))
    for _ in range(300):  # so that the running variance settles
        together.meta_loss([Episode(part, part, name) for name in ("a", "b", "c")])
    used = together.for_use()
    assert used is model
    h = model.encoder.network(drugs)
    heads = together.heads
    mean = torch.stack([h @ w for w in heads.weight]).mean(dim=0)
    column = model.encoder(drugs)[:, model.encoder.columns["prior"]][:, 0]
    spread = mean.repeat(6).std()  # six parts a step
    torch.testing.assert_close(column, mean / spread, rtol=1e-4, atol=1e-4)


def test_the_multi_task_loss_is_each_assays_own(drugs: Molecules):
    model = prior_mean(FeaturesWithPrior(["ecfp4"], NETWORK), Classification(2))
    together = model.for_training(["a", "b"])
    y = torch.arange(len(drugs)) % 2
    first = Examples(drugs[:10], y[:10], Classification(2))
    rest = Examples(drugs[10:], y[10:], Classification(2))
    episodes = [Episode(first, rest, "b"), Episode(rest, first, "a")]
    h = model.encoder.network(drugs)
    losses = [
        F.binary_cross_entropy_with_logits(
            h @ together.heads.weight[t] + together.heads.bias[t], y.float()
        )
        for t in (0, 1)
    ]
    torch.testing.assert_close(together.meta_loss(episodes), sum(losses) / 2)


def test_multi_task_training_ends_in_a_model_that_is_loaded_again(embedded, tmp_path):
    experiment = load_experiment("prior_mean")
    small = {"name": "features_with_prior", "blocks": ["ecfp4"], "network": NETWORK}
    experiment = replace(
        experiment,
        model=replace(experiment.model, encoder=small),
        training=replace(experiment.training, steps=4, evaluate_every=2),
    )
    first, *others = (
        replace(a, molecules=Molecules(a.molecules[:100].smiles), values=a.values[:100])
        for a in list(embedded.values())[:4]
    )
    model = meta_train(experiment, Assays(others), Assays([first]), save_dir=tmp_path)
    again = from_pretrained(tmp_path)
    assert not any("heads" in name for name, _ in again.learner.named_parameters())
    x = first.molecules
    torch.testing.assert_close(again.learner.encoder(x), model.learner.encoder(x))


def test_the_kernel_is_its_formula(drugs: Molecules):
    encoder = Features([*FINGERPRINTS, "descriptors"])
    x = encoder(drugs[:6])
    kernel = fingerprint_kernel(encoder.columns)
    kernel.weight, kernel.length = 0.6, 3.0
    found = kernel(x, x).numpy()
    blocks = [drugs.block(name).take(drugs.index[:6]).dense() for name in FINGERPRINTS]
    descriptors = drugs.block("descriptors").take(drugs.index[:6]).values.astype(float)
    for i in range(6):
        for j in range(6):
            alike = [np.minimum(b[i], b[j]).sum() / np.maximum(b[i], b[j]).sum() for b in blocks]
            squared = ((descriptors[i] - descriptors[j]) ** 2).sum()
            expected = np.mean(alike) * (0.4 + 0.6 * np.exp(-squared / 18))
            assert found[i, j] == pytest.approx(expected, abs=2e-5)


def test_the_deep_kernels_loss_is_a_normal_density(rows):
    support, query = rows
    kernel = LearnedRBF(0.7).double()
    learner = DeepKernel(kernel, noise=0.3).double()
    x = torch.cat([support, query])
    y = (x[:, 0] > 0.3).long()
    target = Classification(2)
    episode = Episode(Examples(support, y[:20], target), Examples(query, y[20:], target), "one")
    unit = x - x.mean(dim=1, keepdim=True)
    unit = (unit / unit.norm(dim=1, keepdim=True)).numpy()
    squared = ((unit[:, None] - unit[None]) ** 2).sum(axis=2)
    covariance = np.exp(-squared / (2 * 0.7**2)) + 0.3 * np.eye(30)
    signs = 2.0 * y.numpy() - 1
    density = multivariate_normal(cov=covariance).logpdf(signs - signs.mean())
    assert learner.loss(episode).item() == pytest.approx(-density / 30, rel=1e-4)


def test_a_kernel_needs_blocks():
    with pytest.raises(ConfigError, match="encoder 'features'"):
        gaussian_process(FingerprintNetwork(16, 8), Classification(2))


def test_the_shipped_experiment_reads_five_fingerprints_and_descriptors():
    learner = load_experiment("gaussian_process").model.build()
    assert learner.encoder.blocks == (*FINGERPRINTS[:5], "descriptors")


@pytest.mark.parametrize("largest", [1, 3, 40])
def test_min_max_similarity_of_counts_is_its_definition(largest: int, rng) -> None:
    a, b = (
        torch.from_numpy(
            rng.integers(0, largest + 1, (n, 30)) * (rng.random((n, 30)) < 0.3)
        ).float()
        for n in (7, 9)
    )
    a[2], b[3] = 0, 0
    low, high = torch.minimum(a[:, None], b).sum(-1), torch.maximum(a[:, None], b).sum(-1)
    expected = low / high.clamp(min=1e-12)
    torch.testing.assert_close(tanimoto(a, b), expected, rtol=1e-6, atol=0)
    fractions = tanimoto(a + 0.25, b + 0.25)  # by absolute differences
    low, high = (torch.minimum(a[:, None], b) + 0.25), (torch.maximum(a[:, None], b) + 0.25)
    torch.testing.assert_close(fractions, low.sum(-1) / high.sum(-1), rtol=1e-5, atol=1e-6)


def test_min_max_similarity_of_counts_does_not_depend_on_other_rows(rng) -> None:
    a, b = (torch.from_numpy(rng.integers(0, 4, (n, 300))).float() for n in (50, 60))
    whole = tanimoto(a, b)
    assert torch.equal(whole[7:8], tanimoto(a[7:8], b))
    assert torch.equal(whole[:, 5:9], tanimoto(a, b[5:9]))


def test_many_tasks_are_those_one_by_one(rng) -> None:
    learner = GaussianProcess(Near())
    x = torch.from_numpy(rng.normal(size=(9, 3)))
    states = [
        learner.adapt(Examples(part, torch.arange(n) % 2, Classification(2)))
        for n in (6, 9, 7)
        for part in [torch.from_numpy(rng.normal(size=(n, 3)))]
    ]
    for together, state in zip(learner.for_tasks(x, states), states, strict=True):
        torch.testing.assert_close(together, learner(x, state), rtol=1e-12, atol=1e-12)

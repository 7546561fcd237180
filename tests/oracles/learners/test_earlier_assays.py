"""Earlier assays beside a new one: scikit-learn's process on all of them, by its own kernel."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, Kernel
from torch import Tensor

from molmeta.errors import ConfigError
from molmeta.learners import Prototypical
from molmeta.learners.averaged_process import AveragedProcess
from molmeta.learners.earlier_assays import RELATIONS
from molmeta.learners.gaussian_process import GaussianProcess, PriorMean
from molmeta.learners.kernels import Kernel as OurKernel
from molmeta.learners.kernels import gaussian
from molmeta.tasks import Classification, Examples, Regression

LENGTH, NOISE = 1.5, 0.2


class Gaussian(OurKernel):
    def __init__(self, length: float = LENGTH) -> None:
        super().__init__()
        self.length = length

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return gaussian(a[:, :3], b[:, :3], self.length)


class OfSeveral(Kernel):
    """A Gaussian of three columns, times B of the assays whose number is the fourth."""

    def __init__(self, between: np.ndarray) -> None:
        self.between = between

    def __call__(self, a, b=None, eval_gradient=False):
        b = a if b is None else b
        assays = self.between[a[:, 3].astype(int)[:, None], b[:, 3].astype(int)]
        return RBF(LENGTH)(a[:, :3], b[:, :3]) * assays

    def diag(self, x):
        return np.ones(len(x))

    def is_stationary(self):
        return False


@pytest.fixture
def assays(rng) -> list[Examples]:
    """A new assay of 12, an earlier one of the same thing, and one of noise."""
    x = torch.from_numpy(rng.normal(size=(92, 3)))
    y = (x[:, 0] + torch.sin(2 * x[:, 1])).clone()
    y[52:] = torch.from_numpy(rng.normal(size=40))
    return [Examples(x[s], y[s], Regression()) for s in (slice(12), slice(12, 52), slice(52, 92))]


@pytest.fixture
def query(rng) -> tuple[Tensor, Tensor]:
    x = torch.from_numpy(rng.normal(size=(60, 3)))
    return x, x[:, 0] + torch.sin(2 * x[:, 1])


def scaled(y: Tensor) -> np.ndarray:
    mean, spread = Regression().scale(y)
    z = ((y - mean) / spread).numpy()
    return z - z.mean()


def test_mean_is_that_of_one_process_for_all_assays(assays, query):
    new, same, other = assays
    learner = GaussianProcess(Gaussian(), real_noise=NOISE).knowing([same, other])
    state = learner.adapt(new)
    told, rho = len(state["x"]) - len(new), float(state["relation"][-1])
    assert told == len(same) and rho in RELATIONS[1:]  # the other says nothing
    rows = [np.column_stack([e.x, np.full(len(e), k)]) for k, e in enumerate((new, same))]
    process = GaussianProcessRegressor(
        OfSeveral(np.array([[1, rho], [rho, 1]])), alpha=NOISE, optimizer=None
    )
    order = Gaussian()(same.x, new.x).amax(dim=1).argsort(descending=True, stable=True)
    assert torch.equal(state["x"][len(new) :], same.x[order])
    process.fit(np.concatenate(rows), np.concatenate([scaled(new.y), scaled(same.y)]))
    asked = np.column_stack([query[0], np.zeros(len(query[0]))])
    mean, deviation = process.predict(asked, return_std=True)
    outputs = learner(query[0], state).numpy()
    centre, spread = (float(part) for part in Regression().scale(new.y))
    left = float(state["mean"])
    np.testing.assert_allclose(outputs[:, 0], (mean + left) * spread + centre, atol=1e-6)
    variance = (deviation**2 + NOISE) * spread**2
    np.testing.assert_allclose(np.exp(outputs[:, 1]), variance, rtol=1e-5)
    ranked = learner.ranking([state], Regression())(query[0])
    np.testing.assert_allclose(ranked[:, 0], outputs[:, 0], atol=1e-9)


@pytest.mark.parametrize("kind", ["plain", "prior", "averaged"])
@pytest.mark.parametrize("classes", [False, True])
def test_an_assay_of_the_same_thing_helps_and_noise_does_not_hurt(assays, query, kind, classes):
    new, same, other = assays
    if classes:
        new = Examples(new.x, (new.y > new.y.median()).long(), Classification(2))
    learner = {
        "plain": lambda: GaussianProcess(Gaussian()),
        "prior": lambda: PriorMean(Gaussian(), slice(2, 3), weight=0.0),
        "averaged": lambda: AveragedProcess(Gaussian(), slice(2, 3), Gaussian(3.0), weight=0.0),
    }[kind]()

    def agreement(one) -> float:
        outputs = one(query[0], one.adapt(new))
        return float(
            torch.corrcoef(torch.stack([outputs[:, -1 if classes else 0], query[1]]))[0, 1]
        )

    alone = agreement(learner)
    assert agreement(learner.knowing([same])) > alone + 0.05
    unchanged, state = learner.knowing([other]).adapt(new), learner.adapt(new)
    assert len(unchanged["x"]) == len(new)
    torch.testing.assert_close(unchanged["inverse"], state["inverse"], rtol=0, atol=0)


def test_bounds_and_classes_of_earlier_assays_are_read(assays, query):
    new, same, _ = assays
    learner = GaussianProcess(Gaussian())
    high = same.y > same.y.median()
    bounded = Examples(same.x, torch.where(high, same.y.median(), same.y), same.target, high.long())
    as_classes = Examples(same.x, high.long(), Classification(2))
    for earlier in (bounded, as_classes):
        one = learner.knowing([earlier])
        state = one.adapt(new)
        assert float(state["relation"][-1]) > 0
        found = one(query[0], state)[:, 0]
        assert torch.corrcoef(torch.stack([found, query[1]]))[0, 1] > 0.8


def test_other_learners_say_that_they_have_no_use_for_them(assays):
    with pytest.raises(ConfigError, match="Prototypical learns from one assay alone"):
        Prototypical().knowing(assays)

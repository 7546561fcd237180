"""Bounds of a Gaussian process, against numerical integration of the exact posterior."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from molmeta.baselines.nearest_neighbours import NearestNeighbours
from molmeta.errors import MolmetaError, OneClassSupport, UnsupportedTarget
from molmeta.learners.censored import exact_for_bounds
from molmeta.learners.gaussian_process import GaussianProcess
from molmeta.tasks.assay import Assay
from molmeta.tasks.episode import Examples
from molmeta.tasks.targets import Classification, Regression


class Gaussian(nn.Module):
    """A kernel on vectors."""

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return torch.exp(-torch.cdist(a, b).square() / 2)


def moments(k: np.ndarray, y: np.ndarray, noise: float, censor: np.ndarray) -> np.ndarray:
    """Posterior mean and variance of the last f, by integration over all (three)."""
    prior, spread = stats.multivariate_normal(np.zeros(len(k)), k), np.sqrt(noise)
    grid = np.linspace(-5, 5, 81)
    points = np.stack(np.meshgrid(grid, grid, grid, indexing="ij"), -1).reshape(-1, 3)
    weights = prior.pdf(points)
    for i, (bound, side) in enumerate(zip(y, censor, strict=True)):
        f = points[:, i]
        weights *= (
            stats.norm.pdf(bound, f, spread)
            if side == 0
            else stats.norm.cdf(side * (f - bound) / spread)
        )
    last = points[:, -1]
    mean = np.average(last, weights=weights)
    return np.array([mean, np.average((last - mean) ** 2, weights=weights)])


@pytest.mark.parametrize(
    "censor", [(0, 0), (1, 0), (-1, 0), (0, 1), (1, 1), (-1, -1), (1, -1)], ids=str
)
@pytest.mark.parametrize("bounds", [(0.5, -0.3), (-1.0, 1.2), (2.0, 2.0)], ids=str)
def test_the_posterior_of_a_third_point_is_that_of_integration(censor, bounds):
    x = torch.tensor([[0.0], [0.9], [0.5]], dtype=torch.float64)
    k = Gaussian()(x, x) + 1e-9 * torch.eye(3)
    noise = 0.2
    expected = moments(k.numpy(), np.array(bounds), noise, np.array(censor))
    y = torch.tensor(bounds, dtype=torch.float64)[:, None]
    values, noises = exact_for_bounds(
        k[:2, :2], y, torch.full((2,), noise, dtype=torch.float64), torch.tensor(censor)
    )
    inverse = torch.linalg.inv(k[:2, :2] + torch.diag(noises))
    mean = (k[2, :2] @ inverse @ values).item()
    variance = (k[2, 2] - k[2, :2] @ inverse @ k[:2, 2]).item()
    assert mean == pytest.approx(expected[0], abs=0.01)
    assert variance == pytest.approx(expected[1], abs=0.015)  # EP is not exact for two bounds
    if censor == (0, 0):
        assert torch.equal(values, y) and noises.tolist() == pytest.approx([noise] * 2)


def test_one_bound_has_the_moments_of_a_truncated_normal():
    """With one label expectation propagation is exact: y | y > b is a truncated normal."""
    bound, noise = 0.7, 0.3
    k = torch.ones(1, 1, dtype=torch.float64)
    values, noises = exact_for_bounds(
        k, torch.tensor([[bound]]).double(), torch.tensor([noise]).double(), torch.tensor([1])
    )
    total = 1 + noise
    truncated = stats.truncnorm(bound / np.sqrt(total), np.inf, scale=np.sqrt(total))
    assert (values / (1 + noises)).item() == pytest.approx(truncated.mean() / total, rel=1e-5)
    expected = noise / total + truncated.var() / total**2
    assert (1 - 1 / (1 + noises)).item() == pytest.approx(expected, rel=1e-5)


@pytest.fixture
def support(rng: np.random.Generator) -> Examples:
    x = torch.from_numpy(rng.normal(size=(20, 3))).float()
    y = 6 + x[:, 0] + 0.1 * torch.from_numpy(rng.normal(size=20)).float()
    return Examples(x, y, Regression())


def test_a_bound_that_is_met_hardly_changes_the_prediction(support):
    learner = GaussianProcess(Gaussian())
    plain = learner.adapt(support)
    x = torch.cat([support.x, support.x[:1] + 0.01])
    censor = torch.zeros(21, dtype=torch.long)
    censor[-1] = 1
    y = torch.cat([support.y, support.y[:1] - 3])
    with_bound = learner.adapt(Examples(x, y, Regression(), censor))
    as_value = learner.adapt(Examples(x, y, Regression()))
    at = support.x[:1]
    known = learner(at, plain)[0, 0]
    assert abs(learner(at, with_bound)[0, 0] - known) < 0.25
    assert learner(at, as_value)[0, 0] < known - 0.5


def test_a_bound_that_is_not_met_moves_the_prediction(support):
    learner = GaussianProcess(Gaussian())
    x = torch.cat([support.x, support.x[:1] + 0.01])
    y = torch.cat([support.y, support.y[:1] + 2])
    for side, moved in ((1, True), (-1, False)):
        censor = torch.zeros(21, dtype=torch.long)
        censor[-1] = side
        state = learner.adapt(Examples(x, y, Regression(), censor))
        now = learner(support.x[:1], state)[0, 0]
        before = learner(support.x[:1], learner.adapt(support))[0, 0]
        assert (now > before + 0.2) == moved


def test_many_bounds_give_finite_states(rng):
    x = torch.from_numpy(rng.normal(size=(60, 2))).float()
    y = torch.full((60,), 5.0)
    y[:20] = 6 + x[:20, 0]
    censor = torch.zeros(60, dtype=torch.long)
    censor[20:] = -1
    learner = GaussianProcess(Gaussian())
    state = learner.adapt(Examples(x, y, Regression(), censor))
    assert all(torch.isfinite(t).all() for t in state.values())
    outputs = learner(x, state)
    assert torch.isfinite(outputs).all() and outputs[20:, 0].mean() < 5.5


def test_learners_that_read_no_bounds_refuse_them_by_name(support):
    censored = Examples(support.x, support.y, Regression(), torch.ones(20, dtype=torch.long))
    with pytest.raises(UnsupportedTarget, match="NearestNeighbours reads no bounds"):
        NearestNeighbours().adapt(censored)


@pytest.mark.parametrize(
    ("censor", "message"),
    [([1, 0], "censor has shape"), ([2] * 20, r"found \[2\]"), ([1] * 19, "censor has shape")],
)
def test_a_wrong_censor_is_refused(support, censor, message):
    with pytest.raises(MolmetaError, match=message):
        Examples(support.x, support.y, Regression(), torch.tensor(censor))


def test_classes_have_no_bounds(support):
    with pytest.raises(MolmetaError, match="classes have no bounds"):
        Examples(support.x, torch.arange(20) % 2, Classification(2), torch.ones(20).long())


class TestThresholds:
    """Which side of a threshold a bound is on."""

    values = np.array([4.0, 5.0, 6.0, 7.0, 8.0, 5.5])

    def assay(self, censor: list[int]) -> Assay:
        x = torch.arange(6)[:, None]
        return Assay("A", x, self.values, Regression(), {}, np.array(censor))

    def test_bounds_beyond_the_threshold_are_decided(self):
        binary = self.assay([-1, 0, 1, 0, 1, 0]).binarise(5.5)
        assert binary.values.tolist() == [0, 0, 1, 1, 1, 1] and binary.censor is None

    def test_bounds_that_are_open_to_the_other_side_are_left_out(self):
        binary = self.assay([1, 0, -1, 0, 0, 0]).binarise(5.5)
        assert binary.molecules[:, 0].tolist() == [1, 3, 4, 5]
        assert binary.info["undecided"] == "2 bounds"

    def test_at_the_threshold_a_lower_bound_is_active_and_an_upper_one_is_not(self):
        assert self.assay([0, 0, 0, 0, 0, 1]).binarise(5.5).values[-1] == 1
        assert self.assay([0, 0, 0, 0, 0, -1]).binarise(5.5).values[-1] == 0

    def test_the_median_is_that_of_values_and_bounds(self):
        one = self.assay([-1, 0, 0, 0, 1, 0])
        assert one.binarise().values.tolist() == [0, 0, 1, 1, 1, 0]
        measured = one.measured()
        assert measured.active.tolist() == [0, 0, 1, 1, 1, 0]
        assert measured.censor.tolist() == one.censor.tolist()

    def test_one_class_is_refused(self):
        one = self.assay([1, 1, -1, 0, 1, 1]).take(np.array([0, 2, 3, 4]))
        with pytest.raises(OneClassSupport, match="all 2 measurements are active"):
            one.binarise(5.5)

"""Reptile's inner loop equals torch's optimisers, its gradient is θ − φ, in float64."""

from __future__ import annotations

import copy
import tomllib
from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from molmeta.errors import ConfigError
from molmeta.learners.base import Embedded
from molmeta.learners.reptile import Reptile
from molmeta.models import Training
from molmeta.tasks.episode import Episode, Examples
from molmeta.tasks.targets import Classification, Regression, Target
from molmeta.training import MetaTrainer

RATE, STEPS = 0.05, 7
EXACT = {"rtol": 1e-10, "atol": 1e-10}
TARGETS = [Classification(2), Classification(5), Regression()]
OPTIMISERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=RATE),
    "adam": lambda p: torch.optim.Adam(p, lr=RATE, betas=(0.0, 0.999), eps=1e-8),
}


def network(target: Target) -> nn.Module:
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, target.width)).double()


def examples(n: int, target: Target) -> Examples:
    if isinstance(target, Classification):
        y = torch.arange(n) % target.n_way
    else:
        y = 6 + 2 * torch.randn(n, dtype=torch.float64)
    return Examples(torch.randn(n, 4, dtype=torch.float64), y, target)


def episode_of(target: Target) -> Episode:
    return Episode(examples(10, target), examples(13, target))


def inner_loss(outputs: Tensor, y: Tensor, target: Target) -> Tensor:
    """Cross-entropy, or squared error with a variance that follows the squared error."""
    if isinstance(target, Classification):
        return -F.log_softmax(outputs, dim=1)[torch.arange(len(y)), y].mean()
    squared = (y - outputs[:, 0]) ** 2
    log_var = outputs[:, 1]
    return 0.5 * (squared + log_var + squared.detach() / log_var.exp()).mean()


def scaled(y: Tensor, support: Examples) -> Tensor:
    """Labels on the scale of the support's, if they are reals."""
    if isinstance(support.target, Classification):
        return y
    return (y - support.y.mean()) / support.y.std(correction=0)


def mini_batches(episode: Episode, size: int) -> list[tuple[Tensor, Tensor]]:
    """STEPS mini-batches, each every b-th example of support and query in a row."""
    x = torch.cat([episode.support.x, episode.query.x])
    y = scaled(torch.cat([episode.support.y, episode.query.y]), episode.support)
    b = len(y) // size
    return [(x[step % b :: b], y[step % b :: b]) for step in range(STEPS)]


def trained(start: nn.Module, optimiser: str, batches, target: Target) -> list[Tensor]:
    """The weights φ that one of torch's optimisers ends in."""
    copied = copy.deepcopy(start)
    steps = OPTIMISERS[optimiser](copied.parameters())
    for x, y in batches:
        steps.zero_grad()
        inner_loss(copied(x), y, target).backward()
        steps.step()
    return [p.detach() for p in copied.parameters()]


@dataclass(frozen=True)
class Drawn:
    """A sampler that draws the same episodes at every step."""

    episodes: list[Episode]

    @property
    def meta_batch_size(self) -> int:
        return len(self.episodes)

    def meta_batch(self, step: int) -> list[Episode]:
        return self.episodes


def gradient(learner: Reptile, episodes: list[Episode]) -> list[Tensor]:
    return list(torch.autograd.grad(learner.meta_loss(episodes), list(learner.parameters())))


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_the_gradient_is_theta_minus_the_weights_of_torchs_optimiser(target, optimiser):
    net, episode = network(target), episode_of(target)
    learner = Reptile(net, RATE, STEPS, batch_size=5, optimiser=optimiser)
    phi = trained(net, optimiser, mini_batches(episode, 5), target)
    expected = [theta.detach() - p for theta, p in zip(net.parameters(), phi, strict=True)]
    assert all(difference.abs().max() > 1e-4 for difference in expected)
    torch.testing.assert_close(gradient(learner, [episode]), expected, **EXACT)
    half_square = 0.5 * sum((d**2).sum() for d in expected)
    torch.testing.assert_close(learner.loss(episode).detach(), half_square, **EXACT)


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_with_one_step_of_sgd_it_is_the_rate_times_the_loss_gradient(target):
    net, episode = network(target), episode_of(target)
    learner = Reptile(net, RATE, inner_steps=1, batch_size=100)
    x = torch.cat([episode.support.x, episode.query.x])
    y = scaled(torch.cat([episode.support.y, episode.query.y]), episode.support)
    loss = inner_loss(net(x), y, target)
    expected = [RATE * g for g in torch.autograd.grad(loss, list(net.parameters()))]
    torch.testing.assert_close(gradient(learner, [episode]), expected, **EXACT)


@pytest.mark.parametrize("tasks", [1, 3], ids=["serial", "batched"])
@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_a_step_of_plain_sgd_is_the_update_of_the_paper(tasks, optimiser):
    target, epsilon = Classification(3), 0.3
    net, episodes = network(target), [episode_of(target) for _ in range(tasks)]
    learner = Reptile(net, RATE, STEPS, batch_size=5, optimiser=optimiser)
    theta = [p.detach().clone() for p in net.parameters()]
    ends = [trained(net, optimiser, mini_batches(e, 5), target) for e in episodes]
    expected = []
    for i, start in enumerate(theta):
        moved = torch.zeros_like(start)
        for end in ends:
            moved += (end[i] - start) / tasks
        expected.append(start + epsilon * moved)
    settings = tomllib.loads(f"steps = 1\nlr = {epsilon}\noptimiser = 'sgd'\nclip = inf")
    MetaTrainer(learner, Drawn(episodes), Training(weight_decay=0, **settings)).train_step()
    torch.testing.assert_close([p.detach() for p in net.parameters()], expected, **EXACT)


def test_the_distance_counts_phi_as_a_constant():
    """The derivative of θ − φ by θ is then the identity; else it had the derivative of φ, too."""
    target = Classification(2)
    net, episode = network(target), episode_of(target)
    loss = Reptile(net, RATE, STEPS).loss(episode)
    parameters = list(net.parameters())
    grads = torch.autograd.grad(loss, parameters, create_graph=True)
    total = sum(g.sum() for g in grads)
    for second in torch.autograd.grad(total, parameters):
        torch.testing.assert_close(second, torch.ones_like(second), **EXACT)


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_adapt_steps_on_the_whole_support_and_on_nothing_else(target, optimiser):
    net, support = network(target), examples(10, target)
    learner = Reptile(net, RATE, inner_steps=2, test_steps=STEPS, batch_size=3, optimiser=optimiser)
    batches = [(support.x, scaled(support.y, support))] * STEPS
    phi = trained(net, optimiser, batches, target)
    state = learner.adapt(support)
    found = [state[name] for name, _ in net.named_parameters()]
    torch.testing.assert_close([p.detach() for p in found], phi, **EXACT)
    end = copy.deepcopy(net)
    end.load_state_dict(dict(zip((n for n, _ in net.named_parameters()), phi, strict=True)))
    x = torch.randn(5, 4, dtype=torch.float64)
    outputs = end(x)
    if isinstance(target, Regression):
        spread = support.y.std(correction=0)
        mean, log_var = outputs.unbind(dim=1)
        outputs = torch.stack([support.y.mean() + spread * mean, log_var + 2 * spread.log()], dim=1)
    torch.testing.assert_close(learner(x, state), outputs, **EXACT)


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_batches_come_from_support_and_query_together(target):
    episode = episode_of(target)
    batches = Reptile(network(target), RATE, STEPS, batch_size=5).batches(episode)
    for (x, y), (wanted_x, wanted_y) in zip(batches, mini_batches(episode, 5), strict=True):
        assert torch.equal(x, wanted_x)
        torch.testing.assert_close(y, wanted_y, **EXACT)
    one_round = torch.cat([x for x, _ in batches[:4]])  # 23 examples in four batches
    everything = torch.cat([episode.support.x, episode.query.x])
    assert sorted(one_round.tolist()) == sorted(everything.tolist())
    for x, _ in batches:
        for part in (episode.support.x, episode.query.x):
            assert any(row in part.tolist() for row in x.tolist())


def test_an_encoder_below_it_is_refused():
    target = Classification(2)
    with pytest.raises(ConfigError, match=r"Reptile .* would leave the encoder untrained"):
        Embedded(nn.Linear(4, 4), Reptile(nn.Linear(4, target.width)))
    Embedded(nn.Identity(), Reptile(nn.Linear(4, target.width)))  # nothing to train there


def test_another_inner_optimiser_is_refused():
    with pytest.raises(ConfigError, match="no inner optimiser 'lbfgs'; there is: adam, sgd"):
        Reptile(nn.Linear(4, 2), optimiser="lbfgs")

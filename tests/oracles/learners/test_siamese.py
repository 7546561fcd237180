"""Siamese networks against their equations, written out pair by pair."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from molmeta.learners.siamese import Siamese
from molmeta.tasks.episode import Episode, Examples
from molmeta.tasks.targets import Classification

DIM = 3


def learner_() -> Siamese:
    """With weights and a bias that are not those of the start."""
    learner = Siamese(DIM).double()
    with torch.no_grad():
        learner.log_alpha.copy_(torch.tensor([-1.0, 0.3, 0.8]))
        learner.bias.fill_(0.7)
    return learner


def examples(classes: list[int], n_way: int) -> Examples:
    """Random vectors of the given classes."""
    x = torch.randn(len(classes), DIM, dtype=torch.float64)
    return Examples(x, torch.tensor(classes), Classification(n_way))


def same_class(learner: Siamese, a: Tensor, b: Tensor) -> float:
    """σ(b − Σ α_j |a_j − b_j|), section 3.1."""
    total = learner.bias.item()
    for log_alpha, u, v in zip(learner.log_alpha.tolist(), a.tolist(), b.tolist(), strict=True):
        total -= math.exp(log_alpha) * abs(u - v)
    return 1 / (1 + math.exp(-total))


def close(actual: Tensor, expected: list[list[float]] | float) -> None:
    wanted = torch.tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(actual.detach(), wanted, rtol=1e-10, atol=1e-10)


def pair_loss(learner: Siamese, episode: Episode) -> float:
    """Mean cross-entropy of the pairs of one class and that of the others, half each."""
    x = torch.cat([episode.support.x, episode.query.x])
    y = episode.support.y.tolist() + episode.query.y.tolist()
    alike, different = [], []
    for i in range(len(y)):
        for j in range(i):
            p = same_class(learner, x[i], x[j])
            if y[i] == y[j]:
                alike.append(-math.log(p))
            else:
                different.append(-math.log(1 - p))
    assert len(alike) != len(different)
    return 0.5 * sum(alike) / len(alike) + 0.5 * sum(different) / len(different)


def test_the_probability_of_the_same_class():
    learner = learner_()
    a, b = (torch.randn(n, DIM, dtype=torch.float64) for n in (4, 3))
    expected = [[same_class(learner, row, other) for other in b] for row in a]
    close(learner.verify(a, b).sigmoid(), expected)


def test_the_weights_start_at_one_over_the_width():
    alpha = Siamese(8).log_alpha.exp()
    torch.testing.assert_close(alpha, torch.full((8,), 1 / 8))


def test_a_class_has_the_mean_probability_of_its_own_examples():
    learner, support = learner_(), examples([1, 0, 1, 2, 1, 2], 3)
    query = examples([0] * 7, 3).x
    expected = []
    for row in query:
        mean = []
        for k in range(3):
            own = [i for i, y in enumerate(support.y.tolist()) if y == k]
            mean.append(sum(same_class(learner, row, support.x[i]) for i in own) / len(own))
        expected.append([math.log(p / sum(mean)) for p in mean])
    close(learner(query, learner.adapt(support)), expected)


def test_one_shot_picks_the_most_alike():
    learner, support = learner_(), examples([3, 1, 0, 2], 4)
    query = examples([0] * 60, 4).x
    picked = []
    for row in query:
        likeness = [same_class(learner, row, other) for other in support.x]
        picked.append(support.y.tolist()[likeness.index(max(likeness))])
    assert set(picked) == {0, 1, 2, 3}
    assert learner(query, learner.adapt(support)).argmax(dim=1).tolist() == picked


@pytest.mark.parametrize(
    ("support", "query", "n_way"),
    [([0, 1, 2], [2, 2, 0], 3), ([1, 0, 1, 1], [0, 1, 1], 2), ([0, 1], [1], 2)],
)
def test_the_loss_is_over_all_pairs_with_both_kinds_weighing_the_same(support, query, n_way):
    learner = learner_()
    episode = Episode(examples(support, n_way), examples(query, n_way))
    close(learner.loss(episode), pair_loss(learner, episode))


def test_the_gradient_of_the_loss_is_that_of_the_loops():
    learner = learner_()
    episode = Episode(examples([0, 1, 2, 2], 3), examples([0, 2], 3))
    learner.loss(episode).backward()
    step = 1e-6
    for parameter in (learner.log_alpha, learner.bias):
        flat = parameter.detach().view(-1)
        for j, slope in enumerate(parameter.grad.view(-1).tolist()):
            start, ends = flat[j].item(), []
            for value in (start + step, start - step):
                flat[j] = value
                ends.append(pair_loss(learner, episode))
            flat[j] = start
            assert slope == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-6, abs=1e-8)


def test_it_starts_as_one_for_whom_the_same_is_alike() -> None:
    """The distance is the mean over the columns; of no distance, p = sigmoid(1)."""
    learner = Siamese(4)
    torch.testing.assert_close(learner.log_alpha.exp(), torch.full((4,), 0.25))
    assert learner.bias.item() == 1

"""Prototypical Networks against the classifiers that they are equal to."""

from __future__ import annotations

import torch

from molmeta.episode import Classification, Examples
from molmeta.learners.prototypical import Prototypical


def task(n_way: int, shots: int, dim: int = 6) -> Examples:
    """Random support vectors in float64."""
    y = torch.arange(n_way).repeat(shots)
    return Examples(torch.randn(len(y), dim, dtype=torch.float64), y, Classification(n_way))


def test_one_shot_is_the_nearest_neighbour():
    support = task(n_way=5, shots=1)
    query = torch.randn(200, 6, dtype=torch.float64)
    learner = Prototypical(dim=6).double()
    predicted = learner(query, learner.adapt(support)).argmax(dim=1)
    neighbour = support.y[torch.linalg.vector_norm(query[:, None] - support.x, dim=2).argmin(1)]
    assert len(neighbour.unique()) == 5
    assert torch.equal(predicted, neighbour)


def test_it_is_the_linear_classifier_of_its_docstring():
    support = task(n_way=4, shots=3)
    query = torch.randn(50, 6, dtype=torch.float64)
    learner = Prototypical(dim=3).double()
    with torch.no_grad():
        learner.log_scale.add_(0.4)
    tau = learner.log_scale.exp()
    c = torch.stack([support.x[support.y == k].mean(dim=0) for k in range(4)])
    weights, bias = 2 * tau * c, -tau * c.square().sum(dim=1)
    outputs = learner(query, learner.adapt(support))
    linear = query @ weights.T + bias
    torch.testing.assert_close(outputs.softmax(1), linear.softmax(1), rtol=1e-10, atol=1e-10)
    shared = -tau * query.square().sum(dim=1, keepdim=True)
    torch.testing.assert_close(outputs, linear + shared, rtol=1e-10, atol=1e-10)


def test_the_scale_starts_at_one_over_the_width():
    support, query = task(n_way=2, shots=2), torch.randn(9, 6, dtype=torch.float64)
    plain, scaled = Prototypical().double(), Prototypical(dim=8).double()
    outputs = [learner(query, learner.adapt(support)) for learner in (plain, scaled)]
    torch.testing.assert_close(outputs[1], outputs[0] / 8, rtol=1e-6, atol=1e-6)


def test_unbalanced_classes_have_the_means_of_their_own_examples():
    y = torch.tensor([1, 0, 1, 1, 1])
    support = Examples(torch.randn(5, 3), y, Classification(2))
    prototypes = Prototypical().adapt(support)["prototypes"]
    torch.testing.assert_close(prototypes[0], support.x[1])
    torch.testing.assert_close(prototypes[1], support.x[[0, 2, 3, 4]].mean(dim=0))

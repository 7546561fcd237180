"""Prototypical Networks against the equations and classifiers that they are equal to."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from molmeta.learners.base import Embedded
from molmeta.learners.distance import Cosine, GeneralisedKL, Mahalanobis, SquaredEuclidean
from molmeta.learners.prototypical import Description, Prototypical
from molmeta.tasks.episode import Episode, Examples
from molmeta.tasks.targets import Classification


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


WIDTH = 4


def rows(n: int) -> Tensor:
    return torch.randn(n, WIDTH, dtype=torch.float64)


def mahalanobis() -> Mahalanobis:
    """With a random, not symmetric A."""
    divergence = Mahalanobis(WIDTH).double()
    with torch.no_grad():
        divergence.factor.copy_(rows(WIDTH))
    return divergence


class Euclidean(SquaredEuclidean):
    """Not squared: no Bregman divergence."""

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        return super().forward(x, c).sqrt()


Phi = Callable[[Tensor], Tensor]


def bregman(name: str) -> tuple[SquaredEuclidean, Phi]:
    """A divergence and the convex function that it is of."""
    if name == "squared_euclidean":
        return SquaredEuclidean(), lambda v: v @ v
    if name == "generalised_kl":
        return GeneralisedKL(), lambda v: (v * v.log()).sum()
    divergence = mahalanobis()
    a = divergence.factor.detach()
    return divergence, lambda v: v @ a.T @ a @ v


BREGMAN = ("squared_euclidean", "mahalanobis", "generalised_kl")


def close(actual: Tensor, expected: list[list[float]]) -> None:
    wanted = torch.tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(actual.detach(), wanted, rtol=1e-10, atol=1e-10)


def test_mahalanobis_is_the_quadratic_form_of_its_matrix():
    divergence, x, c = mahalanobis(), rows(5), rows(3)
    a = divergence.factor.tolist()
    expected = []
    for u in x.tolist():
        expected.append([])
        for v in c.tolist():
            total = 0.0
            for i in range(WIDTH):
                for j in range(WIDTH):
                    gram = sum(a[k][i] * a[k][j] for k in range(WIDTH))
                    total += (u[i] - v[i]) * gram * (u[j] - v[j])
            expected[-1].append(total)
    close(divergence(x, c), expected)


def test_mahalanobis_starts_as_the_squared_distance():
    x, c = rows(5), rows(3)
    torch.testing.assert_close(Mahalanobis(WIDTH).double()(x, c), SquaredEuclidean()(x, c))


def test_generalised_kl_of_softplus_vectors():
    support, query = task(n_way=2, shots=3, dim=WIDTH), rows(5)
    learner = Prototypical(1, GeneralisedKL()).double()

    def positive(v: float) -> float:
        return math.log(1 + math.exp(v)) + 1e-6

    expected = []
    for row in query.tolist():
        expected.append([])
        for k in range(2):
            own = support.x[support.y == k].tolist()
            total = 0.0
            for j in range(WIDTH):
                x, c = positive(row[j]), sum(positive(example[j]) for example in own) / len(own)
                total += x * math.log(x / c) - x + c
            expected[-1].append(-total)
    close(learner(query, learner.adapt(support)), expected)


@pytest.mark.parametrize("name", BREGMAN)
def test_a_divergence_is_the_bregman_divergence_of_its_function(name):
    divergence, phi = bregman(name)
    x, c = divergence.domain(rows(5)), divergence.domain(rows(3))
    expected = []
    for u in x:
        expected.append([])
        for v in c:
            (slope,) = torch.autograd.grad(phi(point := v.clone().requires_grad_()), point)
            expected[-1].append((phi(u) - phi(v) - (u - v) @ slope).item())
    close(divergence(x, c), expected)


def summed(divergence: SquaredEuclidean, x: Tensor, centres: Tensor) -> Tensor:
    """Σ_i d(x_i, c) for each centre."""
    return divergence(x, centres).sum(dim=0)


@pytest.mark.parametrize("name", BREGMAN)
def test_the_mean_represents_a_class_best(name):
    divergence, _ = bregman(name)
    x = divergence.domain(rows(7))
    mean = x.mean(dim=0, keepdim=True)
    best = summed(divergence, x, mean)
    for size in (1e-3, 1e-2, 0.1):
        other = mean * (1 + size * rows(200).clamp(-3, 3))  # as positive as the mean
        assert (summed(divergence, x, other) > best).all()
    point = mean.clone().requires_grad_()
    (slope,) = torch.autograd.grad(summed(divergence, x, point).sum(), point)
    torch.testing.assert_close(slope, torch.zeros_like(slope), rtol=0, atol=1e-10)


@pytest.mark.parametrize("divergence", [Cosine(), Euclidean()])
def test_the_mean_is_not_the_best_for_other_distances(divergence):
    x = rows(7)
    mean = x.mean(dim=0, keepdim=True)
    other = mean * (1 + 0.1 * rows(200).clamp(-3, 3))
    assert (summed(divergence, x, other) < summed(divergence, x, mean) - 1e-3).any()


def zero_shot() -> tuple[Embedded, Episode]:
    """Three classes that have attributes in place of examples, and a query."""
    encoder = nn.Linear(5, WIDTH)
    model = Embedded(encoder, Prototypical(WIDTH), Description(6, 7, WIDTH, "attributes"))
    attributes = torch.randn(3, 6, dtype=torch.float64)
    support = Examples(attributes, torch.tensor([0, 1, 2]), Classification(3))
    x = torch.randn(8, 5, dtype=torch.float64)
    y = torch.tensor([0, 2, 1, 1, 0, 2, 2, 0])
    return model.double(), Episode(support, Examples(x, y, Classification(3)))


def described(model: Embedded, v: list[float]) -> list[float]:
    """g(v): two layers with a ReLU between them, then length one."""
    first, second = (m for m in model.support_encoder.modules() if isinstance(m, nn.Linear))
    for layer in (first, second):
        weights, biases = layer.weight.tolist(), layer.bias.tolist()
        v = [
            b + sum(w * u for w, u in zip(row, v, strict=True))
            for row, b in zip(weights, biases, strict=True)
        ]
        if layer is first:
            v = [max(0.0, u) for u in v]
    length = math.sqrt(sum(u * u for u in v))
    return [u / length for u in v]


def test_a_described_class_has_a_prototype_of_length_one():
    model, episode = zero_shot()
    prototypes = model.adapt(episode.support)["prototypes"]
    close(prototypes, [described(model, v) for v in episode.support.x.tolist()])
    close(torch.linalg.vector_norm(prototypes, dim=1), [1.0, 1.0, 1.0])
    assert model.described_by == "attributes"


def test_zero_shot_compares_the_encoded_query_with_descriptions():
    model, episode = zero_shot()
    weights, biases = model.encoder.weight.tolist(), model.encoder.bias.tolist()
    tau, expected = model.learner.log_scale.exp().item(), []
    for x in episode.query.x.tolist():
        f = [
            b + sum(w * u for w, u in zip(row, x, strict=True))
            for row, b in zip(weights, biases, strict=True)
        ]
        expected.append([])
        for v in episode.support.x.tolist():
            c = described(model, v)
            expected[-1].append(-tau * sum((a - b) ** 2 for a, b in zip(f, c, strict=True)))
    close(model(episode.query.x, model.adapt(episode.support)), expected)
    chosen = [row[label] for row, label in zip(expected, episode.query.y.tolist(), strict=True)]
    partition = [math.log(sum(math.exp(score) for score in row)) for row in expected]
    loss = sum(z - score for z, score in zip(partition, chosen, strict=True)) / len(chosen)
    assert model.loss(episode).item() == pytest.approx(loss, rel=1e-10)


def test_zero_shot_trains_both_encoders():
    model, episode = zero_shot()
    model.loss(episode).backward()
    for encoder in (model.encoder, model.support_encoder):
        assert all(p.grad.abs().max() > 1e-6 for p in encoder.parameters())

"""Matching Networks against their equations, written out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from molmeta.learners.distance import SquaredEuclidean
from molmeta.learners.matching import FullContext, Matching
from molmeta.learners.prototypical import Prototypical
from molmeta.tasks.episode import Examples
from molmeta.tasks.targets import Classification, Regression

DIM = 4
CLASSES = [1, 0, 1, 2, 1]
Row = list[float]


def vectors(n: int) -> Tensor:
    return torch.randn(n, DIM, dtype=torch.float64)


def support_() -> Examples:
    """Three classes, unbalanced."""
    return Examples(vectors(len(CLASSES)), torch.tensor(CLASSES), Classification(3))


def dot(a: Row, b: Row) -> float:
    return sum(u * v for u, v in zip(a, b, strict=True))


def cosine(a: Row, b: Row) -> float:
    return dot(a, b) / math.sqrt(dot(a, a) * dot(b, b))


def softmax(scores: Row) -> Row:
    largest = max(scores)
    weights = [math.exp(score - largest) for score in scores]
    return [weight / sum(weights) for weight in weights]


def attention(tau: float, x: Row, support: list[Row]) -> Row:
    """a(x, x_i) = softmax over i of τ cos(x, x_i)."""
    return softmax([tau * cosine(x, row) for row in support])


def labelled(weights: Row, classes: list[int]) -> Row:
    """Σ a_i y_i for one-hot y."""
    total = [0.0, 0.0, 0.0]
    for weight, label in zip(weights, classes, strict=True):
        total[label] += weight
    return total


def close(actual: Tensor, expected: list[Row]) -> None:
    wanted = torch.tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(actual.detach(), wanted, rtol=1e-10, atol=1e-10)


def scaled(learner: nn.Module, log_scale: float) -> nn.Module:
    """In float64, with this logarithm of τ."""
    with torch.no_grad():
        learner.double().log_scale.fill_(log_scale)
    return learner


def test_the_scale_starts_where_it_is_told():
    assert Matching().log_scale.exp().item() == pytest.approx(10)
    assert Matching(scale=1.0).log_scale.exp().item() == 1


def test_a_class_has_the_sum_of_the_attention_on_its_examples():
    learner, support, query = scaled(Matching(), 1.3), support_(), vectors(6)
    expected = [
        labelled(attention(math.exp(1.3), row, support.x.tolist()), CLASSES)
        for row in query.tolist()
    ]
    outputs = learner(query, learner.adapt(support))
    close(outputs.exp(), expected)
    close(outputs.softmax(dim=1), expected)


def test_real_labels_have_the_mean_and_variance_of_the_attention():
    learner, query = scaled(Matching(), 0.6), vectors(6)
    y = [2.0, -1.5, 0.25, 7.0, 3.0]
    support = Examples(vectors(5), torch.tensor(y, dtype=torch.float64), Regression())
    centre = sum(y) / len(y)
    spread = math.sqrt(sum((v - centre) ** 2 for v in y) / len(y))
    expected = []
    for row in query.tolist():
        weights = attention(math.exp(0.6), row, support.x.tolist())
        mean = dot(weights, y)
        variance = sum(a * (v - mean) ** 2 for a, v in zip(weights, y, strict=True))
        expected.append([mean, math.log(variance + 1e-4 * spread**2)])
    close(learner(query, learner.adapt(support)), expected)


@pytest.mark.parametrize(("log_scale", "size"), [(-1.0, 1), (0.0, 1), (0.5, 1), (2.3, 5)])
def test_one_shot_is_prototypical(log_scale, size):
    support = Examples(size * vectors(3), torch.tensor([2, 0, 1]), Classification(3))
    query = size * vectors(20)
    matching = scaled(Matching(SquaredEuclidean()), log_scale)
    prototypical = scaled(Prototypical(DIM), log_scale)
    a, b = (
        learner(query, learner.adapt(support)).log_softmax(dim=1)
        for learner in (matching, prototypical)
    )
    torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)
    assert len(a.argmax(dim=1).unique()) == 3


def test_several_shots_are_not_prototypical():
    support, query = support_(), vectors(20)
    matching = scaled(Matching(SquaredEuclidean()), 0.0)
    prototypical = scaled(Prototypical(DIM), 0.0)
    a, b = (
        learner(query, learner.adapt(support)).softmax(dim=1)
        for learner in (matching, prototypical)
    )
    assert (a - b).abs().max() > 0.05


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def lstm(cell: nn.LSTMCell, x: Row, h: Row, c: Row) -> tuple[Row, Row]:
    """Gates i, f, g, o in turn: c ← f c + i g, h ← o tanh c."""
    width = len(h)
    raw = [
        dot(of_x, x) + bias_x + dot(of_h, h) + bias_h
        for of_x, bias_x, of_h, bias_h in zip(
            cell.weight_ih.tolist(),
            cell.bias_ih.tolist(),
            cell.weight_hh.tolist(),
            cell.bias_hh.tolist(),
            strict=True,
        )
    ]
    new_h, new_c = [], []
    for j in range(width):
        i, f = sigmoid(raw[j]), sigmoid(raw[width + j])
        g, o = math.tanh(raw[2 * width + j]), sigmoid(raw[3 * width + j])
        new_c.append(f * c[j] + i * g)
        new_h.append(o * math.tanh(new_c[j]))
    return new_h, new_c


def context(learner: FullContext, x: list[Row]) -> list[Row]:
    """g(x_i): the state of a reading up to i, of one from the end down to i, and x_i."""
    n = len(x)
    ahead, back = [[0.0] * DIM] * n, [[0.0] * DIM] * n
    h, c = [0.0] * DIM, [0.0] * DIM
    for i in range(n):
        h, c = lstm(learner.forwards, x[i], h, c)
        ahead[i] = h
    h, c = [0.0] * DIM, [0.0] * DIM
    for i in reversed(range(n)):
        h, c = lstm(learner.backwards, x[i], h, c)
        back[i] = h
    return [[ahead[i][j] + back[i][j] + x[i][j] for j in range(DIM)] for i in range(n)]


def looked(learner: FullContext, x: Row, g: list[Row], looks: int) -> Row:
    """h_K of one query; r by a softmax of dot products with g."""
    h, c = [0.0] * DIM, [0.0] * DIM
    for _ in range(looks):
        weights = softmax([dot(h, row) for row in g])
        r = [sum(a * row[j] for a, row in zip(weights, g, strict=True)) for j in range(DIM)]
        h_hat, c = lstm(learner.look, x + r, h, c)
        h = [u + v for u, v in zip(h_hat, x, strict=True)]
    return h


def full_context(looks: int) -> FullContext:
    """With weights large enough that every gate matters."""
    learner = scaled(FullContext(DIM, looks), 0.9)
    with torch.no_grad():
        for cell in (learner.forwards, learner.backwards, learner.look):
            for parameter in cell.parameters():
                parameter.mul_(2)
    return learner


def test_the_support_is_read_in_both_directions():
    learner, support = full_context(3), support_()
    g = context(learner, support.x.tolist())
    close(learner.adapt(support)["x"], g)
    turned = context(learner, support.x.flip(0).tolist())[::-1]
    assert (torch.tensor(g) - torch.tensor(turned)).abs().max() > 0.05  # the cells differ


@pytest.mark.parametrize("looks", [1, 2, 3])
def test_a_query_looks_k_times_at_the_support(looks):
    learner, g, query = full_context(looks), vectors(5), vectors(6)
    expected = [looked(learner, row, g.tolist(), looks) for row in query.tolist()]
    close(learner.attend(query, g), expected)
    once_more = [looked(learner, row, g.tolist(), looks + 1) for row in query.tolist()]
    assert (torch.tensor(expected) - torch.tensor(once_more)).abs().max() > 1e-3


@pytest.mark.parametrize("looks", [1, 2, 3])
def test_the_full_context_is_matched_by_cosine(looks):
    learner, support, query = full_context(looks), support_(), vectors(6)
    g = context(learner, support.x.tolist())
    expected = [
        labelled(attention(math.exp(0.9), looked(learner, row, g, looks), g), CLASSES)
        for row in query.tolist()
    ]
    close(learner(query, learner.adapt(support)).exp(), expected)

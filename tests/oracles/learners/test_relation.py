"""Relation Networks against their equations, written out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from molmeta.learners.relation import MapRelation, Relation, VectorRelation
from molmeta.tasks.episode import Episode, Examples
from molmeta.tasks.targets import Classification

CLASSES = [1, 0, 1, 2, 1]


def examples(classes: list[int], dim: int) -> Examples:
    """Random vectors of the given classes, of three."""
    x = torch.randn(len(classes), dim, dtype=torch.float64)
    return Examples(x, torch.tensor(classes), Classification(3))


def shaken(module: nn.Module) -> nn.Module:
    """In float64, with no parameter at the value it starts from (a norm's 1 and 0)."""
    module = module.double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return module


def means(support: Examples) -> list[list[float]]:
    """The mean of each class by loops."""
    rows, y = support.x.tolist(), support.y.tolist()
    result = []
    for k in range(3):
        own = [row for row, label in zip(rows, y, strict=True) if label == k]
        result.append([sum(column) / len(own) for column in zip(*own, strict=True)])
    return result


def linear(layer: nn.Linear, x: list[float]) -> list[float]:
    return [
        b + sum(w * v for w, v in zip(row, x, strict=True))
        for row, b in zip(layer.weight.tolist(), layer.bias.tolist(), strict=True)
    ]


def relu(x: list[float]) -> list[float]:
    return [max(0.0, v) for v in x]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def normalised(x: list[float], eps: float = 1e-5) -> list[float]:
    mean = sum(x) / len(x)
    variance = sum((v - mean) ** 2 for v in x) / len(x)
    return [(v - mean) / math.sqrt(variance + eps) for v in x]


def vector_logit(module: VectorRelation, c: list[float], x: list[float]) -> float:
    """g([c, x, c ⊙ x]): c and x normalised, then three layers."""
    gain, shift = module.norm.weight.tolist(), module.norm.bias.tolist()
    a, b = (
        [g * v + s for g, v, s in zip(gain, normalised(part), shift, strict=True)]
        for part in (c, x)
    )
    joined = [*a, *b, *(p * q for p, q in zip(a, b, strict=True))]
    first, second, third = (layer for layer in module.layers if isinstance(layer, nn.Linear))
    return linear(third, relu(linear(second, relu(linear(first, joined)))))[0]


Maps = list[list[list[float]]]


def as_maps(x: list[float], shape: tuple[int, int, int]) -> Maps:
    channels, height, width = shape
    return [
        [[x[(k * height + i) * width + j] for j in range(width)] for i in range(height)]
        for k in range(channels)
    ]


def convolved(layer: nn.Conv2d, maps: Maps) -> Maps:
    """3 × 3, zeros around."""
    kernels, height, width = layer.weight.tolist(), len(maps[0]), len(maps[0][0])
    result = []
    for kernel, bias in zip(kernels, layer.bias.tolist(), strict=True):
        plane = [[bias] * width for _ in range(height)]
        for i in range(height):
            for j in range(width):
                for channel, weights in zip(maps, kernel, strict=True):
                    for di in range(3):
                        for dj in range(3):
                            u, v = i + di - 1, j + dj - 1
                            if 0 <= u < height and 0 <= v < width:
                                plane[i][j] += weights[di][dj] * channel[u][v]
        result.append(plane)
    return result


def block(layers: nn.Sequential, maps: Maps) -> Maps:
    """Convolution, one norm over all channels and pixels, ReLU, the largest of 2 × 2."""
    maps = convolved(layers[0], maps)
    channels, height, width = len(maps), len(maps[0]), len(maps[0][0])
    norm = as_maps(
        normalised([v for plane in maps for row in plane for v in row]), (channels, height, width)
    )
    gain, shift = layers[1].weight.tolist(), layers[1].bias.tolist()
    a, b = min(2, height), min(2, width)
    result = []
    for k in range(channels):
        plane = [[max(0.0, gain[k] * v + shift[k]) for v in row] for row in norm[k]]
        result.append(
            [
                [
                    max(plane[a * i + u][b * j + v] for u in range(a) for v in range(b))
                    for j in range(width // b)
                ]
                for i in range(height // a)
            ]
        )
    return result


def map_logit(module: MapRelation, c: list[float], x: list[float]) -> float:
    """Channels of the class, then those of the query; two blocks, two layers."""
    maps = as_maps(c, module.shape) + as_maps(x, module.shape)
    for layers in module.convolutions:
        maps = block(layers, maps)
    flat = [v for plane in maps for row in plane for v in row]
    first, second = (layer for layer in module.layers if isinstance(layer, nn.Linear))
    return linear(second, relu(linear(first, flat)))[0]


def close(actual: Tensor, expected: list[list[float]] | float) -> None:
    wanted = torch.tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(actual.detach(), wanted, rtol=1e-10, atol=1e-10)


def vectors() -> tuple[Relation, Examples, Examples, list[list[float]]]:
    """A learner, a task, and the relations r of the query by hand."""
    learner = shaken(Relation(VectorRelation(4, 5)))
    support, query = examples(CLASSES, 4), examples([2, 0, 2, 1], 4)
    r = [
        [sigmoid(vector_logit(learner.module, c, x)) for c in means(support)]
        for x in query.x.tolist()
    ]
    return learner, support, query, r


def test_vectors_are_joined_and_scored_by_layers():
    learner, support, query, r = vectors()
    close(learner.relations(query.x, learner.adapt(support)).sigmoid(), r)


def test_the_class_is_the_mean_of_its_own_examples():
    support = examples(CLASSES, 4)
    close(Relation(VectorRelation(4, 5)).adapt(support)["classes"], means(support))


def test_probabilities_are_the_relations_over_their_sum():
    learner, support, query, r = vectors()
    outputs = learner(query.x, learner.adapt(support))
    close(outputs.softmax(dim=1), [[v / sum(row) for v in row] for row in r])
    close(outputs, [[math.log(v / sum(row)) for v in row] for row in r])


def test_the_loss_is_the_squared_error_in_which_the_class_weighs_as_all_others_do():
    learner, support, query, r = vectors()
    total = 0.0
    for row, label in zip(r, query.y.tolist(), strict=True):
        others = [value**2 for k, value in enumerate(row) if k != label]
        total += ((1.0 - row[label]) ** 2 + sum(others) / len(others)) / 2
    close(learner.loss(Episode(support, query)), total / len(r))


def test_of_two_classes_the_loss_is_the_mean_squared_error():
    learner, target = shaken(Relation(VectorRelation(4, 5))), Classification(2)
    x, y = torch.randn(6, 4, dtype=torch.float64), torch.tensor([0, 1, 1, 0, 1, 1])
    support, query = Examples(x[:3], y[:3], target), Examples(x[3:], y[3:], target)
    r = learner.relations(query.x, learner.adapt(support)).sigmoid()
    expected = torch.nn.functional.mse_loss(r, target.encode(query.y).to(r.dtype))
    torch.testing.assert_close(learner.loss(Episode(support, query)), expected)


@pytest.mark.parametrize("shape", [(2, 4, 4), (3, 5, 9), (2, 3, 2), (2, 1, 6), (2, 1, 1)])
def test_maps_are_joined_by_channel_and_scored_by_convolutions(shape):
    learner = shaken(Relation(MapRelation(shape, 4)))
    dim = math.prod(shape)
    support, query = examples(CLASSES, dim), examples([0, 1], dim)
    expected = [[map_logit(learner.module, c, x) for c in means(support)] for x in query.x.tolist()]
    close(learner.relations(query.x, learner.adapt(support)), expected)

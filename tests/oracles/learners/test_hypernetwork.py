"""The task-conditioned hypernetwork equals slow code: a row, a unit and a class at a time."""

from __future__ import annotations

import pytest
import torch
from slow_layers import layer_norm, linear
from torch import Tensor, nn

from molmeta.learners.hypernetwork import HyperNetwork
from molmeta.tasks.episode import Examples
from molmeta.tasks.targets import Classification

DIM, HIDDEN, EMBEDDING, RANK = 3, 5, 4, 2
EXACT = {"rtol": 1e-9, "atol": 1e-9}


def case(n_way: int) -> tuple[HyperNetwork, Examples, Tensor]:
    learner = HyperNetwork(DIM, HIDDEN, EMBEDDING, RANK).double()
    with torch.no_grad():  # away from the start, where norms do nothing and the classifier is small
        for p in learner.parameters():
            p.copy_(torch.randn_like(p))
    y = torch.cat([torch.arange(n_way), torch.zeros(3, dtype=torch.long)])  # classes of unlike size
    x = torch.randn(len(y), DIM, dtype=torch.float64)
    return learner, Examples(x, y, Classification(n_way)), torch.randn(6, DIM, dtype=torch.float64)


def by_hand(learner: HyperNetwork, support: Examples, query: Tensor) -> tuple[dict, list]:
    """The generated weights and the scores, from the equations of the docstring."""
    first, norm = learner.embed
    assert isinstance(first, nn.Linear) and isinstance(norm, nn.LayerNorm)
    u = [layer_norm(linear(first, row), norm) for row in support.x.tolist()]
    n_way = support.target.width
    e = []
    for k in range(n_way):
        mine = [row for row, label in zip(u, support.y.tolist(), strict=True) if label == k]
        e.append([sum(column) / len(mine) for column in zip(*mine, strict=True)])
    z = [sum(column) / n_way for column in zip(*e, strict=True)]

    kernel = []
    for i in range(HIDDEN):
        w_i = learner.rows.weight[i * RANK : (i + 1) * RANK].tolist()
        b_i = learner.rows.bias[i * RANK : (i + 1) * RANK].tolist()
        a_i = [sum(w * one for w, one in zip(row, z, strict=True)) + b
               for row, b in zip(w_i, b_i, strict=True)]  # fmt: skip
        kernel.append(linear(learner.kernel, a_i))
    made = {
        "kernel": kernel,
        "bias": linear(learner.bias, z),
        "weights": [linear(learner.weights, e_k) for e_k in e],
        "offsets": [linear(learner.offset, e_k)[0] for e_k in e],
    }
    scores = []
    for x in query.tolist():
        before = [
            sum(w * one for w, one in zip(row, x, strict=True)) + b
            for row, b in zip(kernel, made["bias"], strict=True)
        ]
        h = layer_norm([max(one, 0.0) for one in before], learner.norm)
        scores.append(
            [
                sum(w * one for w, one in zip(row, h, strict=True)) + beta
                for row, beta in zip(made["weights"], made["offsets"], strict=True)
            ]
        )
    return made, scores


@pytest.mark.parametrize("n_way", [2, 5])
def test_generated_weights_and_scores_by_hand(n_way):
    learner, support, query = case(n_way)
    made, scores = by_hand(learner, support, query)
    state = learner.adapt(support)
    assert set(state) == set(made)
    for name, expected in made.items():
        found = torch.tensor(expected, dtype=torch.float64)
        torch.testing.assert_close(state[name], found, **EXACT)
    expected = torch.tensor(scores, dtype=torch.float64)
    torch.testing.assert_close(learner(query, state), expected, **EXACT)


def test_another_support_makes_another_hidden_layer():
    learner, support, _ = case(2)
    other = Examples(support.x + 1, support.y, support.target)
    first, second = learner.adapt(support), learner.adapt(other)
    for name in first:
        assert (first[name] - second[name]).abs().max() > 1e-3, name


def test_it_starts_as_a_comparison_with_the_classes():
    torch.manual_seed(0)
    learner = HyperNetwork(16)
    centres = torch.randn(2, 16)
    x = centres.repeat_interleave(20, dim=0) + 0.5 * torch.randn(40, 16)
    y = torch.arange(2).repeat_interleave(20)
    state = learner.adapt(Examples(x, y, Classification(2)))
    assert (learner(centres, state).argmax(dim=1) == torch.arange(2)).all()
    assert (learner(x, state).argmax(dim=1) == y).float().mean() > 0.9

"""The Few-Shot GNN equals slow code: a pair, a node and a unit at a time."""

from __future__ import annotations

import math

import pytest
import torch
from slow_layers import layer_norm, linear
from torch import Tensor, nn

from molmeta.learners import few_shot_gnn
from molmeta.learners.few_shot_gnn import FewShotGNN
from molmeta.tasks.episode import Examples
from molmeta.tasks.targets import Classification

DIM, WIDTH, HIDDEN = 3, 4, 5
EXACT = {"rtol": 1e-9, "atol": 1e-9}
Rows = list[list[float]]


def leaky(v: float) -> float:
    return v if v > 0 else 0.01 * v


def adjacency(nodes: Rows, mlp: nn.Sequential) -> Rows:
    """Each row: a softmax over the other nodes of the MLP on absolute differences."""
    first, _, second = mlp
    assert isinstance(first, nn.Linear) and isinstance(second, nn.Linear)
    table = []
    for i, a in enumerate(nodes):
        scores = {}
        for j, b in enumerate(nodes):
            if i != j:
                apart = [abs(p - q) for p, q in zip(a, b, strict=True)]
                scores[j] = linear(second, [leaky(h) for h in linear(first, apart)])[0]
        total = sum(math.exp(s) for s in scores.values())
        row = [math.exp(scores[j]) / total if j in scores else 0.0 for j in range(len(nodes))]
        table.append(row)
    return table


def mixed(nodes: Rows, weights: Rows, i: int) -> list[float]:
    """Node i joined with the mean of the others along row i of the adjacency."""
    around = [
        sum(weights[i][j] * node[c] for j, node in enumerate(nodes)) for c in range(len(nodes[i]))
    ]
    return nodes[i] + around


def graph(learner: FewShotGNN, support: Examples, x: Tensor) -> tuple[list[Rows], list[float]]:
    """Nodes before each layer (the query is the last), and the scores of one query."""
    n_way = support.target.width
    nodes = [
        row + [float(label == k) for k in range(n_way)]
        for row, label in zip(support.x.tolist(), support.y.tolist(), strict=True)
    ]
    nodes.append([*x.tolist(), *[1 / n_way] * n_way])
    history = [nodes]
    for compare, mix, norm in zip(learner.compare, learner.mix, learner.norms, strict=False):
        weights = adjacency(nodes, compare.mlp)
        nodes = [
            node + [leaky(v) for v in layer_norm(linear(mix, mixed(nodes, weights, i)), norm)]
            for i, node in enumerate(nodes)
        ]
        history.append(nodes)
    weights = adjacency(nodes, learner.compare[-1].mlp)
    return history, linear(learner.mix[-1], mixed(nodes, weights, len(nodes) - 1))


def case(n_way: int, layers: int = 2) -> tuple[FewShotGNN, Examples, Tensor]:
    learner = FewShotGNN(DIM, n_way, WIDTH, layers, HIDDEN).double()
    with torch.no_grad():
        for norm in learner.norms:
            norm.weight.copy_(torch.randn(WIDTH))
            norm.bias.copy_(torch.randn(WIDTH))
    y = torch.cat([torch.arange(n_way), torch.arange(n_way), torch.tensor([0])])
    x = torch.randn(len(y), DIM, dtype=torch.float64)
    return learner, Examples(x, y, Classification(n_way)), torch.randn(4, DIM, dtype=torch.float64)


@pytest.mark.parametrize("n_way", [2, 5])
@pytest.mark.parametrize("layers", [1, 3])
def test_scores_by_hand(n_way, layers):
    learner, support, query = case(n_way, layers)
    expected = [graph(learner, support, x)[1] for x in query]
    found = learner(query, learner.adapt(support))
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), **EXACT)


def test_the_adjacency_by_hand():
    learner, support, query = case(3)
    nodes = graph(learner, support, query[0])[0][0]
    expected = torch.tensor(adjacency(nodes, learner.compare[0].mlp), dtype=torch.float64)
    found = learner.compare[0](torch.tensor(nodes, dtype=torch.float64).unsqueeze(0))[0]
    torch.testing.assert_close(found, expected, **EXACT)
    torch.testing.assert_close(found.sum(1), torch.ones(len(nodes), dtype=torch.float64), **EXACT)
    assert not found.diagonal().any()


def test_nodes_are_equivariant_to_the_order_of_the_support():
    """After every layer the nodes of the support move with it, and the query's stays."""
    learner, support, query = case(3)
    order = torch.randperm(len(support))
    moved = Examples(support.x[order], support.y[order], support.target)
    seen: dict[str, list[Tensor]] = {"as it is": [], "moved": []}
    for name, part in (("as it is", support), ("moved", moved)):
        hooks = [
            layer.register_forward_pre_hook(lambda _, args, name=name: seen[name].append(args[0]))
            for layer in learner.compare
        ]
        learner(query, learner.adapt(part))
        for hook in hooks:
            hook.remove()
    assert len(seen["moved"]) == len(learner.compare)
    for before, after in zip(seen["as it is"], seen["moved"], strict=True):
        torch.testing.assert_close(after[:, :-1], before[:, order], **EXACT)
        torch.testing.assert_close(after[:, -1], before[:, -1], **EXACT)
        assert (after[:, :-1] - before[:, :-1]).abs().max() > 1e-3


@pytest.mark.parametrize("cells", [1, 80])
def test_queries_in_blocks_equal_all_at_once(cells, monkeypatch):
    learner, support, query = case(2)
    state = learner.adapt(support)
    together = learner(query, state)
    monkeypatch.setattr(few_shot_gnn, "CELLS", cells)
    sizes: list[int] = []
    hook = learner.compare[0].register_forward_pre_hook(lambda _, a: sizes.append(len(a[0])))
    torch.testing.assert_close(learner(query, state), together, **EXACT)
    hook.remove()
    assert len(sizes) > 1 and sum(sizes) == len(query)


def test_a_nearer_node_starts_as_the_more_similar() -> None:
    """Before any training, in every layer: of two nodes in one direction."""
    learner = FewShotGNN(DIM, 2, WIDTH, hidden=32)
    for layer in learner.compare:
        nodes = torch.zeros(200, 3, layer.mlp[0].in_features)
        nodes[:, 1] = torch.randn_like(nodes[:, 1])
        nodes[:, 2] = 3 * nodes[:, 1]
        near, far = layer(nodes)[:, 0, 1:].mean(dim=0)
        assert near > 1.2 * far


def test_it_starts_as_attention_to_the_labels_of_what_is_near() -> None:
    torch.manual_seed(0)
    learner = FewShotGNN(8, 2, width=4, hidden=8)
    centres = 3 * torch.randn(2, 8)
    x, y = centres.repeat_interleave(10, dim=0), torch.arange(2).repeat_interleave(10)
    state = learner.adapt(Examples(x + 0.1 * torch.randn(20, 8), y, Classification(2)))
    assert (learner(centres, state).argmax(dim=1) == torch.arange(2)).all()
    flipped = learner.adapt(Examples(x, 1 - y, Classification(2)))
    assert (learner(centres, flipped).argmax(dim=1) == torch.arange(1, -1, -1)).all()

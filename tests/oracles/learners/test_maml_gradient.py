"""MAML's meta-gradient equals one written out by hand with autograd, in float64."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from molmeta.encoders.gin import GIN
from molmeta.learners.base import Embedded
from molmeta.learners.maml import MAML
from molmeta.molecules.blocks import ATOM_SIZES
from molmeta.molecules.molecules import Molecules
from molmeta.registry import lookup
from molmeta.tasks.episode import Episode, Examples
from molmeta.tasks.targets import Classification, Regression, Target

RATE, STEPS = 0.02, 3
Predict = Callable[[list[Tensor], object], Tensor]
CLASSES = Classification(2)


def by_hand(
    predict: Predict,
    weights: list[Tensor],
    episode: Episode,
    *,
    first_order: bool,
    of: list[Tensor] | None = None,
) -> list[Tensor]:
    """Inner loop, outer loss and meta-gradient as the paper writes them.

    The gradient is that of the weights that the inner loop moves, or `of` others.
    """
    y, mean, spread = episode.support.y, 0.0, 1.0
    if isinstance(episode.target, Regression):
        mean, spread = y.mean(), y.std(correction=0)

    def loss(outputs: Tensor, y: Tensor, inner: bool = False) -> Tensor:
        if isinstance(episode.target, Classification):
            return -F.log_softmax(outputs, dim=1)[torch.arange(len(y)), y].mean()
        mu, log_var = outputs.unbind(1)
        if inner:  # the mean by its squared error, the variance by the error as it stands
            error = torch.tensor((y - mu).tolist(), dtype=torch.float64)
            return ((y - mu) ** 2 / 2 + (log_var + error**2 / log_var.exp()) / 2).mean()
        return 0.5 * (log_var + (y - mu) ** 2 / log_var.exp()).mean()

    phi = weights
    for _ in range(STEPS):
        inner = loss(predict(phi, episode.support.x), (y - mean) / spread if mean else y, True)
        grads = torch.autograd.grad(inner, phi, create_graph=not first_order)
        phi = [p - RATE * g for p, g in zip(phi, grads, strict=True)]
    outputs = predict(phi, episode.query.x)
    if isinstance(episode.target, Regression):
        mu, log_var = outputs.unbind(1)
        outputs = torch.stack([mean + spread * mu, log_var + 2 * torch.log(spread)], dim=1)
    return list(torch.autograd.grad(loss(outputs, episode.query.y), of or weights))


def labels(n: int, target: Target) -> Tensor:
    """Classes by turns, or reals in float64."""
    if isinstance(target, Classification):
        return torch.arange(n) % target.n_way
    return 6 + 2 * torch.randn(n, dtype=torch.float64)


def compare(learner: MAML | Embedded, expected: list[Tensor], episode: Episode) -> None:
    """Our meta-gradient against the expected one, to 1e-10."""
    parameters = list(learner.parameters())
    found = torch.autograd.grad(learner.loss(episode), parameters)
    assert all(grad.abs().max() > 1e-8 for grad in expected)
    torch.testing.assert_close(list(found), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("first_order", [False, True], ids=["second order", "first order"])
@pytest.mark.parametrize("target", [CLASSES, Classification(5), Regression()], ids=str)
def test_on_vectors(target, first_order):
    def predict(w: list[Tensor], x: Tensor) -> Tensor:
        return torch.tanh(x @ w[0].T + w[1]) @ w[2].T + w[3]

    network = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, target.width)).double()
    sets = [
        Examples(torch.randn(n, 4, dtype=torch.float64), labels(n, target), target) for n in (10, 7)
    ]
    episode = Episode(*sets)
    expected = by_hand(predict, list(network.parameters()), episode, first_order=first_order)
    compare(MAML(network, RATE, STEPS, first_order), expected, episode)


def dense_gin(w: list[Tensor], x: Molecules, layers: int) -> Tensor:
    """GIN on dense matrices, written for one list of weights: embed, eps, MLPs, norms."""
    rows, blocks, owners = [], [], []
    for i, data in enumerate(x.to_pyg_list()):
        adjacency = torch.zeros(len(data.x), len(data.x), dtype=torch.float64)
        adjacency[data.edge_index[0], data.edge_index[1]] = 1
        rows.append(data.x.double())
        blocks.append(adjacency)
        owners += [i] * len(data.x)
    adjacency, pool = torch.block_diag(*blocks), F.one_hot(torch.tensor(owners)).T.double()
    w = list(w)
    weight, bias, eps = w.pop(0), w.pop(0), [w.pop(0) for _ in range(layers)]
    mlps = [[w.pop(0) for _ in range(4)] for _ in range(layers)]
    norms = [[w.pop(0) for _ in range(2)] for _ in range(layers)]
    h = torch.relu(torch.cat(rows) @ weight.T + bias)
    pooled = [pool @ h]
    for e, (w1, b1, w2, b2), (gain, shift) in zip(eps, mlps, norms, strict=True):
        h = torch.relu(((1 + e) * h + adjacency @ h) @ w1.T + b1) @ w2.T + b2
        h = (h - h.mean(1, keepdim=True)) / torch.sqrt(h.var(1, keepdim=True, correction=0) + 1e-5)
        h = torch.relu(gain * h + shift)
        pooled.append(pool @ h)
    return torch.log(1 + torch.cat(pooled, dim=1))


def on_drugs(drugs: Molecules, target: Target) -> Episode:
    """Twelve molecules, of several families."""
    support, query = drugs[::4], drugs[1::4]
    return Episode(*(Examples(x, labels(len(x), target), target) for x in (support, query)))


@pytest.mark.usefixtures("pyg")
@pytest.mark.parametrize("first_order", [False, True], ids=["second order", "first order"])
@pytest.mark.parametrize("target", [CLASSES, Regression()], ids=str)
def test_through_gin_on_molecules(drugs, target, first_order):
    assert sum(ATOM_SIZES.values()) == drugs.to_pyg_list()[0].x.shape[1]
    network = nn.Sequential(GIN(width=6, layers=2), nn.Linear(18, target.width)).double()
    episode = on_drugs(drugs, target)

    def predict(w: list[Tensor], x: Molecules) -> Tensor:
        return dense_gin(w[:-2], x, layers=2) @ w[-2].T + w[-1]

    expected = by_hand(predict, list(network.parameters()), episode, first_order=first_order)
    compare(MAML(network, RATE, STEPS, first_order), expected, episode)


def unit_length(h: Tensor) -> Tensor:
    """Rows less their mean, over their norm."""
    h = h - h.mean(1, keepdim=True)
    width = h.shape[1]
    return h / torch.sqrt(h.square().mean(1, keepdim=True) + 1e-5) / width**0.5


@pytest.mark.parametrize("name", ["maml", "fomaml", "anil"])
@pytest.mark.parametrize("target", [CLASSES, Regression()], ids=str)
def test_as_registered(name, target):
    """What is built by name: the head on vectors of length one; the order of the gradient."""
    encoder = nn.Linear(4, 6).double()
    encoder.dim = 6  # type: ignore[assignment]
    learner = lookup("learner", name)(encoder, target, inner_lr=RATE, inner_steps=STEPS).double()
    episode = Episode(
        *(
            Examples(torch.randn(n, 4, dtype=torch.float64), labels(n, target), target)
            for n in (10, 7)
        )
    )

    def predict(w: list[Tensor], x: Tensor) -> Tensor:
        h = unit_length(x @ w[0].T + w[1]) if len(w) == 4 else x
        return h @ w[-2].T + w[-1]

    head = (learner.learner if name == "anil" else learner).network[-1]
    head = head[1] if isinstance(head, nn.Sequential) else head
    weights = [*encoder.parameters(), *head.parameters()]
    if name == "anil":
        embedded = replace(
            episode,
            support=replace(episode.support, x=unit_length(encoder(episode.support.x))),
            query=replace(episode.query, x=unit_length(encoder(episode.query.x))),
        )
        found = by_hand(predict, weights[2:], embedded, first_order=False, of=weights)
    else:
        found = by_hand(predict, weights, episode, first_order=name == "fomaml")
    compare(learner, found, episode)


@pytest.mark.usefixtures("pyg")
def test_anil_through_gin_on_molecules(drugs):
    encoder, head = GIN(width=6, layers=1).double(), nn.Linear(12, 2).double()
    episode = on_drugs(drugs, CLASSES)
    start = list(head.parameters())
    support, query = (
        dense_gin(list(encoder.parameters()), part.x, layers=1)
        for part in (episode.support, episode.query)
    )
    phi = start
    for _ in range(STEPS):
        loss = F.cross_entropy(support @ phi[0].T + phi[1], episode.support.y)
        grads = torch.autograd.grad(loss, phi, create_graph=True)
        phi = [p - RATE * g for p, g in zip(phi, grads, strict=True)]
    loss = F.cross_entropy(query @ phi[0].T + phi[1], episode.query.y)
    expected = list(torch.autograd.grad(loss, [*encoder.parameters(), *start]))
    compare(Embedded(encoder, MAML(head, RATE, STEPS)), expected, episode)

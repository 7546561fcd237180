"""FOMAML takes the inner gradient for a constant, and MAML does not: one step, by hand."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from molmeta.learners.base import Learner
from molmeta.learners.maml import fomaml, maml
from molmeta.tasks.episode import Episode, Examples
from molmeta.tasks.targets import Classification

RATE, TARGET = 0.5, Classification(2)


def outer_gradients(learner: Learner, episode: Episode) -> list[Tensor]:
    return list(torch.autograd.grad(learner.loss(episode), list(learner.parameters())))


def test_fomaml_is_first_order_and_maml_is_not() -> None:
    encoder = nn.Sequential(nn.Linear(3, 5), nn.Tanh()).double()
    encoder.dim = 5  # type: ignore[assignment]
    support, query = (
        Examples(torch.randn(n, 3, dtype=torch.float64), torch.arange(n) % 2, TARGET)
        for n in (6, 4)
    )
    learners = [
        build(encoder, TARGET, inner_lr=RATE, inner_steps=1).double() for build in (fomaml, maml)
    ]
    learners[1].load_state_dict(learners[0].state_dict())
    first, second = (outer_gradients(learner, Episode(support, query)) for learner in learners)

    network = learners[0].network
    start = dict(network.named_parameters())
    inner = torch.autograd.grad(F.cross_entropy(network(support.x), support.y), start.values())
    moved = {n: p - RATE * g.detach() for (n, p), g in zip(start.items(), inner, strict=True)}
    outputs = torch.func.functional_call(network, moved, query.x)
    expected = torch.autograd.grad(F.cross_entropy(outputs, query.y), start.values())

    torch.testing.assert_close(first, list(expected), rtol=1e-12, atol=1e-12)
    assert all((a - b).abs().max() > 1e-6 for a, b in zip(first, second, strict=True))

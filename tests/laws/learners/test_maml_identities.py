"""Law 10: MAML without steps is its network; FOMAML is MAML where the inner loss is linear."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from molmeta.encoders.gin import GIN
from molmeta.learners.maml import MAML
from molmeta.tasks.episode import Examples
from molmeta.tasks.targets import Classification, Regression


@dataclass(frozen=True)
class Linear(Classification):
    """A classification whose loss is linear in the outputs: minus the margin of the label."""

    def loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Mean of the other classes' outputs minus the label's."""
        return (outputs.sum(dim=1) - self.n_way * outputs.gather(1, y[:, None])[:, 0]).mean()


def vectors(n: int, target: Classification) -> Examples:
    """Random vectors in float64, with labels by turns."""
    x = torch.randn(n, 4, dtype=torch.float64)
    return Examples(x, torch.arange(n) % target.n_way, target)


def meta_gradients(learner: MAML, support: Examples, query: Examples) -> dict[str, Tensor]:
    """Gradient of the query's cross-entropy after adapting to the support."""
    outputs = learner(query.x, learner.adapt(support))
    loss = Classification(query.target.n_way).loss(outputs, query.y)
    names, parameters = zip(*learner.named_parameters(), strict=True)
    return dict(zip(names, torch.autograd.grad(loss, parameters), strict=True))


@pytest.mark.parametrize("learn_inner_lr", [False, True])
@pytest.mark.parametrize("first_order", [False, True])
def test_without_steps_it_is_the_plain_network(first_order, learn_inner_lr):
    network = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    learner = MAML(
        network, inner_steps=0, first_order=first_order, learn_inner_lr=learn_inner_lr
    ).double()
    support, query = vectors(6, Classification(3)), vectors(9, Classification(3))
    outputs = learner(query.x, learner.adapt(support))
    torch.testing.assert_close(outputs, network(query.x), rtol=0, atol=0)


def test_without_steps_it_is_the_plain_network_on_molecules(drugs):
    network = nn.Sequential(GIN(width=8, layers=1), nn.Linear(16, 2))
    learner = MAML(network, inner_steps=0)
    support = Examples(drugs[:6], torch.arange(6) % 2, Classification(2))
    outputs = learner(drugs[6:], learner.adapt(support))
    torch.testing.assert_close(outputs, network(drugs[6:]), rtol=0, atol=0)


def test_without_steps_a_regression_is_the_plain_network_in_the_unit_of_the_labels():
    network = nn.Linear(4, 2).double()
    learner = MAML(network, inner_steps=0)
    x, y = torch.randn(8, 4, dtype=torch.float64), 7 + 3 * torch.randn(8, dtype=torch.float64)
    outputs = learner(x, learner.adapt(Examples(x, y, Regression())))
    plain = network(x)
    torch.testing.assert_close(outputs[:, 0], y.mean() + y.std(correction=0) * plain[:, 0])
    variance = y.var(correction=0) * plain[:, 1].exp()
    torch.testing.assert_close(outputs[:, 1].exp(), variance)


def test_first_order_is_second_order_where_the_inner_loss_is_linear():
    network = nn.Linear(4, 3).double()
    support, query = vectors(6, Linear(3)), vectors(9, Linear(3))
    options = {"inner_lr": 0.3, "inner_steps": 3}
    second = meta_gradients(MAML(network, **options), support, query)
    first = meta_gradients(MAML(network, first_order=True, **options), support, query)
    assert all(grad.abs().max() > 1e-3 for grad in second.values())
    torch.testing.assert_close(first, second, rtol=1e-10, atol=1e-10)


def test_first_order_differs_where_the_inner_loss_is_curved():
    network = nn.Linear(4, 3).double()
    support, query = vectors(6, Classification(3)), vectors(9, Classification(3))
    options = {"inner_lr": 0.3, "inner_steps": 3}
    second = meta_gradients(MAML(network, **options), support, query)
    first = meta_gradients(MAML(network, first_order=True, **options), support, query)
    assert all((first[name] - second[name]).abs().max() > 1e-3 for name in first)


def test_learned_rates_start_at_the_inner_rate_and_can_differ():
    network = nn.Linear(4, 3)
    fixed, learned = MAML(network, inner_lr=0.3), MAML(network, inner_lr=0.3, learn_inner_lr=True)
    support = Examples(torch.randn(6, 4), torch.arange(6) % 3, Classification(3))
    torch.testing.assert_close(learned.adapt(support), fixed.adapt(support))
    with torch.no_grad():
        learned.log_rates["weight"].fill_(-torch.inf)  # a rate of zero
    state = learned.adapt(support)
    assert torch.equal(state["weight"], network.weight)
    assert not torch.equal(state["bias"], network.bias)

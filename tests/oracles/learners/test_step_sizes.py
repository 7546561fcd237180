"""The head's own step size moves the last module alone, with and without learned rates."""

from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from torch import nn

from molmeta.errors import ConfigError
from molmeta.learners.maml import MAML
from molmeta.learners.reptile import Reptile
from molmeta.tasks.episode import Examples
from molmeta.tasks.targets import Classification

TARGET = Classification(3)
BODY, HEAD = 0.05, 2.0
MAKERS = {
    "maml": lambda net: MAML(net, BODY, 1, head_lr=HEAD),
    "learned rates": lambda net: MAML(net, BODY, 1, learn_inner_lr=True, head_lr=HEAD),
    "reptile": lambda net: Reptile(net, BODY, 1, 1, head_lr=HEAD),
}


@pytest.mark.parametrize("maker", MAKERS)
def test_each_part_goes_down_its_gradient_by_its_own_step(maker):
    body = nn.Sequential(nn.Linear(4, 6), nn.Tanh())
    network = nn.Sequential(body, nn.Linear(6, 3)).double()
    support = Examples(torch.randn(9, 4, dtype=torch.float64), torch.arange(9) % 3, TARGET)
    state = MAKERS[maker](network).adapt(support)
    nn.functional.cross_entropy(network(support.x), support.y).backward()
    for name, p in network.named_parameters():
        rate = HEAD if name.startswith("1.") else BODY
        assert p.grad is not None
        torch.testing.assert_close(state[name], p.detach() - rate * p.grad, rtol=1e-6, atol=1e-9)


MOVED = {
    "maml": lambda net, name: MAML(net, BODY, 2, moved_from=name),
    "reptile": lambda net, name: Reptile(net, BODY, 2, 2, moved_from=name),
}


@pytest.mark.parametrize("maker", MOVED)
def test_the_inner_loop_moves_what_comes_from_a_module_on(maker):
    body = nn.Sequential(OrderedDict(one=nn.Linear(4, 6), bend=nn.Tanh(), two=nn.Linear(6, 6)))
    network = nn.Sequential(body, nn.Linear(6, 3))
    support = Examples(torch.randn(9, 4), torch.arange(9) % 3, TARGET)
    learner = MOVED[maker](network, "two")
    state = learner.adapt(support)
    assert set(state) == {"0.two.weight", "0.two.bias", "1.weight", "1.bias"}
    everything = MOVED[maker](network, "").adapt(support)
    assert set(everything) == {name for name, _ in network.named_parameters()}
    fixed = nn.Sequential(body.two, network[1])
    inner = torch.tanh(body.one(support.x)).detach()
    alone = MOVED[maker](fixed, "").adapt(Examples(inner, support.y, TARGET))
    for mine, other in zip(state.values(), alone.values(), strict=True):
        torch.testing.assert_close(mine, other)
    with pytest.raises(ConfigError, match="no module 'twoo' with weights; did you mean 'two'"):
        MOVED[maker](network, "twoo")

"""The head's own step size moves the last module alone, with and without learned rates."""

from __future__ import annotations

import pytest
import torch
from torch import nn

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

"""bf16 in the graph encoders: opt-in, near float32, and learnable through two derivatives."""

from __future__ import annotations

import pytest
import torch

from molmeta.encoders.gin import GIN
from molmeta.encoders.static_hypernetwork import HyperGIN
from molmeta.errors import ConfigError
from molmeta.molecules.molecules import Molecules


@pytest.mark.parametrize("kind", [GIN, HyperGIN])
def test_bf16_is_near_float32_but_not_it(kind: type[GIN], drugs: Molecules) -> None:
    exact, fast = kind(16, 3), kind(16, 3, precision="bf16")
    fast.load_state_dict(exact.state_dict())
    a, b = exact(drugs), fast(drugs)
    assert b.dtype == torch.float32 and all(p.dtype == torch.float32 for p in fast.parameters())
    assert not torch.equal(a, b)
    assert (a - b).norm() < 0.02 * a.norm()


def test_bf16_has_second_derivatives(drugs: Molecules) -> None:
    encoder = GIN(8, 2, precision="bf16")
    weights = list(encoder.parameters())
    loss = encoder(drugs).square().mean()
    inner = torch.autograd.grad(loss, weights, create_graph=True)
    outer = torch.autograd.grad(sum(g.square().sum() for g in inner), weights)
    assert all(torch.isfinite(g).all() for g in outer)
    assert any(g.abs().max() > 0 for g in outer)


def test_a_precision_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match="there is: bf16, float32"):
        GIN(precision="fp8")

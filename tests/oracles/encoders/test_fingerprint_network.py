"""The sparse first layer is the dense one; whitened vectors have the covariance asked for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from molmeta.encoders.features import Features
from molmeta.encoders.fingerprint_network import FingerprintNetwork
from molmeta.encoders.joined import Joined
from molmeta.encoders.whitened import Whitened
from molmeta.errors import ConfigError
from molmeta.molecules.molecules import Molecules

NETWORK = {"name": "fingerprint", "hidden": 16, "dim": 8, "blocks": ["ecfp4", "descriptors"]}


def dense(network: FingerprintNetwork, x: Molecules) -> torch.Tensor:
    """The same by dense products."""
    rows = Features(network.blocks)(x).double()
    width = 2048 * len(network.counted)
    counts = torch.from_numpy(np.log1p(rows[:, :width].float().numpy())).double()
    rows = torch.cat([counts, rows[:, width:]], dim=1)
    h = network.network[1:4](network.network[0](rows))
    for part in network.middle:
        h = h + part(h)
    return network.network[4:](h)


@pytest.mark.parametrize(
    "blocks", [("ecfp4", "descriptors"), ("descriptors", "torsion", "ecfp6"), ("descriptors",)]
)
def test_sparse_is_dense_with_its_gradients(drugs: Molecules, blocks: tuple[str, ...]) -> None:
    torch.manual_seed(0)
    network = FingerprintNetwork(12, 6, blocks=blocks, middle=1).double().eval()
    weights = list(network.parameters())
    sparse, expected = network(drugs), dense(network, drugs)
    torch.testing.assert_close(sparse, expected)
    probe = torch.randn_like(sparse)
    for a, b in zip(
        torch.autograd.grad((sparse * probe).sum(), weights),
        torch.autograd.grad((expected * probe).sum(), weights),
        strict=True,
    ):
        torch.testing.assert_close(a, b)


def test_dropout_of_the_vector_is_for_training(drugs: Molecules) -> None:
    network = FingerprintNetwork(12, 64, vector_dropout=0.5)
    assert (network.train()(drugs) == 0).float().mean() == pytest.approx(0.5, abs=0.1)
    assert (network.eval()(drugs) == 0).sum() == 0


@pytest.mark.parametrize("power", [0.0, 0.25, 0.5])
def test_whitened_vectors_have_the_power_of_their_variances(drugs: Molecules, power: float) -> None:
    torch.manual_seed(0)
    encoder = Whitened(NETWORK, power=power, ridge=0.0).double()
    h = encoder.network(drugs)
    encoder.fit(h)
    z = encoder(drugs)
    torch.testing.assert_close(z.mean(dim=0), torch.zeros(8).double(), atol=1e-9, rtol=0)
    variances = torch.linalg.eigvalsh(torch.cov(h.T, correction=0))
    # LayerNorm leaves seven directions of eight
    expected = variances.clamp(min=0) ** (1 - 2 * power)
    found = torch.linalg.eigvalsh(torch.cov(z.T, correction=0))
    torch.testing.assert_close(found[1:], expected[1:].sort().values, rtol=1e-6, atol=1e-9)
    off = torch.cov(z.T, correction=0)
    assert (off - off.diag().diag()).abs().max() < 1e-9


def test_the_network_below_stays_as_it_is(drugs: Molecules) -> None:
    encoder = Whitened({**NETWORK, "dropout": 0.5})
    encoder.train()
    assert torch.equal(encoder(drugs), encoder(drugs)), "dropout was on"
    assert not any(p.requires_grad for p in encoder.parameters())


def test_joined_stands_side_by_side_and_begins_with_a_network(drugs: Molecules) -> None:
    torch.manual_seed(0)
    features = {"name": "features", "blocks": ["ecfp4", "descriptors"]}
    joined = Joined([features, {"name": "whitened", "network": NETWORK}])
    other = FingerprintNetwork(16, 8)
    joined.begin_with(other)
    rows = joined(drugs)
    assert joined.dim == rows.shape[1] == 2048 + 11 + 8
    torch.testing.assert_close(rows[:, joined.columns["vector"]], other(drugs))
    torch.testing.assert_close(
        rows[:, joined.columns["descriptors"]], Features(["descriptors"])(drugs)
    )


def test_two_parts_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="two parts of 'joined' have 'ecfp4'"):
        Joined([{"name": "features", "blocks": ["ecfp4"]}] * 2)


def test_sizes_that_differ_are_refused() -> None:
    with pytest.raises(RuntimeError):
        Whitened(NETWORK).begin_with(FingerprintNetwork(32, 8))
    assert isinstance(Whitened(NETWORK).network, nn.Module)

"""A graph network's bottleneck, its whitening while it is trained, and its place beside others."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from molmeta.encoders.fingerprint_network import FingerprintNetwork
from molmeta.encoders.gin import GIN
from molmeta.encoders.joined import Joined
from molmeta.encoders.whitened import Whitened
from molmeta.errors import ConfigError
from molmeta.learners.maml import maml
from molmeta.tasks import Classification, Episode, Examples

GRAPH = {"name": "gin", "width": 8, "layers": 2, "bottleneck": 5}
FINGERPRINT = {"name": "fingerprint", "hidden": 8, "dim": 6}


def test_the_bottleneck_reads_every_layer_and_stands_behind_them(molecules):
    gin = GIN(width=8, layers=2, bottleneck=5).eval()
    vectors = gin(molecules)
    assert vectors.shape == (len(molecules), gin.dim) == (len(molecules), 3 * 8 + 5)
    assert not gin.non_negative and GIN(width=8, layers=2).non_negative
    read, neck = vectors[:, :24], vectors[:, 24:]
    w = [p for name, p in gin.named_parameters() if name.startswith("bottleneck")]
    h = F.layer_norm(read, (24,), w[0], w[1]) @ w[2].T + w[3]
    h = torch.relu(F.layer_norm(h, (10,), w[4], w[5])) @ w[6].T + w[7]
    torch.testing.assert_close(neck, F.layer_norm(h, (5,), w[8], w[9]))
    plain = GIN(width=8, layers=2)
    plain.load_state_dict(gin.state_dict(), strict=False)
    assert torch.equal(plain(molecules), read)


def test_dropout_is_in_the_bottleneck_alone(molecules):
    gin = GIN(width=8, layers=2, bottleneck=5, dropout=0.5).train()
    one, other = gin(molecules), gin(molecules)
    assert torch.equal(one[:, :24], other[:, :24])
    assert not torch.equal(one[:, 24:], other[:, 24:])


@pytest.mark.parametrize("free", [False, True])
def test_an_inner_loop_moves_a_network_and_training_one_that_is_free(molecules, free):
    encoder = Whitened(GRAPH, free=free)
    encoder.fit(encoder.network(molecules))
    target = Classification(2)
    learner = maml(encoder, target, inner_lr=0.5, inner_steps=2).train()
    y = torch.arange(len(molecules))
    halves = [Examples(molecules[k::2], y[k::2] // 2 % 2, target) for k in (0, 1)]
    before = {name: p.detach().clone() for name, p in learner.network.named_parameters()}
    learner.loss(Episode(*halves)).backward()
    state = learner.adapt(halves[0])
    for name, parameter in learner.network.named_parameters():
        assert not torch.equal(state[name], before[name]), name
        assert (parameter.grad is not None) == (free or ".network." not in name), name
    assert not any("mean" in name or "factor" in name for name in state)


def test_vectors_side_by_side_are_one_and_take_all_weights_of_their_like(molecules):
    both = Joined([GRAPH, FINGERPRINT, {"name": "features", "blocks": ["descriptors"]}])
    assert both.columns == {"vector": slice(0, 29 + 6), "descriptors": slice(35, 46)}
    other = Joined([GRAPH, FINGERPRINT, {"name": "features", "blocks": ["descriptors"]}])
    assert not torch.equal(both.eval()(molecules), other.eval()(molecules))
    other.begin_with(both)
    assert torch.equal(both(molecules), other(molecules))
    with pytest.raises(ConfigError, match="two parts of 'joined' have 'vector'"):
        Joined([GRAPH, {"name": "features", "blocks": ["descriptors"]}, FINGERPRINT])


def test_each_part_with_weights_takes_those_of_its_own(molecules):
    parts = [GRAPH, {"name": "features", "blocks": ["descriptors"]}, FINGERPRINT]
    both = Joined([parts[1], parts[0], parts[2]]).eval()
    gin, network = GIN(width=8, layers=2, bottleneck=5).eval(), FingerprintNetwork(8, 6).eval()
    both.begin_with(gin, network)
    assert torch.equal(both(molecules)[:, 11:], torch.cat([gin(molecules), network(molecules)], 1))
    for wrong in ([gin], [gin, network, gin], [network, gin]):
        with pytest.raises(RuntimeError):
            both.begin_with(*wrong)
    with pytest.raises(RuntimeError, match="one encoder cannot begin with 2"):
        gin.begin_with(gin, gin)

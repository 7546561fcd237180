"""Training on vectors that are computed once is training on molecules; coordinates can be few."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from molmeta.encoders.gin import GIN
from molmeta.encoders.stacked import Stacked
from molmeta.encoders.whitened import Whitened
from molmeta.errors import ConfigError
from molmeta.learners.base import Embedded
from molmeta.learners.maml import maml
from molmeta.learners.prototypical import prototypical
from molmeta.learners.reptile import reptile
from molmeta.models import Training
from molmeta.tasks import AssayEpisodes, Classification
from molmeta.training.fixed_encoder import OnVectors, above_fixed
from molmeta.training.trainer import MetaTrainer

GRAPH = {"name": "gin", "width": 8, "layers": 2}
WHITENED = {"name": "whitened", "network": GRAPH, "power": 0.5, "unit": True}
INNER = {"inner_lr": 0.1, "head_lr": 1.0, "inner_steps": 2}
# Adam moves a weight of no gradient by its rounding, which differs by processor
STEPS = Training(steps=3, lr=0.1, optimiser="sgd")
BUILD = {
    "prototypical": prototypical,
    "maml": lambda encoder, target: maml(encoder, target, **INNER),
    "reptile": lambda encoder, target: reptile(encoder, target, inner_lr=0.1, head_lr=1.0),
}


@pytest.fixture
def assays(embedded):
    return [
        assay.take(np.arange(60))
        for assay in list(embedded.binarise_where_possible()[0].values())[:3]
    ]


def learner(name: str, assays) -> Embedded:
    torch.manual_seed(0)
    encoder = Stacked(WHITENED)
    network = encoder.network
    network.fit(network.network(assays[0].molecules).detach())
    return BUILD[name](encoder, Classification(2)).train()


@pytest.mark.parametrize("name", BUILD)
def test_a_step_on_vectors_is_a_step_on_molecules(name: str, assays) -> None:
    ends = []
    for ahead in (False, True):
        one, data = learner(name, assays), assays
        trained = one
        if ahead:
            trained, (data,) = above_fixed(one, assays)
            assert isinstance(trained, OnVectors) and trained.for_use() is one
            assert all(isinstance(assay.molecules, torch.Tensor) for assay in data)
        episodes = AssayEpisodes(data, (8,), 8, 2, seed=0)
        MetaTrainer(trained, episodes, STEPS).run(progress=False)
        ends.append(one.state_dict())
    start = learner(name, assays).state_dict()
    moved = [key for key in start if not torch.equal(start[key], ends[0][key])]
    assert moved and not any(key.startswith("encoder.network") for key in moved)
    for key, value in ends[0].items():
        torch.testing.assert_close(ends[1][key], value, rtol=1e-4, atol=1e-6, msg=key)


def test_an_inner_loop_moves_the_layer_of_a_stacked_encoder_and_the_head(assays) -> None:
    one = learner("maml", assays)
    state = one.adapt(assays[0].examples())
    assert set(state) == {"0.weight", "1.1.weight", "1.1.bias"}
    assert not torch.equal(state["0.weight"], torch.eye(24))


def test_a_layer_starts_as_the_identity_and_reads_what_its_network_reads(assays) -> None:
    encoder = Stacked(WHITENED)
    x = assays[0].molecules
    assert torch.equal(encoder(x), encoder.network(x)) and encoder.blocks == ("graph",)
    gin = GIN(width=8, layers=2)
    encoder.begin_with(gin)
    assert torch.equal(encoder.network.network(x), gin(x))
    free = Stacked({**WHITENED, "free": True})
    assert free.fixed_below is None
    trained = Embedded(free, prototypical(free, Classification(2)).learner)
    assert above_fixed(trained, assays) == (trained, [assays])


def test_few_coordinates_are_those_that_vary_most_and_rows_can_have_one_length(assays) -> None:
    x, every = assays[0].molecules, Whitened(GRAPH, power=0.25)
    few, unit = Whitened(GRAPH, power=0.25, width=5), Whitened(GRAPH, width=5, unit=True)
    vectors = every.network(x).detach()
    for one in (every, few, unit):
        one.begin_with(every.network)
        one.fit(vectors)
    torch.testing.assert_close(few(x), every(x)[:, -5:], rtol=1e-5, atol=1e-5)
    assert few.dim == 5 and every(x).var(dim=0)[-5:].min() >= every(x).var(dim=0)[:-5].max()
    torch.testing.assert_close(unit(x).norm(dim=1), torch.full((len(x),), 5**0.5))
    torch.testing.assert_close(
        unit(x), few(x) / few(x).norm(dim=1, keepdim=True) * 5**0.5, rtol=1e-5, atol=1e-6
    )
    with pytest.raises(ConfigError, match="width = 30 of 'whitened' is more than the 24"):
        Whitened(GRAPH, width=30)

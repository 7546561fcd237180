"""Law 4: a state is finite tensors that a file keeps bit for bit."""

from __future__ import annotations

import torch
from safetensors.torch import load, save
from torch import Tensor


def test_a_state_is_finite_tensors_under_names(case):
    state = case.learner().adapt(case.episode().support)
    assert state
    assert all(type(name) is str and isinstance(state[name], Tensor) for name in state)
    assert [name for name in state if not torch.isfinite(state[name]).all()] == []


def test_a_state_survives_safetensors_with_its_predictions(case):
    learner, episode = case.learner(), case.episode()
    with torch.no_grad():
        state = learner.adapt(episode.support)
        reloaded = load(save(state))
        torch.testing.assert_close(reloaded, state, rtol=0, atol=0)
        outputs = learner(episode.query.x, state)
        again = case.learner()(episode.query.x, reloaded)
    assert torch.isfinite(outputs).all()
    assert torch.equal(again, outputs)


def test_a_state_does_not_change_when_the_learner_does(trainable):
    learner, support = trainable.learner(), trainable.episode().support
    with torch.no_grad():
        state = learner.adapt(support)
        kept = {name: tensor.clone() for name, tensor in state.items()}
        for parameter in learner.parameters():
            parameter.add_(1.0)
    torch.testing.assert_close(state, kept, rtol=0, atol=0)

"""Law 9: ANIL's inner loop moves the head and leaves the encoder alone."""

from __future__ import annotations

import torch


def test_the_state_holds_the_parameters_of_the_head_alone(anil):
    learner = anil.learner()
    state = learner.adapt(anil.episode().support)
    adapted = {name for name in state if not name.startswith("label.")}
    assert adapted == {name for name, _ in learner.learner.network.named_parameters()}
    assert {name for name in state if name.startswith("label.")} == (
        {"label.mean", "label.spread"} if anil.task == "regression" else set()
    )


def test_adapting_changes_the_head_and_not_the_encoder(anil):
    learner, episode = anil.learner(), anil.episode()
    encoder = {name: t.clone() for name, t in learner.encoder.state_dict().items()}
    vectors = learner.encoder(episode.query.x)
    state = learner.adapt(episode.support)
    torch.testing.assert_close(dict(learner.encoder.state_dict()), encoder, rtol=0, atol=0)
    assert torch.equal(learner.encoder(episode.query.x), vectors)
    for name, start in learner.learner.network.named_parameters():
        assert not torch.equal(state[name], start), name


def test_predictions_use_the_encoder_and_the_adapted_head(anil):
    learner, episode = anil.learner(), anil.episode()
    state = learner.adapt(episode.support)
    vectors = learner.encoder(episode.query.x)
    torch.testing.assert_close(
        learner(episode.query.x, state), learner.learner(vectors, state), rtol=0, atol=0
    )

"""Laws 5 and 8: the meta-loss is the mean of the losses, and moves every parameter."""

from __future__ import annotations

import torch

# a shift of all vectors moves no distance between them: the last bias of an encoder is idle
IDLE = {(name, "fingerprint"): {"encoder.network.5.bias"} for name in ("prototypical", "siamese")}
for name in ("prior_mean", "averaged_process"):  # of residuals
    IDLE[name, "features with prior"] = {"encoder.network.network.5.bias"}


def test_meta_loss_is_the_mean_of_the_losses(case):
    learner, episodes = case.learner(), [case.episode(seed) for seed in range(3)]
    together = learner.meta_loss(episodes)
    one_by_one = torch.stack([learner.loss(episode) for episode in episodes]).mean()
    assert together.ndim == 0
    torch.testing.assert_close(together, one_by_one, rtol=1e-5, atol=1e-5)


def test_every_parameter_gets_a_gradient(trainable):
    learner = trainable.learner()
    learner.meta_loss([trainable.episode(seed) for seed in range(2)]).backward()
    grads = {name: p.grad for name, p in learner.named_parameters()}
    assert [name for name, grad in grads.items() if grad is None] == []
    assert [name for name, grad in grads.items() if not torch.isfinite(grad).all()] == []
    still = {name for name, grad in grads.items() if not grad.abs().max() > 1e-7}
    assert still <= IDLE.get((trainable.entry.name, trainable.encoder), set())

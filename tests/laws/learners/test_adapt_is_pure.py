"""Laws 1 and 11: `adapt` reads the learner and writes nothing; it needs no autograd graph."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def attributes(learner: nn.Module) -> dict[str, Any]:
    """Every attribute of every submodule; containers as copies that hold the same objects."""
    out = {}
    for path, module in learner.named_modules():
        for name, value in vars(module).items():
            kept = value.copy() if isinstance(value, dict | list | set) else value
            out[f"{path}.{name}"] = kept
    return out


def same(before: Any, after: Any) -> bool:
    """The same object, or containers of the same objects in the same order."""
    if isinstance(before, dict):
        return list(before) == list(after) and all(before[key] is after[key] for key in before)
    if isinstance(before, list | set):
        return before == after
    return before is after


def test_adapt_changes_no_weight_and_no_attribute(case):
    learner, support = case.learner(), case.episode().support
    weights = {name: t.clone() for name, t in learner.state_dict().items()}
    before = attributes(learner)
    learner.adapt(support)
    after = attributes(learner)
    assert before.keys() == after.keys()
    assert [name for name in before if not same(before[name], after[name])] == []
    torch.testing.assert_close(dict(learner.state_dict()), weights, rtol=0, atol=0)


def test_adapt_leaves_no_gradient_behind(case):
    learner = case.learner()
    learner.adapt(case.episode().support)
    assert [name for name, p in learner.named_parameters() if p.grad is not None] == []


def test_adapt_twice_is_the_same_and_draws_no_random_number(case):
    learner, support = case.learner(), case.episode().support
    random_state = torch.random.get_rng_state()
    first, second = learner.adapt(support), learner.adapt(support)
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    assert torch.equal(torch.random.get_rng_state(), random_state)


def test_adapt_leaves_the_support_as_it_was(case):
    learner, support = case.learner(), case.episode().support
    y = support.y.clone()
    x = list(support.x.smiles) if case.on_molecules else support.x.clone()
    learner.adapt(support)
    assert torch.equal(support.y, y)
    assert support.x.smiles == x if case.on_molecules else torch.equal(support.x, x)


def test_adapt_and_predict_inside_no_grad_give_the_same_values(case):
    learner, episode = case.learner(), case.episode()
    state = learner.adapt(episode.support)
    outputs = learner(episode.query.x, state)
    with torch.no_grad():
        state_without = learner.adapt(episode.support)
        outputs_without = learner(episode.query.x, state_without)
    assert not any(tensor.requires_grad for tensor in state_without.values())
    detached = {name: tensor.detach() for name, tensor in state.items()}
    torch.testing.assert_close(state_without, detached, rtol=0, atol=0)
    torch.testing.assert_close(outputs_without, outputs.detach(), rtol=0, atol=0)

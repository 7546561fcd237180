"""Law 6: a target that a learner cannot predict, and a support without a class, are refused."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
import torch

from molmeta.errors import OneClassSupport, UnsupportedTarget
from molmeta.tasks.episode import Episode, Examples
from molmeta.tasks.targets import Classification, Regression


@dataclass(frozen=True)
class Ranking:
    """A kind of target that no learner here predicts."""

    kind: ClassVar[str] = "ranking"


def relabelled(episode, target):
    """The same inputs with another kind of label."""
    sets = [
        Examples(part.x, torch.linspace(4, 8, len(part)), target)
        for part in (episode.support, episode.query)
    ]
    return Episode(*sets, episode.task)


def test_an_unsupported_target_is_refused_by_name(case):
    learner, episode = case.learner(), case.episode()
    others = [Ranking()]
    if Regression not in learner.targets:
        others.append(Regression())
    for target in others:
        strange = relabelled(episode, target)
        for attempt in (lambda: learner.adapt(strange.support), lambda: learner.loss(strange)):  # noqa: B023
            with pytest.raises(UnsupportedTarget, match=case.entry.called) as refusal:
                attempt()
            assert target.kind in str(refusal.value)


def test_a_support_without_a_class_is_refused_in_adapt(classification):
    learner, support = classification.learner(), classification.episode().support
    for missing in range(classification.target.n_way):
        rows = torch.nonzero(support.y != missing).flatten()
        lacking = replace(support, x=support.x[rows], y=support.y[rows])
        with pytest.raises(OneClassSupport, match=classification.entry.called) as refusal:
            learner.adapt(lacking)
        assert f"none of class {missing}" in str(refusal.value)


@pytest.mark.parametrize("n_way", [2, 5])
def test_a_support_without_a_class_is_refused_in_an_episode(n_way):
    x = torch.zeros(2 * n_way, 3)
    whole = Examples(x, torch.arange(2 * n_way) % n_way, Classification(n_way))
    lacking = Examples(x, torch.arange(2 * n_way) % (n_way - 1), Classification(n_way))
    with pytest.raises(OneClassSupport, match=f"assay 7.*none of class {n_way - 1}"):
        Episode(lacking, whole, "assay 7")
    assert Episode(whole, lacking, "assay 7").target == Classification(n_way)

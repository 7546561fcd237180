"""Law 2: the order of the support does not matter, and classes are only names."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from molmeta.baselines.nearest_neighbours import NearestNeighbours
from molmeta.tasks.episode import Examples
from molmeta.tasks.targets import Classification


def test_the_order_of_the_support_matters_only_where_that_is_declared(case):
    learner, episode = case.learner(), case.episode()
    order = torch.randperm(len(episode.support))
    shuffled = replace(episode.support, x=episode.support.x[order], y=episode.support.y[order])
    with torch.no_grad():
        outputs = learner(episode.query.x, learner.adapt(episode.support))
        again = learner(episode.query.x, learner.adapt(shuffled))
    if learner.ordered:
        assert (again - outputs).abs().max() > 1e-4
    else:
        torch.testing.assert_close(again, outputs, rtol=1e-5, atol=1e-5)


def test_relabelling_the_classes_permutes_the_columns(symmetric):
    learner, episode = symmetric.learner(), symmetric.episode()
    new = torch.arange(symmetric.target.n_way).roll(1)  # class k becomes new[k]
    relabelled = replace(episode.support, y=new[episode.support.y])
    with torch.no_grad():
        outputs = learner(episode.query.x, learner.adapt(episode.support))
        permuted = learner(episode.query.x, learner.adapt(relabelled))
    torch.testing.assert_close(permuted[:, new], outputs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_neighbours_that_tie_for_the_last_place_are_treated_alike(k):
    x = torch.eye(4)  # every support row is as similar to the query as any other
    query, learner = torch.ones(1, 4), NearestNeighbours(k)
    y = torch.tensor([0, 0, 1, 1])
    outputs = learner(query, learner.adapt(Examples(x, y, Classification(2))))
    swapped = learner(query, learner.adapt(Examples(x, 1 - y, Classification(2))))
    torch.testing.assert_close(swapped.flip(1), outputs, rtol=1e-5, atol=1e-5)

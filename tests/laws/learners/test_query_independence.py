"""Laws 3 and 12: a prediction depends on its input alone, not on the other rows."""

from __future__ import annotations

import torch

from molmeta.molecules.molecules import Molecules


def test_one_by_one_equals_together(case):
    learner, episode = case.learner(), case.episode()
    with torch.no_grad():
        state = learner.adapt(episode.support)
        together = learner(episode.query.x, state)
        rows = [learner(episode.query.x[i : i + 1], state) for i in range(len(episode.query))]
    assert together.shape == (len(episode.query), case.target.width)
    torch.testing.assert_close(torch.cat(rows), together, rtol=1e-5, atol=1e-5)


def test_a_score_does_not_depend_on_company_or_order(molecular):
    learner, episode = molecular.learner(), molecular.episode()
    names = episode.query.x.smiles
    company = Molecules(["[Se]=C(N)N", *names[::-1], "C", "FC#CI"])  # another store, other atoms
    with torch.no_grad():
        state = learner.adapt(episode.support)
        alone, among = learner(episode.query.x, state), learner(company, state)
    torch.testing.assert_close(among[1:-2].flip(0), alone, rtol=1e-5, atol=1e-5)


def test_the_same_chunk_has_the_same_bits(molecular):
    learner, episode = molecular.learner(), molecular.episode()
    names = molecular.drugs.smiles
    with torch.no_grad():
        state = learner.adapt(episode.support)
        first = learner(Molecules(names), state)
        restarted = molecular.learner()(Molecules(names), state)
        view = learner(Molecules(["C", *names, "FC#CI"])[1:-1][:], state)
    assert torch.equal(first, restarted)
    assert torch.equal(learner(Molecules(names), state), first)
    assert torch.equal(view, first)

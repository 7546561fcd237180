"""Episodes: the same for everybody, disjoint, stratified, of equal sizes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from molmeta.errors import ConfigError, TooFewMeasurements
from molmeta.tasks.assay import Assay
from molmeta.tasks.episode import Episode
from molmeta.tasks.sampling import AssayEpisodes, evaluation_episode, large_enough
from molmeta.tasks.targets import Classification, Regression, Target


def assay(actives: int, inactives: int, name: str = "assay", target: Target | None = None) -> Assay:
    """An assay whose molecules are numbered, actives first."""
    n = actives + inactives
    values = (np.arange(n) < actives).astype(float)
    if isinstance(target, Regression):
        values = np.linspace(9, 4, n)
    ids = torch.arange(n, dtype=torch.float32).unsqueeze(1)
    return Assay(name, ids, values, target or Classification(2))


def ids(episode: Episode) -> tuple[list[int], list[int]]:
    """Numbers of the support's and the query's molecules, in order."""
    sets = (episode.support, episode.query)
    return tuple([int(i) for i in part.x[:, 0]] for part in sets)  # type: ignore[return-value]


COUNTS = st.integers(2, 60)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(actives=COUNTS, inactives=COUNTS, size=st.integers(2, 80), draw=st.integers(0, 5))
def test_support_and_query_are_disjoint_and_together_everything(actives, inactives, size, draw):
    assume(size <= actives + inactives - 2)
    source = assay(actives, inactives)
    support, query = ids(evaluation_episode(source, size, draw))
    assert len(support) == size
    assert sorted(support + query) == list(range(len(source)))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(actives=COUNTS, inactives=COUNTS, size=st.integers(2, 80))
def test_the_support_has_the_prevalence_of_the_assay_within_one_molecule(actives, inactives, size):
    n = actives + inactives
    assume(size <= n - 2)
    episode = evaluation_episode(assay(actives, inactives), size, 0)
    ones = int(episode.support.y.sum())
    assert abs(ones - size * actives / n) <= 1
    for part in (episode.support, episode.query):
        assert part.y.unique().tolist() == [0, 1]


def test_labels_go_with_their_molecules():
    for part in (lambda e: e.support, lambda e: e.query):
        found = part(evaluation_episode(assay(20, 30), 16, 0))
        assert torch.equal(found.y, (found.x[:, 0] < 20).long())


def test_an_episode_does_not_depend_on_what_was_drawn_before():
    keys = [(name, size, draw) for name in ("a", "b") for size in (4, 8) for draw in range(3)]
    draw = {key: ids(evaluation_episode(assay(10, 14, key[0]), key[1], key[2])) for key in keys}
    np.random.default_rng(1).shuffle(keys)
    torch.manual_seed(99)
    again = {key: ids(evaluation_episode(assay(10, 14, key[0]), *key[1:])) for key in keys}
    assert again == draw
    assert len({str(value) for value in draw.values()}) == len(keys)
    assert ids(evaluation_episode(assay(10, 14, "a"), 4, 0, seed=1)) != draw["a", 4, 0]


def test_an_episode_is_the_one_that_it_has_always_been():
    support, _ = ids(evaluation_episode(assay(10, 14, "a"), 6, 0))
    assert support == [12, 22, 6, 5, 21, 13]  # a change breaks comparison with published tables


def test_a_regression_is_split_without_a_look_at_its_values():
    support, query = ids(evaluation_episode(assay(10, 10, target=Regression()), 8, 0))
    assert len(support) == 8
    assert sorted(support + query) == list(range(20))


@pytest.mark.parametrize(("actives", "inactives", "size"), [(1, 30, 4), (30, 1, 4), (5, 5, 9)])
def test_an_assay_without_enough_measurements_is_refused(actives, inactives, size):
    with pytest.raises(TooFewMeasurements, match=f"{actives} active and {inactives} inactive"):
        evaluation_episode(assay(actives, inactives), size, 0)


@pytest.mark.parametrize("target", [Classification(2), Regression()], ids=str)
def test_the_episodes_of_a_meta_batch_have_equal_sizes(target):
    assays = [assay(20 + i, 15, f"assay {i}", target) for i in range(5)]
    episodes = AssayEpisodes(assays, (4, 8), query_size=6, meta_batch_size=4)
    seen = set()
    for step in range(20):
        batch = episodes.meta_batch(step)
        sizes = {(len(episode.support), len(episode.query)) for episode in batch}
        assert len(batch) == 4
        assert len(sizes) == 1
        assert len({episode.task for episode in batch}) == 4
        for episode in batch:
            support, query = ids(episode)
            assert not set(support) & set(query)
        seen |= sizes
    assert seen == {(4, 6), (8, 6)}


def test_a_meta_batch_depends_on_its_seed_and_step_alone():
    assays = [assay(20, 15, f"assay {i}") for i in range(3)]
    first, second = (AssayEpisodes(assays, (4, 8), 6, 5) for _ in range(2))
    forwards = [[ids(e) for e in first.meta_batch(step)] for step in range(4)]
    backwards = [[ids(e) for e in second.meta_batch(step)] for step in (3, 2, 1, 0)]
    assert forwards == backwards[::-1]
    other = AssayEpisodes(assays, (4, 8), 6, 5, seed=1)
    assert [ids(e) for e in other.meta_batch(0)] != forwards[0]


@settings(max_examples=60, deadline=None, derandomize=True)
@example(actives=3, inactives=2, size=4, query_size=1)
@given(
    actives=st.integers(0, 12),
    inactives=st.integers(0, 12),
    size=st.integers(2, 12),
    query_size=st.integers(1, 6),
)
def test_an_assay_that_is_large_enough_can_be_drawn_from(actives, inactives, size, query_size):
    kept, small = large_enough([assay(actives, inactives)], [size], query_size)
    assert len(kept) + len(small) == 1
    if kept:
        (episode,) = AssayEpisodes(kept, [size], query_size, 1).meta_batch(0)
        assert (len(episode.support), len(episode.query)) == (size, query_size)


def test_assays_that_are_too_small_are_refused_before_training():
    with pytest.raises(TooFewMeasurements, match="such as small with 10"):
        AssayEpisodes([assay(30, 30), assay(5, 5, "small")], (8,), 6, 2)
    with pytest.raises(TooFewMeasurements, match="no assay"):
        AssayEpisodes([], (8,), 6, 2)


def test_classes_are_swapped_in_half_of_the_episodes_and_nothing_else_changes():
    assays = [assay(30, 30)]
    plain = AssayEpisodes(assays, (8,), 6, 2, seed=3)
    shuffled = AssayEpisodes(assays, (8,), 6, 2, seed=3, shuffle_classes=True)
    swapped = 0
    for step in range(50):
        for a, b in zip(plain.meta_batch(step), shuffled.meta_batch(step), strict=True):
            for one, other in ((a.support, b.support), (a.query, b.query)):
                torch.testing.assert_close(other.x, one.x)
            same = torch.equal(a.support.y, b.support.y) and torch.equal(a.query.y, b.query.y)
            if not same:
                assert torch.equal(1 - a.support.y, b.support.y)
                assert torch.equal(1 - a.query.y, b.query.y)
                swapped += 1
    assert 35 <= swapped <= 65  # of 100


def test_a_regression_has_no_classes_to_swap():
    values = assay(30, 30, target=Regression())
    with pytest.raises(ConfigError, match="regression has neither"):
        AssayEpisodes([values], (8,), 6, 2, shuffle_classes=True)

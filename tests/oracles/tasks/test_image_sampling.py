"""N-way k-shot episodes: disjoint, exact, in random order, the same for everybody."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from molmeta.errors import ConfigError, MolmetaError, TooFewMeasurements
from molmeta.tasks.episode import Episode
from molmeta.tasks.image_sampling import NWayKShot, evaluation_images
from molmeta.tasks.images import Images
from molmeta.tasks.targets import Classification

CLASSES, EACH = 8, 9


def numbered(counts: list[int] | None = None, *, described: bool = False) -> Images:
    """Images of one row of two pixels: the number of their class, and their own in it."""
    counts = counts or [EACH] * CLASSES
    pixels = [(c, i) for c, count in enumerate(counts) for i in range(count)]
    return Images(
        np.asarray(pixels, np.uint8).reshape(-1, 1, 1, 2),
        np.repeat(np.arange(len(counts)), counts),
        tuple(f"class {c}" for c in range(len(counts))),
        ("",) * len(counts),
        np.arange(2 * len(counts), dtype=np.float32).reshape(-1, 2) if described else None,
    )


def ids(x: torch.Tensor) -> list[tuple[int, int]]:
    """(class, number) of images, in order."""
    rows = (255 * x).round().long().flatten(1).tolist()
    return [(first, second) for first, second in rows]


def content(episode: Episode) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """The images of the support and of the query."""
    return ids(episode.support.x), ids(episode.query.x)


def by_training(n_way: int, k_shot: int, query_shots: int, step: int) -> Episode:
    (episode,) = NWayKShot(numbered(), n_way, [k_shot], query_shots, 1).meta_batch(step)
    return episode


def by_evaluation(n_way: int, k_shot: int, query_shots: int, draw: int) -> Episode:
    return evaluation_images(numbered(), n_way, k_shot, query_shots, draw)


DRAWS = pytest.mark.parametrize("drawn", [by_training, by_evaluation])


@DRAWS
@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    n_way=st.integers(2, CLASSES),
    k_shot=st.integers(1, 5),
    query_shots=st.integers(1, 4),
    number=st.integers(0, 5),
)
def test_support_and_query_are_disjoint_with_exact_counts(
    drawn, n_way, k_shot, query_shots, number
):
    episode = drawn(n_way, k_shot, query_shots, number)
    support, query = content(episode)
    assert episode.target == Classification(n_way)
    assert len(set(support + query)) == n_way * (k_shot + query_shots)
    first = zip(episode.support.y.tolist(), support, strict=True)
    classes = {label: c for label, (c, _) in first}
    assert len(set(classes.values())) == n_way
    for part, images, each in (
        (episode.support, support, k_shot),
        (episode.query, query, query_shots),
    ):
        labels = part.y.tolist()
        assert Counter(labels) == dict.fromkeys(range(n_way), each)
        assert [classes[label] for label in labels] == [image[0] for image in images]
    assert episode.task == ", ".join(f"class {classes[i]}" for i in range(n_way))


@DRAWS
def test_a_class_has_every_index_and_every_chance(drawn):
    indices, numbers, drawn_together = Counter(), Counter(), Counter()
    for draw in range(400):
        episode = drawn(4, 1, 1, draw)
        for y, (c, i) in zip(episode.support.y.tolist(), content(episode)[0], strict=True):
            indices[c, y] += 1
            numbers[i] += 1
        drawn_together[frozenset(c for c, _ in content(episode)[0])] += 1
    assert len(indices) == CLASSES * 4  # each expected 50 times
    assert min(indices.values()) > 25
    assert max(indices.values()) < 80
    assert len(numbers) == EACH  # each expected 178 times
    assert min(numbers.values()) > 130
    assert len(drawn_together) > 60  # of 70


@DRAWS
def test_rows_are_not_sorted_by_class(drawn):
    for part in ("support", "query"):
        orders = {tuple(getattr(drawn(3, 3, 3, draw), part).y.tolist()) for draw in range(20)}
        assert len(orders) == 20
        assert tuple(sorted([0, 1, 2] * 3)) not in orders


def test_a_meta_batch_has_one_number_of_shots_and_distinct_episodes():
    episodes = NWayKShot(numbered(), 3, (1, 5), query_shots=2, meta_batch_size=4)
    seen = Counter()
    for step in range(40):
        batch = episodes.meta_batch(step)
        assert len(batch) == 4
        assert {len(episode.query) for episode in batch} == {6}
        (size,) = {len(episode.support) for episode in batch}
        seen[size] += 1
        assert len({str(content(episode)) for episode in batch}) == 4
    assert seen.keys() == {3, 15}
    assert min(seen.values()) >= 10


def test_a_meta_batch_depends_on_its_seed_and_step_alone():
    first, second = (NWayKShot(numbered(), 3, (1, 5), 2, 4) for _ in range(2))
    forwards = [[content(e) for e in first.meta_batch(step)] for step in range(4)]
    np.random.default_rng(1).random()
    torch.manual_seed(99)
    backwards = [[content(e) for e in second.meta_batch(step)] for step in (3, 2, 1, 0)]
    assert forwards == backwards[::-1]
    other = NWayKShot(numbered(), 3, (1, 5), 2, 4, seed=1)
    assert [content(e) for e in other.meta_batch(0)] != forwards[0]


def test_an_evaluation_episode_depends_on_names_and_arguments_alone():
    images = numbered()
    reordered = images.select([5, 2, 7, 0, 1, 6, 4, 3])
    keys = [(n_way, k_shot, draw) for n_way in (2, 5) for k_shot in (1, 3) for draw in range(3)]
    drawn = [content(evaluation_images(images, n, k, 2, draw)) for n, k, draw in keys]
    assert [content(evaluation_images(reordered, n, k, 2, draw)) for n, k, draw in keys] == drawn
    assert len({str(episode) for episode in drawn}) == len(keys)
    assert content(evaluation_images(images, 2, 1, 2, 0, seed=1)) != drawn[0]
    renamed = Images(images.pixels, images.labels, tuple("abcdefgh"), images.groups)
    assert content(evaluation_images(renamed, 2, 1, 2, 0)) != drawn[0]


def test_the_support_does_not_change_with_the_number_of_queries():
    few, many = (evaluation_images(numbered(), 5, 3, queries, 0) for queries in (1, 6))
    assert torch.equal(few.support.x, many.support.x)
    assert torch.equal(few.support.y, many.support.y)


def test_an_episode_is_the_one_that_it_has_always_been():
    episode = evaluation_images(numbered(), 3, 2, 1, 0)  # a change breaks published tables
    support, query = content(episode)
    assert support == [(5, 8), (4, 1), (5, 0), (4, 6), (1, 7), (1, 0)]
    assert episode.support.y.tolist() == [2, 1, 2, 1, 0, 0]
    assert query == [(5, 3), (1, 6), (4, 5)]
    (trained,) = NWayKShot(numbered(), 2, (1,), 1, 1).meta_batch(0)
    assert content(trained) == ([(5, 4), (1, 5)], [(1, 2), (5, 1)])


def test_zero_shots_are_the_attributes_of_the_classes():
    images = numbered(described=True)
    (trained,) = NWayKShot(images, 3, (0,), 2, 1).meta_batch(0)
    for episode in (trained, evaluation_images(images, 3, 0, 2, 0)):
        assert episode.support.y.tolist() == [0, 1, 2]
        described = (episode.support.x[:, 0] / 2).long()
        for y, (c, _) in zip(episode.query.y.tolist(), content(episode)[1], strict=True):
            assert described[y] == c
        assert len(episode.query) == 6


@pytest.mark.parametrize(
    ("counts", "arguments", "error", "message"),
    [
        ([9] * 4, (5, 1, 1), TooFewMeasurements, "4 classes of images; 5-way episodes need 5"),
        ([9, 5, 9, 3], (2, 4, 2), TooFewMeasurements, r"2 classes .* 6 images .* class 1 with 5"),
        ([9, 0, 9], (2, 1, 1), TooFewMeasurements, "class 1 with 0"),
        ([9] * 4, (1, 1, 1), ConfigError, "of 1 classes"),
        ([9] * 4, (2, -1, 1), ConfigError, "-1 shots"),
        ([9] * 4, (2, 1, 0), ConfigError, "0 queries"),
        ([9] * 4, (2, 0, 1), ConfigError, "have none"),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_training(counts, arguments, error, message):
    n_way, k_shot, query_shots = arguments
    images = numbered(counts)
    with pytest.raises(error, match=message):
        NWayKShot(images, n_way, [k_shot], query_shots, 1)
    with pytest.raises(error, match=message):
        evaluation_images(images, n_way, k_shot, query_shots, 0)
    assert issubclass(error, MolmetaError)


@pytest.mark.parametrize(
    ("shots", "size", "message"),
    [((), 1, "shots is"), ((0, 1), 1, "or 0 alone"), ((1,), 0, "meta_batch_size is 0")],
)
def test_other_wrong_numbers_are_refused(shots, size, message):
    with pytest.raises(ConfigError, match=message):
        NWayKShot(numbered(described=True), 2, shots, 1, size)

"""Draw episodes from assays, each from a seed of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from molmeta.errors import ConfigError, TooFewMeasurements
from molmeta.seeds import generator
from molmeta.tasks.assay import Assay
from molmeta.tasks.descriptions import described
from molmeta.tasks.episode import Episode
from molmeta.tasks.targets import Classification

LEAST_QUERY = 16  # molecules that an evaluation leaves to be ranked, at least

Draw = Callable[[np.ndarray, int, np.random.Generator, str], np.ndarray]


def stratified(active: np.ndarray, size: int, rng: np.random.Generator, name: str) -> np.ndarray:
    """`size` indices of `active [n]` (0/1) in the proportion of the classes, one of each at least.

    Raises
    ------
    TooFewMeasurements
        Fewer than `size` + 2 measurements, or no second one of a class to ask about.
    """
    counts = np.bincount(active, minlength=2)
    if len(active) < size + 2 or counts.min() < 2:
        raise TooFewMeasurements(
            f"assay {name} has {counts[1]} active and {counts[0]} inactive molecules; a support "
            f"of {size} with a query needs {size + 2} in all and 2 of each class: "
            "ask for a smaller support or leave the assay out"
        )
    ones = int(np.clip(round(size * counts[1] / len(active)), 1, min(size, counts[1]) - 1))
    ones = max(ones, size - (counts[0] - 1))
    sides = [rng.permutation(np.flatnonzero(active == k)) for k in (0, 1)]
    return rng.permutation(np.concatenate([sides[0][: size - ones], sides[1][:ones]]))


def balanced(active: np.ndarray, size: int, rng: np.random.Generator, name: str) -> np.ndarray:
    """`size` indices of `active [n]` (0/1), half of each class: the k-shot support.

    Raises
    ------
    ConfigError
        `size` is odd.
    TooFewMeasurements
        A class has no more than `size` / 2 molecules, so that no query of it is left.
    """
    counts = np.bincount(active, minlength=2)
    if size % 2:
        raise ConfigError(f"a balanced support has an even size, not {size}")
    if counts.min() <= size // 2:
        raise TooFewMeasurements(
            f"assay {name} has {counts[1]} active and {counts[0]} inactive molecules; a balanced "
            f"support of {size} with a query needs {size // 2 + 1} of each"
        )
    sides = [rng.permutation(np.flatnonzero(active == k))[: size // 2] for k in (0, 1)]
    return rng.permutation(np.concatenate(sides))


def at_random(active: np.ndarray, size: int, rng: np.random.Generator, name: str) -> np.ndarray:
    """`size` indices of `active [n]` (0/1) by chance alone, but for one of each class at least.

    Raises
    ------
    TooFewMeasurements
        As `stratified`; or a class is so rare that it never came in a thousand draws.
    """
    stratified(active, size, rng, name)  # refuses what is too small
    for _ in range(1000):
        chosen = rng.permutation(len(active))[:size]
        if 0 < active[chosen].sum() < size:
            return chosen
    raise TooFewMeasurements(
        f"assay {name} has {active.sum()} active molecules of {len(active)}; a thousand supports "
        f"of {size} drawn at random had one class: draw them stratified"
    )


def fits(assay: Assay, support_size: int) -> bool:
    """Whether a support of this size leaves a query of `LEAST_QUERY` to rank."""
    return len(assay) >= support_size + LEAST_QUERY


def draw_episode(
    assay: Assay,
    support_size: int,
    rng: np.random.Generator,
    query_size: int | None = None,
    described_by: str | None = None,
    draw_support: Draw = stratified,
) -> Episode:
    """A support of `support_size` and a query of the rest, or of `query_size` of the rest.

    The support is stratified by activity (or `draw_support` draws it); for a regression without a
    threshold it is drawn at random. With `described_by`, a text encoder, the query is the same
    and the support is the assay's description in place of the measurements.
    """
    if isinstance(assay.target, Classification) or assay.target.threshold is not None:
        support = draw_support(assay.active, support_size, rng, assay.name)
    elif len(assay) < support_size + 2:
        raise TooFewMeasurements(
            f"assay {assay.name} has {len(assay)} measurements; a support of {support_size} with "
            f"a query needs {support_size + 2}: ask for a smaller support"
        )
    else:
        support = rng.permutation(len(assay))[:support_size]
    rest = np.setdiff1d(np.arange(len(assay)), support)
    query = rest if query_size is None else rng.permutation(rest)[:query_size]
    learned_from = described(assay, described_by) if described_by else assay.examples(support)
    return Episode(learned_from, assay.examples(query), assay.name)


def evaluation_episode(
    assay: Assay,
    support_size: int,
    draw: int,
    seed: int = 0,
    described_by: str | None = None,
    draw_support: Draw = stratified,
) -> Episode:
    """The `draw`-th test episode of an assay: the query is all the rest.

    Depends on the assay, the support size, the draw and the seed alone: every learner and
    baseline is judged on the same ones, whether it reads classes or the values above and below
    the same threshold.
    """
    rng = generator("evaluation", seed, assay.name, support_size, draw)
    return draw_episode(
        assay, support_size, rng, described_by=described_by, draw_support=draw_support
    )


@dataclass(frozen=True)
class AssayEpisodes:
    """Training episodes: assays with equal chance, sizes equal within a meta-batch.

    Attributes
    ----------
    assays : sequence of Assay
        Those too small for the largest episode are refused.
    support_sizes : sequence of int
        Each meta-batch has one of these, with equal chance.
    query_size, meta_batch_size : int
        Queries an episode; episodes a meta-batch, of distinct assays while there are enough.
    seed : int
        With the step, all that a meta-batch depends on.
    described_by : str, optional
        The learner's: its support is the assay's description.
    shuffle_classes : bool
        In every other episode, by chance, active is 0 and inactive 1, as Santoro et al. (2016)
        and Garcia, Bruna (2018) draw the order of classes: a learner that does not treat classes
        alike could else learn what is active in most assays, and pass over the support.
    draw_support : callable
        What draws a support: `stratified`, `balanced` or `at_random`.
    """

    assays: Sequence[Assay]
    support_sizes: Sequence[int]
    query_size: int
    meta_batch_size: int
    seed: int = 0
    described_by: str | None = None
    shuffle_classes: bool = False
    draw_support: Draw = stratified

    def __post_init__(self) -> None:
        if not self.assays:
            raise TooFewMeasurements("there is no assay to draw episodes from")
        needed = episode_size(self.support_sizes, self.query_size)
        small = [assay for assay in self.assays if len(assay) < needed]
        if self.shuffle_classes and any(a.target != Classification(2) for a in self.assays):
            raise ConfigError("shuffle_classes swaps active and inactive; a regression has neither")
        if small:
            raise TooFewMeasurements(
                f"{len(small)} assays have fewer than the {needed} measurements of an episode "
                f"(such as {small[0].name} with {len(small[0])}); leave them out, or ask for a "
                "smaller support_sizes or query_size"
            )

    def meta_batch(self, step: int) -> list[Episode]:
        """The episodes of a step."""
        rng = generator("train", self.seed, step)
        size = int(rng.choice(np.asarray(self.support_sizes)))
        rounds = -(-self.meta_batch_size // len(self.assays))
        order = np.concatenate([rng.permutation(len(self.assays)) for _ in range(rounds)])
        chosen = [self.assays[i] for i in order[: self.meta_batch_size]]
        return [self._episode(assay, size, step, slot) for slot, assay in enumerate(chosen)]

    def _episode(self, assay: Assay, size: int, step: int, slot: int) -> Episode:
        rng = generator("train", self.seed, step, slot)
        episode = draw_episode(
            assay, size, rng, self.query_size, self.described_by, self.draw_support
        )
        if not self.shuffle_classes or rng.integers(2) == 0:
            return episode
        support, query = (replace(s, y=1 - s.y) for s in (episode.support, episode.query))
        return replace(episode, support=support, query=query)


def episode_size(support_sizes: Sequence[int], query_size: int) -> int:
    """Measurements that the largest episode needs (a query has one of each class at least)."""
    return max(support_sizes) + max(query_size, 2)


def large_enough(
    assays: Iterable[Assay], support_sizes: Sequence[int], query_size: int
) -> tuple[list[Assay], list[Assay]]:
    """Assays that `AssayEpisodes` can draw from, and those that it would refuse."""
    needed = episode_size(support_sizes, query_size)
    kept, small = [], []
    for assay in assays:
        enough = len(assay) >= needed
        if isinstance(assay.target, Classification):
            enough = enough and bool(np.bincount(assay.active, minlength=2).min() >= 2)
        (kept if enough else small).append(assay)
    return kept, small

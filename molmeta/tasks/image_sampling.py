"""Draw N-way k-shot episodes from images, each from a seed of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from molmeta.errors import ConfigError, TooFewMeasurements
from molmeta.seeds import generator
from molmeta.tasks.episode import Episode, Examples
from molmeta.tasks.image_changes import UNCHANGED, ImageChanges
from molmeta.tasks.images import Images
from molmeta.tasks.targets import Classification


@dataclass(frozen=True)
class NWayKShot:
    """Training episodes: `n_way` random classes in random order, k images of each to learn from.

    Attributes
    ----------
    images : Images
        Of at least `n_way` classes, each with enough images for the largest episode.
    n_way : int
        Classes an episode.
    shots : sequence of int
        Each meta-batch has one of these as its k, with equal chance. k = 0 is zero-shot: the
        support is the attributes of the classes, one row a class.
    query_shots, meta_batch_size : int
        Queries a class; episodes a meta-batch.
    seed : int
        With the step, all that a meta-batch depends on.
    changes : ImageChanges
        What of the images is changed, so that there is more to learn from.

    Raises
    ------
    TooFewMeasurements
        Too few classes, or too few images of one.
    ConfigError
        A number is out of range; zero-shot without attributes, or mixed with other shots.
    """

    images: Images
    n_way: int
    shots: Sequence[int]
    query_shots: int
    meta_batch_size: int
    seed: int = 0
    changes: ImageChanges = UNCHANGED

    def __post_init__(self) -> None:
        if not self.shots or (min(self.shots) == 0 < max(self.shots)):
            raise ConfigError(
                f"shots is {list(self.shots)}; give numbers of images a class, or 0 alone "
                "to learn from the attributes of the classes"
            )
        if self.meta_batch_size < 1:
            raise ConfigError(f"meta_batch_size is {self.meta_batch_size}; it must be 1 or more")
        for k_shot in self.shots:
            _check(self.images, self.n_way, k_shot, self.query_shots)

    def meta_batch(self, step: int) -> list[Episode]:
        """The episodes of a step."""
        k_shot = int(generator("train", self.seed, step).choice(np.asarray(self.shots)))
        order = np.arange(self.images.n_classes)
        return [
            _draw(
                self.images,
                order,
                (self.n_way, k_shot, self.query_shots),
                generator("train", self.seed, step, slot),
                changes=self.changes,
            )
            for slot in range(self.meta_batch_size)
        ]


def evaluation_images(
    images: Images,
    n_way: int,
    k_shot: int,
    query_shots: int,
    draw: int,
    seed: int = 0,
    *,
    described: bool = False,
) -> Episode:
    """The `draw`-th test episode of `n_way` classes.

    Depends on the names of the classes, the order of the images in each, and the arguments alone:
    every learner and baseline is judged on the same ones. The support does not change with
    `query_shots`. For a zero-shot learner the support is `described`, the attributes of the
    classes in place of images of them, and the query stays the same.

    Raises
    ------
    TooFewMeasurements, ConfigError
        As for `NWayKShot`.
    """
    _check(images, n_way, k_shot, query_shots)
    rng = generator("evaluation", seed, *sorted(images.names), n_way, k_shot, draw)
    order = np.argsort(np.asarray(images.names))
    return _draw(images, order, (n_way, k_shot, query_shots), rng, described=described)


def _draw(
    images: Images,
    order: np.ndarray,
    sizes: tuple[int, int, int],
    rng: np.random.Generator,
    *,
    described: bool = False,
    changes: ImageChanges | None = None,
) -> Episode:
    """Classes are drawn from `order`; the i-th class drawn has index i in the episode."""
    n_way, k_shot, query_shots = sizes
    target = Classification(n_way)
    classes = rng.permutation(order)[:n_way]
    x = _some_of_each(images, classes, k_shot + query_shots, rng)
    if changes:
        others = rng.permutation(order)[:n_way]
        x = changes.of(x, _some_of_each(images, others, k_shot + query_shots, rng), rng)

    def examples(start: int, size: int) -> Examples:
        mixed = rng.permutation(n_way * size)
        y = torch.from_numpy(mixed // size)
        return Examples(x[:, start : start + size].flatten(0, 1)[mixed], y, target)

    support, query = examples(0, k_shot), examples(k_shot, query_shots)
    if described or not k_shot:
        support = _described(images, classes)
    return Episode(support, query, ", ".join(images.names[c] for c in classes))


def _some_of_each(
    images: Images, classes: np.ndarray, count: int, rng: np.random.Generator
) -> Tensor:
    """Images of classes, drawn: `[classes, count, C, H, W]`."""
    rows = np.concatenate([rng.permutation(images.rows[c])[:count] for c in classes])
    return images.tensor(rows).unflatten(0, (len(classes), count))


def _described(images: Images, classes: np.ndarray) -> Examples:
    x = torch.from_numpy(_attributes(images)[classes])
    return Examples(x, torch.arange(len(classes)), Classification(len(classes)))


def _attributes(images: Images) -> np.ndarray:
    if images.attributes is None:
        raise ConfigError("zero-shot needs the attributes of the classes; these images have none")
    return images.attributes


def _check(images: Images, n_way: int, k_shot: int, query_shots: int) -> None:
    if n_way < 2 or k_shot < 0 or query_shots < 1:
        raise ConfigError(
            f"an episode of {n_way} classes with {k_shot} shots and {query_shots} queries each is "
            "none; give n_way from 2, shots from 0 and query_shots from 1"
        )
    if k_shot == 0:
        _attributes(images)
    if images.n_classes < n_way:
        raise TooFewMeasurements(
            f"there are {images.n_classes} classes of images; {n_way}-way episodes need {n_way}: "
            "ask for a smaller n_way or add classes"
        )
    needed, counts = k_shot + query_shots, images.counts
    if counts.min() < needed:
        small = np.flatnonzero(counts < needed)
        raise TooFewMeasurements(
            f"{len(small)} classes have fewer than the {needed} images of an episode (such as "
            f"{images.names[small[0]]} with {counts[small[0]]}); leave them out with "
            "Images.select, or ask for fewer shots or query_shots"
        )

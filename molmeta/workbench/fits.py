"""Models fitted to parts of an assay and scored on others, in one process or several."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
from tqdm import tqdm

from molmeta import metrics
from molmeta.device import one_thread
from molmeta.models import BaseModel
from molmeta.tasks import Assay, Classification, exact

TRIED = 2  # parts before an estimate: the first also compiles and imports
STARTING = 5.0  # seconds until a process has imported what it needs
Models = Mapping[str, BaseModel]
Row = tuple[str, str, int, int, int, str, float]


@dataclass(frozen=True)
class Part:
    """Rows to learn from and rows to be scored on, and the models that are.

    Attributes
    ----------
    split : str
        The kind of fold.
    repeat, fold : int
    train, test : ndarray
        Rows of the assay.
    names : tuple of str
        Models.
    """

    split: str
    repeat: int
    fold: int
    train: np.ndarray
    test: np.ndarray
    names: tuple[str, ...]


def fit_parts(
    assay: Assay,
    models: Models,
    parts: Sequence[Part],
    *,
    workers: int = 1,
    say: Callable[[str], None] | None = None,
) -> list[list[Row]]:
    """The scores of each part: `learner, split, repeat, fold, size, metric, value`.

    Parameters
    ----------
    workers : int
        Processes; results are the same with any number.
    say : callable, optional
        Told how long it will take, once that is known.
    """
    found: list[list[Row]] = []
    seconds: dict[str, float] = {}
    fits = sum(len(part.names) for part in parts)
    with tqdm(total=fits, desc="comparing", unit=" fits", delay=2, disable=None) as bar:
        for part in parts[:TRIED]:
            found.append(_score_all(assay, models, part, seconds))
            bar.update(len(part.names))
        left = parts[TRIED:]
        workers = max(1, min(workers, len(left)))
        if say is not None:
            alone = sum(seconds[name] for part in left for name in part.names)
            say(_told(fits, len(models), alone / workers + (STARTING if workers > 1 else 0)))
        for part, rows in zip(left, _each(assay, models, left, workers), strict=True):
            found.append(rows)
            bar.update(len(part.names))
    return found


def _each(assay: Assay, models: Models, parts: Sequence[Part], workers: int) -> Iterator[list[Row]]:
    if workers == 1:
        yield from (_score_all(assay, models, part, {}) for part in parts)
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), _start, (assay, models)) as pool:
        try:
            yield from pool.map(_score_here, parts)
        finally:
            pool.shutdown(cancel_futures=True)


_here: list[tuple[Assay, Models]] = []  # of a process that was started for this


def _start(assay: Assay, models: Models) -> None:
    _here.append((assay, models))


def _score_here(part: Part) -> list[Row]:
    return _score_all(*_here[0], part, {})


def _score_all(assay: Assay, models: Models, part: Part, seconds: dict[str, float]) -> list[Row]:
    rows: list[Row] = []
    for name in part.names:
        start = time.perf_counter()
        with one_thread():
            scores = list(_score(models[name], assay, part.train, part.test))
        own = (name, part.split, part.repeat, part.fold, len(part.train))
        rows += [(*own, metric, value) for metric, value in scores]
        seconds[name] = time.perf_counter() - start
    return rows


def _score(
    model: BaseModel, assay: Assay, train: np.ndarray, test: np.ndarray
) -> Iterator[tuple[str, float]]:
    predicted = model.adapt(model.readable(assay.take(train))).predict(assay.molecules[test])
    asked = assay.take(test)
    if isinstance(assay.target, Classification):
        yield "roc_auc", metrics.roc_auc(asked.active, predicted)
        yield "delta_auprc", metrics.delta_auprc(asked.active, predicted)
    else:  # a bound is learned from, but no error from it is known
        known = exact(asked)
        yield "spearman", metrics.spearman(asked.values[known], predicted[known])
        yield "rmse", metrics.rmse(asked.values[known], predicted[known])


def _told(fits: int, models: int, seconds: float) -> str:
    long = f"{seconds / 60:.0f} minutes" if seconds > 90 else f"{max(seconds, 1):.0f} seconds"
    return f"comparing {models} models by {fits} fits: about {long}"

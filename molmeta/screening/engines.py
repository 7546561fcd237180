"""Who scores the pieces of a library: this process, processes of this machine, or Ray."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from molmeta.device import one_thread
from molmeta.errors import ConfigError
from molmeta.registry import nearest
from molmeta.screening.job import Job, save_assays
from molmeta.screening.pieces import Done, Piece, Pieces
from molmeta.screening.ray_engine import on_ray
from molmeta.screening.scorer import Scorer
from molmeta.screening.shards import lines_of
from molmeta.screening.supervisor import Supervisor

ENGINES = ("here", "local", "ray")
AHEAD = 2  # pieces for each worker that are read ahead


Engine = Callable[[Job, Path, Pieces, int], Generator[Done]]


def engine(name: str) -> Engine:
    """An engine by name: of a job, a folder of its own, pieces, and a number of workers.

    It yields what it has done, in any order.

    `here` scores in this process, `local` in processes that are watched, `ray` on a cluster. All
    give the same.

    Raises
    ------
    ConfigError
        There is no such engine.
    """
    if name not in ENGINES:
        raise ConfigError(f"there is no engine '{name}'{nearest(name, ENGINES)}")
    return {"here": here, "local": local, "ray": on_ray}[name]


def here(job: Job, folder: Path, pieces: Pieces, workers: int) -> Generator[Done]:
    """In this process, piece by piece, on one thread: as workers do."""
    scorer = Scorer(job.assays, job.library.kind, job.features)
    for piece in pieces:
        with one_thread():
            told = scorer.score(piece.rows)
        yield Done(piece.number, len(piece.rows), lines_of([told]))


def local(job: Job, folder: Path, pieces: Pieces, workers: int) -> Generator[Done]:
    """In `workers` processes with one thread each, every one watched by a thread of this one."""
    save_assays(job, folder)
    of_thread, every = threading.local(), []

    def start() -> None:
        of_thread.supervisor = Supervisor(
            folder, job.library.kind, len(job.columns), job.device, job.stall
        )
        every.append(of_thread.supervisor)

    def score(piece: Piece) -> Done:
        lines = lines_of(of_thread.supervisor.score(piece.rows))
        return Done(piece.number, len(piece.rows), lines)

    waiting: set[Future[Done]] = set()
    with ThreadPoolExecutor(workers, initializer=start) as pool:
        try:
            for piece in pieces:
                waiting.add(pool.submit(score, piece))
                if len(waiting) >= AHEAD * workers:
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        finally:
            for future in waiting:
                future.cancel()
            for supervisor in every:
                supervisor.stop()

"""Many molecules in chunks, by this process or by several."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, TypeVar

from tqdm import tqdm

CHUNK = 2048  # molecules that a process takes at once
Result = TypeVar("Result")


def in_chunks(
    function: Callable[..., Result],
    molecules: Sequence[Any],
    *more: Any,
    workers: int = 1,
    what: str | None = None,
) -> Iterator[Result]:
    """What a function gives for each chunk of molecules, in their order; of none, for none.

    Parameters
    ----------
    function : callable
        Of a list of molecules, and `more`; with several workers, one that can be sent to them.
    workers : int
        Processes; a single chunk is left to this one. They are spawned, so that a script that
        asks for several keeps its own code under `if __name__ == "__main__"`.
    what : str, optional
        Is done: for the bar that a terminal shows.
    """
    starts = range(0, max(1, len(molecules)), CHUNK)
    chunks = [molecules[start : start + CHUNK] for start in starts]
    found = _each(function, chunks, more, min(workers, len(chunks)))
    with tqdm(total=len(molecules), desc=what, unit=" molecules", delay=2, disable=None) as bar:
        for chunk, result in zip(chunks, found, strict=True):
            yield result
            bar.update(len(chunk))


def _each(
    function: Callable[..., Result], chunks: list[Any], more: tuple[Any, ...], workers: int
) -> Iterator[Result]:
    if workers <= 1:
        yield from (function(chunk, *more) for chunk in chunks)
        return
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        try:
            yield from pool.map(function, chunks, *([one] * len(chunks) for one in more))
        finally:
            pool.shutdown(cancel_futures=True)

"""Jobs of a benchmark in processes, each with a thread, and their results end to end."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pandas as pd
import torch

from molmeta.evaluation.results import Results


def run_jobs(
    function: Callable[..., Results], jobs: Sequence[tuple[Any, ...]], workers: int
) -> Results:
    """Call a function with each tuple of arguments, a thread a process, and join the results."""
    if workers == 1:
        parts = [function(*job) for job in jobs]
    else:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, context, torch.set_num_threads, (1,)) as pool:
            parts = [future.result() for future in [pool.submit(function, *job) for job in jobs]]
    return join(parts)


def join(parts: Sequence[Results]) -> Results:
    """Results end to end."""
    if not parts:
        return Results(pd.DataFrame(), pd.DataFrame())
    return Results(*(pd.concat(tables, ignore_index=True) for tables in zip(*parts, strict=True)))

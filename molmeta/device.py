"""Where to compute, and on how many cores."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from molmeta.errors import ConfigError


def resolve(device: str = "auto") -> torch.device:
    """`auto` is a GPU if there is one, else the CPU; any torch name is itself.

    Each of the processes that `torchrun` starts on a machine has a GPU of its own: `auto` and
    `cuda` mean that of its number there, LOCAL_RANK.

    Raises
    ------
    ConfigError
        There is no such device here.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and "LOCAL_RANK" in os.environ:
        device = f"cuda:{os.environ['LOCAL_RANK']}"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"device '{device}' cannot be used ({reason}); try 'auto'") from None
    return torch.device(device)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute on one thread: what is small is quicker so, on a busy machine much."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)

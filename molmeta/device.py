"""Where to compute."""

from __future__ import annotations

import os

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

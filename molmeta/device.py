"""Where to compute."""

from __future__ import annotations

import torch

from molmeta.errors import ConfigError


def resolve(device: str = "auto") -> torch.device:
    """`auto` is the first GPU if there is one, else the CPU; any torch name is itself.

    Raises
    ------
    ConfigError
        There is no such device here.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"device '{device}' cannot be used ({reason}); try 'auto'") from None
    return torch.device(device)

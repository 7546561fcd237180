"""Seeds from names: the same episode for everybody, in every process and version of Python."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

import numpy as np
import torch


def generator(*names: object) -> np.random.Generator:
    """A generator that depends on nothing but the names (counter-based, Philox)."""
    return np.random.Generator(np.random.Philox(number(*names)))


def number(*names: object) -> int:
    """A 63-bit integer that depends on nothing but the names."""
    text = "\x1f".join(str(name) for name in names)
    return int.from_bytes(sha256(text.encode()).digest()[:8], "big") >> 1


@contextmanager
def torch_seeded(*names: object) -> Iterator[None]:
    """What torch draws inside, on the CPU, depends on nothing but the names."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(number(*names))
        yield

"""Where compiled code compares counts: what may be given to it, and what it needs to be there."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor


class CountTables(Protocol):
    """Rows of counts by column, for `FingerprintKernel.against`."""

    width: int

    def rows(self, a: Tensor) -> Any:
        """Other rows as `similarity` reads them; None where they are no counts."""
        ...

    def similarity(self, rows: Any, tile: int) -> np.ndarray:
        """Mean similarity over the blocks with `width` of the rows: `[n, ≤ width]`."""
        ...


def tables_of(b: Tensor, places: Sequence[slice]) -> CountTables | None:
    """Tables of some rows; None where numba is missing, or the rows are no counts of this sort."""
    if b.device.type != "cpu" or b.dtype != torch.float32 or not len(b):
        return None
    compiled = _compiled()
    return compiled.Tables(b, places) if compiled and compiled.Tables.fit(b, places) else None


@cache
def _compiled() -> Any:
    try:
        return import_module("molmeta.learners.compiled_similarity")
    except Exception:  # numba is missing, or has no place to keep what it compiles
        return None

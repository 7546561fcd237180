"""Rows of unequal lengths, laid end to end: row i is `values[offsets[i]:offsets[i + 1]]`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def row_offsets(lengths: Sequence[int] | np.ndarray) -> np.ndarray:
    """Offsets of rows of these lengths: `[n + 1]` int64."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


def ragged_rows(offsets: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the rows `index` of a ragged array, and the offsets of the result."""
    starts, ends = offsets[index].astype(np.int64), offsets[index + 1].astype(np.int64)
    new_offsets = row_offsets(ends - starts)
    positions = np.repeat(starts - new_offsets[:-1], ends - starts) + np.arange(new_offsets[-1])
    return positions, new_offsets


def join_offsets(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Offsets of ragged arrays laid end to end."""
    return row_offsets(np.concatenate([np.diff(part) for part in parts]))

"""Min–max similarity of many rows of counts with the same few thousand rows, in compiled code.

Counts are small whole numbers, and most are 0. The second rows stand as tables by column, so that a
row of counts adds up what it shares with all of them column by column: sums of whole numbers, the
same in any order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from torch import Tensor

TILE = 2048  # rows of a table that is gone through at once: what a processor keeps at hand
STEP = 8  # columns
USUAL = 120  # counts of a row in a block that are no zeros, or fewer
MOST = 2**16 - 1  # that a row of counts may add up to


class Tables:
    """Rows `b [m, d]` by column.

    Parameters
    ----------
    b : Tensor
        Whole numbers from 0 to 255.
    places : sequence of slice
        Where each block of counts stands in a row.
    """

    def __init__(self, b: Tensor, places: Sequence[slice]) -> None:
        rows, self.width = b.detach().numpy(), TILE
        parts = [np.ascontiguousarray(rows[:, place].T) for place in places]
        self.bounds = np.array([place.indices(rows.shape[1])[:2] for place in places], np.int64)
        self.totals = np.stack([part.sum(axis=0) for part in parts]).astype(np.float32)
        self.tiles = [
            tuple(part[:, start : start + TILE].astype(np.uint8) for part in parts)
            for start in range(0, len(rows), TILE)
        ]

    @staticmethod
    def fit(b: Tensor, places: Sequence[slice]) -> bool:
        """Whether these are counts that tables can hold."""
        return all(bool(_are_small_counts(b[:, place].numpy())) for place in places)

    def rows(self, a: Tensor) -> tuple[np.ndarray, ...] | None:
        """The counts of `a [n, d]` without zeros, for `similarity`; None where they are others."""
        rows = np.ascontiguousarray(a.numpy())
        offsets = np.zeros(len(rows) * len(self.bounds) + 1, dtype=np.int64)
        totals = np.zeros((len(rows), len(self.bounds)), dtype=np.float32)
        found = room = USUAL * totals.size
        while found >= room:
            room = found + 1
            columns, counts = np.empty(room, dtype=np.int32), np.empty(room, dtype=np.uint8)
            parts = (columns, counts, offsets, totals)
            found = without_zeros(rows, rows.view(np.int32), self.bounds, *parts)
        return parts if found >= 0 else None

    def similarity(self, rows: tuple[np.ndarray, ...], tile: int) -> np.ndarray:
        """Mean over the blocks of the similarity with the rows of one tile: `[n, ≤ TILE]`."""
        first, out = tile * TILE, np.zeros((len(rows[3]), self.tiles[tile][0].shape[1]), np.float32)
        for f, table in enumerate(self.tiles[tile]):
            add_similarity(*rows, f, table, self.totals[f, first : first + TILE], out)  # type: ignore[call-arg]
        return np.divide(out, np.float32(len(self.bounds)), out=out)


def _are_small_counts(rows: np.ndarray) -> np.bool_:
    small = (rows >= 0).all() and (rows <= 255).all() and (rows == np.floor(rows)).all()
    return small and rows.sum(axis=1).max(initial=0) <= MOST


@njit(cache=True)
def _any_of_eight(bits, j):
    """Whether one of eight numbers is not zero; an unsigned place cannot mean one from the end."""
    one, two, four = np.uint64(1), np.uint64(2), np.uint64(4)
    left = bits[j] | bits[j + one] | bits[j + two] | bits[j + two + one]
    j += four
    return (left | bits[j] | bits[j + one] | bits[j + two] | bits[j + two + one]) != 0


@njit(cache=True)
def without_zeros(rows, bits, bounds, columns, counts, offsets, totals):
    """Fill in what is not zero, as far as there is room: how much that is; −1, if no counts.

    Eight columns are looked at together.
    """
    at, blocks = 0, len(bounds)
    for i in range(len(rows)):
        row_bits = bits[i]
        for f in range(blocks):
            total, first, last = np.float32(0), bounds[f, 0], bounds[f, 1]
            for start in range(first, last, STEP):
                if start + STEP <= last and not _any_of_eight(row_bits, np.uint64(start)):
                    continue
                for j in range(start, min(start + STEP, last)):
                    count = rows[i, j]
                    if count != 0:
                        if not 0 < count <= 255 or count != np.floor(count):
                            return -1
                        if at < len(counts):
                            columns[at], counts[at] = j - first, np.uint8(count)
                        total += count
                        at += 1
            if total > MOST:
                return -1
            totals[i, f] = total
            offsets[i * blocks + f + 1] = at
    return at


@njit(cache=True)
def add_similarity(columns, counts, offsets, totals, f, table, others, out):
    """Add the similarity in block f of each row with all rows of a table."""
    width, blocks = table.shape[1], totals.shape[1]
    shared, few = np.zeros(width, dtype=np.uint16), np.zeros(width, dtype=np.uint8)
    for i in range(len(out)):
        shared[:] = 0
        free = 255  # that can still be added in eight bits
        for k in range(offsets[i * blocks + f], offsets[i * blocks + f + 1]):
            count, column = counts[k], columns[k]
            if count > free:
                for s in range(width):
                    shared[s] += few[s]
                    few[s] = 0
                free = 255
            free -= count
            for s in range(width):
                few[s] += min(table[column, s], count)
        total = totals[i, f]
        for s in range(width):
            both = np.float32(shared[s] + few[s])
            few[s] = 0
            out[i, s] += both / max(total + others[s] - both, np.float32(1e-12))

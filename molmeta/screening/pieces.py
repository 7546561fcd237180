"""A library in pieces: what an engine is given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import NamedTuple

from molmeta.screening.job import SHARD
from molmeta.screening.libraries import Library
from molmeta.screening.reading import Ask


class Piece(NamedTuple):
    """Some rows of a library that are scored together."""

    number: int
    rows: Sequence[Ask]


class Done(NamedTuple):
    """A piece that was scored: how many rows, and what was told of them (`shards.lines_of`)."""

    number: int
    rows: int
    lines: bytes


@dataclass(frozen=True)
class Pieces:
    """A library in pieces of `SHARD` rows, without those that are done; each pass reads it anew."""

    library: Library
    done: frozenset[int] = frozenset()

    def __iter__(self) -> Iterator[Piece]:
        rows = self.library.rows()
        for number in count():
            part = list(islice(rows, SHARD))
            if not part:
                return
            if number not in self.done:
                yield Piece(number, [Ask.of(row) for row in part])

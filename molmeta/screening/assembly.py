"""The end of a screen: the library again, beside what was told of it, and both written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from molmeta.errors import DataError
from molmeta.files import replacing
from molmeta.libraries.base import Row
from molmeta.screening.hits import Best, Labels, label_of
from molmeta.screening.job import SHARD, Job
from molmeta.screening.output import CsvSink, open_sink
from molmeta.screening.scoring import Told
from molmeta.screening.shards import Shards


@dataclass
class Summary:
    """What became of the rows of a library.

    Attributes
    ----------
    rows : int
    statuses : dict
        Number of rows of each status.
    enrichment : list of str
        A line for each score, where the library has labels.
    """

    rows: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    enrichment: list[str] = field(default_factory=list)

    def add(self, status: str) -> None:
        """Count a row."""
        self.rows += 1
        self.statuses[status] = self.statuses.get(status, 0) + 1

    def __str__(self) -> str:
        bad = {status: n for status, n in self.statuses.items() if status != "ok"}
        listed = ", ".join(f"{n} {status}" for status, n in sorted(bad.items()))
        scored = self.statuses.get("ok", 0)
        return f"{self.rows} rows, {scored} scored" + (f" ({listed})" if listed else "")


@dataclass(frozen=True)
class Extras:
    """What is made beside the output.

    Attributes
    ----------
    hits_path : Path, optional
        A second file, with the best `top` rows of each score, no two of them more alike than
        `alike` (Tanimoto, ECFP4).
    top, alike
        Of these.
    label_column : str, optional
        Of the library, with 1 for known actives and 0 for known inactives: enrichment is told.
    neutralise : bool
        Put an apostrophe before texts that a spreadsheet would run as formulas, in CSV.
    """

    hits_path: Path | None = None
    top: int = 100
    alike: float = 0.7
    label_column: str | None = None
    neutralise: bool = False


class Assembly:
    """Takes the rows of a library with what was told of each, in order.

    Parameters
    ----------
    job : Job
    extras : Extras
    """

    def __init__(self, job: Job, extras: Extras) -> None:
        self.job, self.extras, self.summary = job, extras, Summary()
        self.first = 1 if job.library.kind == "molblock" else 0
        self.names = [name for name in job.columns if name.startswith("score")]
        wanted = self.names if extras.hits_path else []
        self.best = [Best(extras.top, extras.alike) for _ in wanted]
        self.labels = Labels()

    def write(self, shards: Shards, output: Path) -> Summary:
        """Write the hits, and last the output: where that is, all is."""
        with replacing(output) as part:
            self._write_rows(shards, part, output)
            if self.extras.hits_path is not None:
                self._write_hits(self.extras.hits_path)
        if self.extras.label_column is not None:
            self.summary.enrichment = self.labels.told(self.names)
        return self.summary

    def _write_rows(self, shards: Shards, part: Path, output: Path) -> None:
        library, neutralise = self.job.library, self.extras.neutralise
        sink = open_sink(part, output, library, self.job.columns, neutralise=neutralise)
        rows, number = library.rows(), 0
        try:
            while some := list(islice(rows, SHARD)):
                told = shards.read(number)
                if len(told) != len(some):
                    raise DataError(f"{library.path} was changed while it was screened")
                cells = [[*row.cells, *more] for row, more in zip(some, told, strict=True)]
                sink.write(cells)
                for place, one in enumerate(zip(some, told, cells, strict=True)):
                    self._look(number * SHARD + place, *one)
                number += 1
        finally:
            sink.close()

    def _look(self, place: int, row: Row, told: Told, cells: Sequence[Any]) -> None:
        self.summary.add(told[-2])
        if told[-2] != "ok" or not (self.best or self.extras.label_column):
            return
        scores = [float(text) for text in told[self.first : -2]]
        smiles = told[0] if self.first else row.text
        for one, score in zip(self.best, scores, strict=False):
            one.add(place, score, smiles, cells)
        if self.extras.label_column is not None:
            self.labels.add(self._label(row, place), scores)

    def _label(self, row: Row, place: int) -> bool | None:
        cell = row.cells[self.job.library.header.index(str(self.extras.label_column))]
        return label_of(cell, f"{self.job.library.path}, row {place + 1}")

    def _write_hits(self, path: Path) -> None:
        """Rank, by which score, and the columns of the output; for each score in turn."""
        header: list[Any] = ["rank", "by", *self.job.library.header, *self.job.columns]
        with replacing(path) as part:
            sink = CsvSink(part, header, neutralise=self.extras.neutralise)
            for name, one in zip(self.names, self.best, strict=True):
                rows = enumerate(one.rows(), start=1)
                sink.write([[rank, name, *cells] for rank, (_, cells) in rows])
            sink.close()

    def check_labels(self) -> None:
        """Raise `DataError`, if a label is neither 0 nor 1: before anything is scored."""
        if self.extras.label_column is not None:
            for place, row in enumerate(self.job.library.rows()):
                self._label(row, place)

"""The end of a screen: the library again, beside what was told of it, and both written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

from molmeta.errors import DataError
from molmeta.files import file_sha256, replacing
from molmeta.screening.columns import Told, places_of
from molmeta.screening.finished import note_finished
from molmeta.screening.hits import Hits, Labels, label_of
from molmeta.screening.job import SHARD, Job
from molmeta.screening.libraries import Row
from molmeta.screening.output import CsvSink, open_sink
from molmeta.screening.shards import Shards
from molmeta.screening.summary import Summary

PARTS = {"True": "inside", "False": "outside"}


@dataclass(frozen=True)
class Extras:
    """What is made beside the output.

    Attributes
    ----------
    hits_path : Path, optional
        A second file, with the best `top` rows of each score, no two of them more alike than
        `alike` (Tanimoto, ECFP4). Where assays are `Trusted`, the best inside the domain come
        first, and as many outside it after them.
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
        self.shows_smiles = job.library.kind == "molblock"
        self.scores, self.inside = (places_of(job.columns, what) for what in ("score", "inside"))
        self.names = [job.columns[place] for place in self.scores]
        wanted = self.names if extras.hits_path else []
        self.best = [Hits(extras.top, extras.alike) for _ in wanted]
        self.summary.inside = {job.columns[place]: 0 for place in self.inside}
        self.labels = Labels()

    def write(self, shards: Shards, output: Path, screen: str) -> Summary:
        """Write the hits, and last the output: where that is, all is.

        Parameters
        ----------
        shards : Shards
        output : Path
        screen : str
            Which screen: what the note that it is finished says.

        Raises
        ------
        DataError
            A piece is missing or of another screen; the library was changed; or a file came to
            where one is to be written.
        """
        library, extras = self.job.library, self.extras
        with replacing(output) as part:
            sink = open_sink(part, output, library, self.job.columns, neutralise=extras.neutralise)
            try:
                for place, some, told in self._pieces(shards):
                    sink.write([[*row.cells, *more] for row, more in zip(some, told, strict=True)])
                    for number, one in enumerate(zip(some, told, strict=True), start=place):
                        self._look(number, *one)
                    del some, told  # one piece at a time
            finally:
                sink.close()
            if extras.label_column is not None:
                self.summary.enrichment = self.labels.told(self.names)
            files = {output: part}
            if extras.hits_path is not None:
                self._write_hits(shards, extras.hits_path)
                files[extras.hits_path] = extras.hits_path
            if file_sha256(library.path) != shards.library_sha256:
                raise self._changed(shards)
            shards.places.promise(output, part)
            note_finished(shards.done_note, screen, files, self.summary)
        return self.summary

    def _pieces(self, shards: Shards) -> Iterator[tuple[int, list[Row], list[Told]]]:
        """Number of the first row, rows, and what was told of them; piece by piece."""
        rows = self.job.library.rows()
        for number in count():
            some = list(islice(rows, SHARD))
            if not some:
                return
            told = shards.read(number)
            if len(told) != len(some):
                raise self._changed(shards)
            yield number * SHARD, some, told
            del some, told

    def _changed(self, shards: Shards) -> DataError:
        reason = f"{self.job.library.path} was changed while it was screened"
        shards.note_failure(reason)
        return DataError(f"{reason}; the same command begins anew")

    def _look(self, place: int, row: Row, told: Told) -> None:
        self.summary.add(told[-2])
        if told[-2] != "ok":
            return
        parts = [PARTS[told[column]] for column in self.inside] or [""] * len(self.scores)
        for name, part in zip(self.summary.inside, parts, strict=False):
            self.summary.inside[name] += part == "inside"
        if not (self.best or self.extras.label_column):
            return
        scores = [float(told[column]) for column in self.scores]
        smiles = told[0] if self.shows_smiles else row.text
        for one, score, part in zip(self.best, scores, parts, strict=False):
            one.add(place, score, smiles, part)
        if self.extras.label_column is not None:
            self.labels.add(self._label(row, place), scores)

    def _label(self, row: Row, place: int) -> bool | None:
        cell = row.cells[self.job.library.header.index(str(self.extras.label_column))]
        return label_of(cell, f"{self.job.library.path}, row {place + 1}")

    def _write_hits(self, shards: Shards, path: Path) -> None:
        """Rank, by which score, and the columns of the output; for each score in turn.

        Where the domain is known, first the best inside it, then those outside, apart: ranks begin
        anew, and a column says which.
        """
        chosen = [one.rows() for one in self.best]
        wanted, cells = {row for rows in chosen for _, _, row in rows}, {}
        domain = ["domain"] if self.inside else []
        for first, some, told in self._pieces(shards):
            for place, (row, more) in enumerate(zip(some, told, strict=True), start=first):
                if place in wanted:
                    cells[place] = [*row.cells, *more]
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part:
            header = ["rank", "by", *domain, *self.job.library.header, *self.job.columns]
            sink = CsvSink(part, header, neutralise=self.extras.neutralise)
            for name, rows in zip(self.names, chosen, strict=True):
                sink.write(
                    [
                        [rank, name, *([part] if domain else []), *cells[row]]
                        for rank, part, row in rows
                    ]
                )
            sink.close()
            shards.places.promise(path, part)

    def check_labels(self) -> None:
        """Raise `DataError`, if a label is neither 0 nor 1: before anything is scored."""
        if self.extras.label_column is not None:
            for place, row in enumerate(self.job.library.rows()):
                self._label(row, place)

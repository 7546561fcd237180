"""Score a library by adapted assays: one row out per row in, in constant memory."""

from __future__ import annotations

import csv
import gzip
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO

import numpy as np
from rdkit import Chem
from tqdm import tqdm

from molmeta.datasets.table import damaged
from molmeta.errors import DataError, MolmetaError
from molmeta.featurizers.standardise import Standardised, Standardiser
from molmeta.models import CHUNK, AdaptedAssay, score_assays
from molmeta.molecules import Molecules
from molmeta.registry import nearest


@dataclass
class Summary:
    """What became of the rows of a library."""

    rows: int = 0
    statuses: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        bad = {status: n for status, n in self.statuses.items() if status != "ok"}
        listed = ", ".join(f"{n} {status}" for status, n in sorted(bad.items()))
        scored = self.statuses.get("ok", 0)
        return f"{self.rows} rows, {scored} scored" + (f" ({listed})" if listed else "")


@dataclass(frozen=True)
class Row:
    """One row of the library: its cells, SMILES, and what is wrong with it, if anything."""

    cells: list[str]
    smiles: str
    status: str = "ok"
    reason: str = ""


def screen(
    assays: AdaptedAssay | Sequence[AdaptedAssay],
    library: str | Path,
    output: str | Path,
    *,
    smiles_column: str = "smiles",
    overwrite: bool = False,
    progress: bool | None = None,
) -> Summary:
    """Score every row of a `.csv` or `.csv.gz` library.

    The output has the library's columns and rows, in order, and `score` (the probability of being
    active, or the predicted value; `score_<assay>` for each of several assays), `status` and
    `reason`. A row that cannot be scored has an empty score. The output appears when it is whole.

    Raises
    ------
    DataError
        The library cannot be read, lacks the column, or is the output; or the output exists and
        `overwrite` is not set. Nothing is written then.
    """
    assays = [assays] if isinstance(assays, AdaptedAssay) else list(assays)
    library, output = Path(library), Path(output)
    check_output(output, [library], overwrite=overwrite)
    names = score_columns(assays)
    summary = Summary()
    output.parent.mkdir(parents=True, exist_ok=True)
    part = output.with_name(f".{output.name}.{os.getpid()}.part")
    hidden = not (sys.stderr.isatty() if progress is None else progress)
    try:
        with (
            open_text(library) as source,
            part.open("w", newline="", encoding="utf-8") as sink,
            tqdm(unit=" molecules", disable=hidden) as bar,
        ):
            header, rows = read_rows(source, library, smiles_column, names)
            writer = csv.writer(sink, lineterminator="\n")
            writer.writerow([*header, *names, "status", "reason"])
            while chunk := list(islice(rows, CHUNK)):
                for row, scores in score_rows(assays, chunk):
                    writer.writerow([*row.cells, *scores, row.status, row.reason])
                    summary.statuses[row.status] = summary.statuses.get(row.status, 0) + 1
                summary.rows += len(chunk)
                bar.update(len(chunk))
            sink.flush()
            os.fsync(sink.fileno())
        part.replace(output)
    except (EOFError, UnicodeDecodeError) as error:
        raise damaged(library, error) from error
    except (OSError, csv.Error) as error:
        raise DataError(f"{library} cannot be screened: {error}") from error
    finally:
        part.unlink(missing_ok=True)
    return summary


def check_output(output: Path, inputs: Iterable[Path], *, overwrite: bool) -> None:
    """Refuse an output that is one of the inputs, or that would replace a file unasked."""
    for path in inputs:
        if output.exists() and path.exists() and output.samefile(path):
            raise DataError(f"{output} is an input of this command; give another output path")
    if output.exists() and not overwrite:
        raise DataError(f"{output} exists; give another path, or --overwrite to replace it")


def score_columns(assays: Sequence[AdaptedAssay]) -> list[str]:
    """`score`, or `score_<assay>` for each of several."""
    if not assays:
        raise MolmetaError("no adapted assay was given to screen with")
    if len(assays) == 1:
        return ["score"]
    names = [f"score_{assay.name}" for assay in assays]
    if len(set(names)) < len(names):
        raise MolmetaError(f"two of the assays have the same name: {', '.join(names)}")
    return names


def open_text(path: Path) -> IO[str]:
    """A text file, gzipped or not (told by its content), as UTF-8."""
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    opener = gzip.open if zipped else open
    return opener(path, "rt", encoding="utf-8-sig", newline="")  # type: ignore[return-value]


def read_rows(
    source: IO[str], path: Path, smiles_column: str, added: Sequence[str]
) -> tuple[list[str], Iterator[Row]]:
    """The header, and the rows one by one."""
    csv.field_size_limit(2**31 - 1)  # a long cell is a row with a status, not the end
    reader = csv.reader(source, strict=True)
    header = next(reader, None)
    if header is None:
        raise DataError(f"{path} is empty; it needs a header line and rows")
    if smiles_column not in header:
        raise DataError(f"{path} has no column '{smiles_column}'{nearest(smiles_column, header)}")
    taken = [name for name in (*added, "status", "reason") if name in header]
    if taken:
        raise DataError(
            f"{path} has already a column '{taken[0]}', which the output adds; rename it first"
        )
    return header, (_row(cells, header, header.index(smiles_column)) for cells in reader)


def _row(cells: list[str], header: list[str], column: int) -> Row:
    if len(cells) == len(header):
        return Row(cells, cells[column])
    if not cells:
        return Row([""] * len(header), "", "empty", "the row is empty")
    kept = (cells + [""] * len(header))[: len(header)]
    reason = f"the row has {len(cells)} cells, the header {len(header)}"
    if len(cells) > len(header):
        reason += f"; cells left out: {cells[len(header) :]}"
    return Row(kept, "", "malformed", reason)


def score_rows(
    assays: Sequence[AdaptedAssay], rows: Sequence[Row]
) -> Iterator[tuple[Row, list[str]]]:
    """Each row with its scores as text, empty where it has none."""
    standardiser = Standardiser(assays[0].base.experiment.model.policy)
    done: list[Row] = []
    usable: list[int] = []
    parsed: list[Chem.Mol] = []
    for row in rows:
        if row.status == "ok":
            found = standardiser.molecule(row.smiles)
            if isinstance(found, Standardised):
                row = Row(row.cells, "", found.status, found.reason)
            else:
                usable.append(len(done))
                parsed.append(found)
        done.append(row)
    scores, failed = _scores(assays, [done[i].smiles for i in usable], parsed)
    texts: dict[int, list[str]] = {}
    for i, values, reason in zip(usable, scores, failed, strict=True):
        if reason:
            done[i] = Row(done[i].cells, "", "failed", reason)
        else:
            texts[i] = [f"{value:.7g}" for value in values]
    for i, row in enumerate(done):
        yield row, texts.get(i, [""] * len(assays))


def _scores(
    assays: Sequence[AdaptedAssay], smiles: list[str], parsed: list[Chem.Mol]
) -> tuple[np.ndarray, list[str]]:
    """Scores `[n, assays]`, and for each molecule why it has none ("" where it has)."""
    if not smiles:
        return np.empty((0, len(assays))), []
    try:
        return score_assays(assays, Molecules(smiles, parsed)), [""] * len(smiles)
    except (MolmetaError, RuntimeError, ValueError) as error:
        if len(smiles) == 1:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            return np.full((1, len(assays)), np.nan), [reason]
    half = len(smiles) // 2  # find the molecule that cannot be described, keep the rest
    left = _scores(assays, smiles[:half], parsed[:half])
    right = _scores(assays, smiles[half:], parsed[half:])
    return np.concatenate([left[0], right[0]]), left[1] + right[1]

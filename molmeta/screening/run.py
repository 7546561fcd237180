"""A screen from beginning to end: read, score, keep, and write when all is done."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

from tqdm import tqdm

from molmeta.errors import ConfigError, DataError
from molmeta.files import check_output, locked, remove_leftovers
from molmeta.models import CHUNK, AdaptedAssay, Trusted, check_together
from molmeta.registry import nearest
from molmeta.screening.assembly import Assembly, Extras
from molmeta.screening.engines import Engine, engine
from molmeta.screening.features import FeatureStore
from molmeta.screening.finished import finished
from molmeta.screening.job import SHARD, Job
from molmeta.screening.libraries import open_library
from molmeta.screening.output import check_format
from molmeta.screening.pieces import Pieces
from molmeta.screening.reading import Ask
from molmeta.screening.shards import Shards
from molmeta.screening.summary import Summary
from molmeta.screening.supervisor import STALL


def screen(
    assays: AdaptedAssay | Trusted | Sequence[AdaptedAssay | Trusted],
    library: str | Path,
    output: str | Path,
    *,
    smiles_column: str = "smiles",
    engine_name: str = "here",
    workers: int = 1,
    extras: Extras | None = None,
    overwrite: bool = False,
    stall: float = STALL,
    features: str | Path | None = None,
    progress: bool | None = None,
) -> Summary:
    """Score every row of a library.

    The output has the library's columns and rows, in order, and `score` (the probability of being
    active, or the predicted value; `score_<assay>` for each of several assays), `status` and
    `reason`. A row that cannot be scored has an empty score. It appears when it is whole. Until
    then, what is done is kept beside it in `.<output>.parts`: the same call goes on where it was
    ended, however that was, and writes the same bytes; if all was written already, it says so
    (`Summary.before`).

    Parameters
    ----------
    assays : AdaptedAssay, Trusted, or several
        Of one model. Of `Trusted` ones (`load_trusted`), each score is followed by `low` and
        `high`, the interval that holds the value at 80 % (of classes: by `probability` and its
        bounds), `nearest`, the measured molecule that is most like it, `similarity` to that, and
        `inside`, whether that is within the domain; and hits inside the domain come first.
    library : path
        `.csv`, `.smi`, `.sdf` or `.parquet`; but for the last, also compressed (`.gz`, `.bz2`,
        `.xz`, `.zip`). An SDF's output has `title`, its fields, and `standardised_smiles`.
    output : path
        `.csv` or `.parquet`.
    engine_name : str
        `here`: in this process, on one thread. `local`: in `workers` processes that are watched, so
        that a row that kills or stalls its process is found and marked. `ray`: the same on a
        cluster. All give the same bytes for the same library; among other neighbours, a row's
        score is equal up to rounding.
    extras : Extras, optional
        A file of hits, enrichment, and what is done to spreadsheet formulas.
    overwrite : bool
        Replace what is at `output` (and at `hits_path`) as the run begins, and throw away what an
        unfinished run of another kind left.
    stall : float
        Seconds after which a process that does not answer for 1,024 rows is taken for stalled.
    features : path, optional
        A folder where the features of rows are kept (`FeatureStore`): what is there is not computed
        again, what is not is added. The output is the same with it and without.

    Raises
    ------
    DataError
        The library cannot be read, lacks the column, or is the output; the output or the file of
        hits exists, or comes there, and `overwrite` is not set; another run is at work on one of
        them, or left parts of something else; somebody else's folder is where parts would be kept.
    ConfigError
        There is no such engine, or a number makes no sense.
    """
    assays = [assays] if isinstance(assays, AdaptedAssay | Trusted) else list(assays)
    output, extras = Path(output), extras or Extras()
    kept = None if features is None else Path(features)
    seen = _seen(library)
    job = Job(assays, open_library(library, smiles_column), stall, kept)
    _check(job, output, extras, workers)
    run_engine, assembly = engine(engine_name), Assembly(job, extras)
    places = [output] if extras.hits_path is None else [output, extras.hits_path]
    try:
        with _alone(places):
            shards, identity = Shards(output), job.identity()
            if _seen(library) != seen:
                raise DataError(f"{library} was changed as it was opened; give the command again")
            this = sha256(f"{json.dumps(identity)} {extras}".encode()).hexdigest()
            summary = finished(shards.done_note, this)
            if summary is None:
                assembly.check_labels()
                _begin(job, shards, identity, places, overwrite=overwrite)
                told = _about_features(job)
                _score(job, run_engine, shards, workers, progress)
                summary = replace(assembly.write(shards, output, this), features=told)
            shards.remove()
            shards.done_note.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(
            f"the screen into {output} was ended ({error}); put that right, for instance by making "
            "room, and give the same command again: what is done is kept"
        ) from error
    return summary


@contextmanager
def _alone(places: Sequence[Path]) -> Iterator[None]:
    """Hold the lock of every file that is to be written."""
    with ExitStack() as held:
        for path in places:
            lock = path.with_name(f".{path.name}.parts.lock")
            held.enter_context(locked(lock, f"another run is at work on {path}"))
        yield


def _begin(
    job: Job,
    shards: Shards,
    identity: dict[str, Any],
    places: Sequence[Path],
    *,
    overwrite: bool,
) -> None:
    """Refuse what would be lost unasked; what the run itself may replace is not."""
    ours = shards.holds(identity)
    for path in places:
        known = ours and shards.places.may_replace(path)
        check_output(path, [job.library.path], overwrite=overwrite or known)
    shards.open(identity, discard=overwrite)
    for path in (*places, shards.done_note):
        remove_leftovers(path)
    for path in places:
        if path.exists():
            shards.places.allow(path, path)


def _score(
    job: Job, run_engine: Engine, shards: Shards, workers: int, progress: bool | None
) -> None:
    """Score the pieces that are not done, and keep each."""
    done = shards.done()
    hidden = not (sys.stderr.isatty() if progress is None else progress)
    with tqdm(unit=" molecules", disable=hidden, initial=len(done) * SHARD) as bar:
        pieces = Pieces(job.library, done)
        with closing(run_engine(job, shards.assays, pieces, workers)) as scored:
            try:
                if not hidden:  # one more look at the library, for a bar that knows its end
                    bar.total = sum(1 for _ in job.library.rows())
                    bar.refresh()
                for number, rows, lines in scored:
                    shards.write(number, lines)
                    bar.update(rows)
            except DataError as error:  # the library, as nothing else is read here
                shards.note_failure(str(error))
                raise


def _about_features(job: Job) -> str:
    """What becomes of features that are to be kept, told by the first rows."""
    if job.features is None:
        return ""
    store = FeatureStore.of(job.features, job.base, job.library.kind)
    return store.told([Ask.of(row) for row in islice(job.library.rows(), CHUNK)])


def _seen(path: str | Path) -> tuple[int, int, int] | None:
    """What changes with a file that is written or replaced; None where there is none."""
    try:
        found = Path(path).stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _check(job: Job, output: Path, extras: Extras, workers: int) -> None:
    library, header, hits = job.library, job.library.header, extras.hits_path
    check_together(job.adapted)
    check_format(output)
    if hits is not None and hits.suffix.lower() != ".csv":
        raise DataError(f"{hits}: hits are written to .csv")
    if hits is not None and hits.resolve() == output.resolve():
        raise DataError("the output and the file of hits are one; give two paths")
    library.refuse_columns(job.columns)
    if extras.label_column is not None and extras.label_column not in header:
        raise DataError(
            f"{library.path} has no column '{extras.label_column}'"
            f"{nearest(extras.label_column, header)}"
        )
    if workers < 1 or extras.top < 1:
        raise ConfigError("workers and top must be 1 or more")
    if not 0 < extras.alike <= 1:
        raise ConfigError(f"alike is {extras.alike}; it is a similarity, above 0 and up to 1")
    if not 0 < job.stall < float("inf"):
        raise ConfigError(f"stall is {job.stall}; it is a number of seconds, above 0")

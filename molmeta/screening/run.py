"""A screen from beginning to end: read, score, keep, and write when all is done."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path

from tqdm import tqdm

from molmeta.errors import ConfigError, DataError
from molmeta.files import check_output, locked
from molmeta.models import CHUNK, AdaptedAssay, check_together
from molmeta.registry import nearest
from molmeta.screening.assembly import Assembly, Extras, Summary
from molmeta.screening.engines import Engine, engine
from molmeta.screening.features import FeatureStore
from molmeta.screening.job import SHARD, Job
from molmeta.screening.libraries import open_library
from molmeta.screening.output import check_format
from molmeta.screening.pieces import Pieces
from molmeta.screening.reading import Ask
from molmeta.screening.shards import Shards
from molmeta.screening.supervisor import STALL


def screen(
    assays: AdaptedAssay | Sequence[AdaptedAssay],
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
    ended, however that was, and writes the same bytes.

    Parameters
    ----------
    assays : AdaptedAssay or several
        Of one model.
    library : path
        `.csv`, `.smi`, `.sdf` or `.parquet`; but for the last, also compressed (`.gz`, `.bz2`,
        `.xz`). An SDF's output has `title`, its fields, and
        `standardised_smiles`.
    output : path
        `.csv` or `.parquet`.
    engine_name : str
        `here`: in this process, on one thread. `local`: in `workers` processes that are watched, so
        that a row that kills or stalls its process is found and marked. `ray`: the same on a
        cluster. All give the same bytes.
    extras : Extras, optional
        A file of hits, enrichment, and what is done to spreadsheet formulas.
    overwrite : bool
        Replace an output, and throw away what an unfinished run of another kind left.
    stall : float
        Seconds after which a process that does not answer for 1,024 rows is taken for stalled.
    features : path, optional
        A folder where the features of rows are kept (`FeatureStore`): what is there is not computed
        again, what is not is added. The output is the same with it and without.

    Raises
    ------
    DataError
        The library cannot be read, lacks the column, or is the output; the output exists and
        `overwrite` is not set; another run is at work on it, or left parts of something else.
    """
    assays = [assays] if isinstance(assays, AdaptedAssay) else list(assays)
    output, extras = Path(output), extras or Extras()
    kept = None if features is None else Path(features)
    job = Job(assays, open_library(library, smiles_column), stall, kept)
    _check(job, output, extras, workers)
    run_engine, assembly = engine(engine_name), Assembly(job, extras)
    assembly.check_labels()
    shards = Shards(output)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with locked(shards.lock, f"another run is at work on {output}"):
            _begin(job, shards, extras, overwrite=overwrite)
            told = _about_features(job)
            _score(job, run_engine, shards, workers, progress)
            summary = replace(assembly.write(shards, output), features=told)
            shards.remove()
    except OSError as error:
        raise DataError(
            f"the screen into {output} was ended ({error}); put that right, for instance by making "
            "room, and give the same command again: what is done is kept"
        ) from error
    finally:
        if not shards.folder.exists():
            shards.lock.unlink(missing_ok=True)
    return summary


def _begin(job: Job, shards: Shards, extras: Extras, *, overwrite: bool) -> None:
    """Refuse what would be lost unasked; what the run itself left unfinished is not."""
    identity, hits, inputs = job.identity(), extras.hits_path, [job.library.path]
    ours = shards.holds(identity)
    check_output(shards.output, inputs, overwrite=overwrite or ours)
    if hits is not None:
        check_output(hits, inputs, overwrite=overwrite or (ours and shards.promised(hits)))
    shards.open(identity, hits, discard=overwrite)


def _score(
    job: Job, run_engine: Engine, shards: Shards, workers: int, progress: bool | None
) -> None:
    """Score the pieces that are not done, and keep each."""
    done = shards.done()
    hidden = not (sys.stderr.isatty() if progress is None else progress)
    with tqdm(unit=" molecules", disable=hidden, initial=len(done) * SHARD) as bar:
        pieces = Pieces(job.library, done)
        with closing(run_engine(job, shards.assays, pieces, workers)) as scored:
            for number, told in scored:
                shards.write(number, told)
                bar.update(len(told))


def _about_features(job: Job) -> str:
    """What becomes of features that are to be kept, told by the first rows."""
    if job.features is None:
        return ""
    store = FeatureStore.of(job.features, job.assays[0].base, job.library.kind)
    return store.told([Ask.of(row) for row in islice(job.library.rows(), CHUNK)])


def _check(job: Job, output: Path, extras: Extras, workers: int) -> None:
    library, header, hits = job.library, job.library.header, extras.hits_path
    check_together(job.assays)
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

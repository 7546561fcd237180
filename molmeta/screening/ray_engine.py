"""Ray Data as an engine (`pip install "molmeta[ray]"`): a local cluster, or one that is there.

One task reads the library and hands pieces on; actors score them, each with a watched worker
process of its own, so that a molecule that kills a worker does not kill an actor. What is done
comes back to the process that asked, which keeps it.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from molmeta.errors import ConfigError, DataError, MolmetaError
from molmeta.files import file_sha256
from molmeta.screening.job import Job, save_assays
from molmeta.screening.libraries import Kind
from molmeta.screening.pieces import Done, Pieces
from molmeta.screening.reading import Ask
from molmeta.screening.shards import lines_of
from molmeta.screening.supervisor import Supervisor

ADDRESS = "RAY_ADDRESS"


def on_ray(job: Job, folder: Path, pieces: Pieces, workers: int) -> Generator[Done]:
    """On Ray; `RAY_ADDRESS` names a cluster, without it one is started on this machine.

    On a cluster all nodes need `molmeta` and see the library under the same path. The task that
    reads asks for no CPU: where actors have them all, nothing would move.

    Raises
    ------
    ConfigError
        Ray is not installed.
    DataError
        The library cannot be read on.
    MolmetaError
        Something else went wrong on the cluster.
    """
    try:
        import ray
        import ray.data
        import ray.exceptions
    except ImportError:
        raise ConfigError(
            'the engine ray needs Ray, which is not installed: pip install "molmeta[ray]"'
        ) from None
    started = not ray.is_initialized()
    if started:
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # its errors come as exceptions
        address = os.environ.get(ADDRESS, "local")
        ray.init(
            address=address,
            num_cpus=workers if address == "local" else None,
            include_dashboard=False,
            logging_level=logging.ERROR,
            log_to_driver=False,
        )
    try:
        yield from _run(ray, job, folder, pieces, workers)
    except ray.exceptions.RayError as error:
        raise _cause(error) from error
    finally:
        if started:
            ray.shutdown()


def _run(ray: Any, job: Job, folder: Path, pieces: Pieces, workers: int) -> Iterator[Done]:
    save_assays(job, folder)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    pieces.library.path = pieces.library.path.resolve()  # other processes stand in other folders
    workers = max(1, min(workers, int(ray.cluster_resources().get("CPU", 1))))
    names = (path for path in folder.rglob("*") if path.is_file())
    # once in Ray's store, not in every message that has an actor's arguments
    files = ray.put({str(path.relative_to(folder)): path.read_bytes() for path in names})
    with _one_piece_a_block(ray.data.DataContext.get_current()):
        scored = ray.data.read_datasource(
            _source(pieces, file_sha256(pieces.library.path)),
            override_num_blocks=1,
            num_cpus=0,
        ).map_batches(
            _Actor,
            batch_size=1,
            concurrency=workers,
            num_cpus=1,
            num_gpus=1 if job.device.startswith("cuda") else None,
            fn_constructor_args=(files, job.library.kind, len(job.columns), job.device, job.stall),
        )
        for row in scored.iter_rows():
            yield Done(int(row["number"]), int(row["rows"]), row["lines"])


@contextmanager
def _one_piece_a_block(context: Any) -> Iterator[None]:
    """Ray hands a piece on when it is read, not with others, and shows no bars."""
    settings = {"enable_progress_bars": False, "target_max_block_size": 1}
    before = {name: getattr(context, name) for name in settings}
    try:
        for name, value in settings.items():
            setattr(context, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(context, name, value)


def _cause(error: BaseException) -> MolmetaError:
    """What went wrong on the cluster, in a line."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, MolmetaError):
            kind = DataError if isinstance(found, DataError) else MolmetaError
            return kind(str(found).splitlines()[0])
        found = getattr(found, "cause", None) or found.__cause__
    lines = str(error).strip().splitlines()
    return MolmetaError(f"Ray failed: {lines[-1] if lines else type(error).__name__}")


def _source(pieces: Pieces, sha256: str) -> Any:
    """The library as a datasource of Ray Data: one task, a row for each piece."""
    import pyarrow
    from ray.data.block import BlockMetadata
    from ray.data.datasource import Datasource, ReadTask

    def read() -> Iterator[Any]:
        if file_sha256(pieces.library.path) != sha256:
            raise DataError(f"{pieces.library.path} is another file on this node of the cluster")
        for piece in pieces:
            rows = json.dumps(piece.rows)
            yield pyarrow.table({"number": [piece.number], "rows": [rows]})

    class Source(Datasource):
        def estimate_inmemory_data_size(self) -> None:
            return None

        def get_read_tasks(self, parallelism: int, *_: Any, **__: Any) -> list[Any]:
            nothing_known = {"num_rows": None, "size_bytes": None, "input_files": None}
            metadata = BlockMetadata(**nothing_known, exec_stats=None)
            return [ReadTask(read, metadata)]

    return Source()


class _Actor:
    """Scores pieces, with a watched worker on files that came with it."""

    def __init__(self, files: Any, kind: Kind, columns: int, device: str, stall: float) -> None:
        import ray

        self.folder = tempfile.TemporaryDirectory()
        contents = cast("dict[str, bytes]", ray.get(files))
        for name, content in contents.items():
            path = Path(self.folder.name) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        self.supervisor = Supervisor(Path(self.folder.name), kind, columns, device, stall)

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        pieces = [[Ask(*row) for row in json.loads(str(rows))] for rows in batch["rows"]]
        lines = [lines_of(self.supervisor.score(rows)) for rows in pieces]
        return {"number": list(batch["number"]), "rows": list(map(len, pieces)), "lines": lines}

    def __del__(self) -> None:
        self.supervisor.close()

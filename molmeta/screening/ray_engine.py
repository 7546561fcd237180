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
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from molmeta.errors import ConfigError
from molmeta.libraries.base import Kind
from molmeta.screening.job import Job, save_assays
from molmeta.screening.reading import Ask
from molmeta.screening.scoring import Told
from molmeta.screening.supervisor import Supervisor

if TYPE_CHECKING:
    from molmeta.screening.engines import Pieces

ADDRESS = "RAY_ADDRESS"


def on_ray(
    job: Job, folder: Path, pieces: Pieces, workers: int
) -> Iterator[tuple[int, list[Told]]]:
    """On Ray; `RAY_ADDRESS` names a cluster, without it one is started on this machine.

    On a cluster all nodes need `molmeta` and see the library under the same path. A CPU is left to
    the task that reads: where actors have them all, nothing moves.

    Raises
    ------
    ConfigError
        Ray is not installed.
    """
    try:
        import ray
        import ray.data
    except ImportError:
        raise ConfigError(
            'the engine ray needs Ray, which is not installed: pip install "molmeta[ray]"'
        ) from None
    started = not ray.is_initialized()
    if started:
        ray.init(
            num_cpus=None if os.environ.get(ADDRESS) else workers + 1,
            include_dashboard=False,
            logging_level=logging.ERROR,
            log_to_driver=False,
        )
    try:
        yield from _run(ray, job, folder, pieces, workers)
    finally:
        if started:
            ray.shutdown()


def _run(
    ray: Any, job: Job, folder: Path, pieces: Pieces, workers: int
) -> Iterator[tuple[int, list[Told]]]:
    save_assays(job.assays, folder)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.target_max_block_size = 1  # a piece is handed on when it is read, not with others
    names = (path for path in folder.rglob("*") if path.is_file())
    files = {str(path.relative_to(folder)): path.read_bytes() for path in names}
    scored = ray.data.read_datasource(_source(pieces), override_num_blocks=1).map_batches(
        _Actor,
        batch_size=1,
        concurrency=workers,
        num_cpus=1,
        fn_constructor_args=(files, job.library.kind, len(job.columns), job.device, job.stall),
    )
    for row in scored.iter_rows():
        yield int(row["number"]), json.loads(row["told"])


def _source(pieces: Pieces) -> Any:
    """The library as a datasource of Ray Data: one task, a row for each piece."""
    import pyarrow
    from ray.data.block import BlockMetadata
    from ray.data.datasource import Datasource, ReadTask

    def read() -> Iterator[Any]:
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

    def __init__(
        self, files: Mapping[str, bytes], kind: Kind, columns: int, device: str, stall: float
    ) -> None:
        self.folder = tempfile.TemporaryDirectory()
        for name, content in files.items():
            path = Path(self.folder.name) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        self.supervisor = Supervisor(Path(self.folder.name), kind, columns, device, stall)

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        told = [
            json.dumps(self.supervisor.score([Ask(*row) for row in json.loads(str(rows))]))
            for rows in batch["rows"]
        ]
        return {"number": list(batch["number"]), "told": told}

    def __del__(self) -> None:
        self.supervisor.close()

"""Files that are whole or not there, checksums, and the cache."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import file_digest
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from molmeta.errors import DataError

OFFLINE = "MOLMETA_OFFLINE"
CACHE = "MOLMETA_CACHE"
SHORTEST = 0.05  # seconds that are waited for a lock which somebody may hold for long


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file so that a reader or a crash never meets half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        part.write_bytes(content)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to, beside `path`; it takes that place at the end, if nothing went wrong."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def remove_leftovers(path: Path) -> None:
    """Remove what `replacing` left beside `path` in processes that were killed.

    For whoever holds the lock of `path`: of a process that is at work, it would be the work.
    """
    left = re.compile(rf"\.{re.escape(path.name)}\.\d+\.part")
    for part in path.parent.iterdir() if path.parent.is_dir() else ():
        if left.fullmatch(part.name):
            part.unlink(missing_ok=True)


def check_output(output: Path, inputs: Iterable[Path], *, overwrite: bool) -> None:
    """Refuse an output that is one of the inputs, or that would replace a file unasked.

    Raises
    ------
    DataError
        It is, or would.
    """
    for path in inputs:
        if output.exists() and path.exists() and output.samefile(path):
            raise DataError(f"{output} is an input of this command; give another output path")
    if output.is_dir():
        raise DataError(f"{output} is a folder; give the path of a file")
    if output.exists() and not overwrite:
        raise DataError(f"{output} exists; give another path, or --overwrite to replace it")


def keep_arrays(folder: Path, arrays: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> None:
    """Write named arrays, and what JSON says of them, into a new folder that is whole or not there.

    A folder that is there already stays. A disk that is full or write-protected is warned of, as
    what is kept here can be computed again.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            for name, array in arrays.items():
                np.save(part / f"{name}.npy", array, allow_pickle=False)
            sums = {name: file_sha256(part / f"{name}.npy") for name in arrays}
            text = json.dumps({"about": dict(about), "sha256": sums})
            (part / "arrays.json").write_text(text, encoding="utf-8")
            part.chmod(0o755)  # mkdtemp lets nobody else in
            part.rename(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        if not folder.exists():  # else another process was first
            warnings.warn(f"{folder} could not be kept: {error}", stacklevel=2)


def kept_arrays(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
    """What `keep_arrays` wrote, memory-mapped; None where there is nothing, or it is damaged.

    A damaged folder is warned of and removed, so that it can be written again.
    """
    if not (folder / "arrays.json").is_file():
        return None
    try:
        header = json.loads((folder / "arrays.json").read_text(encoding="utf-8"))
        arrays = {}
        for name, expected in header["sha256"].items():
            path = folder / f"{name}.npy"
            if file_sha256(path) != expected:
                raise ValueError(f"the checksum of {path.name} is wrong")
            arrays[name] = np.load(path, mmap_mode="r", allow_pickle=False)
        return arrays, header["about"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        warnings.warn(f"{folder} is damaged ({error}) and is made again", stacklevel=2)
        shutil.rmtree(folder, ignore_errors=True)
        return None


def file_sha256(path: Path) -> str:
    """Checksum of a file."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def cache_folder() -> Path:
    """`$MOLMETA_CACHE`, or `~/.cache/molmeta`."""
    return Path(os.environ.get(CACHE) or Path.home() / ".cache" / "molmeta")


def offline() -> bool:
    """Whether `MOLMETA_OFFLINE` says that nothing may be downloaded."""
    return os.environ.get(OFFLINE, "").strip().lower() not in ("", "0", "false", "no")


@contextmanager
def locked(path: Path, busy: str, *, wait: bool = False) -> Iterator[None]:
    """Hold the lock `<path>`; who else asks for it is told that it is `busy`, and waits or not.

    The operating system gives the lock back when a process ends, however it does. Its file is
    removed by the one who holds it and by nobody else; who locked a file that was removed in the
    meantime holds nothing, which `FileLock` notices and tries again.

    Raises
    ------
    DataError
        Somebody else holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=SHORTEST)
    except Timeout:
        if not wait:
            raise DataError(f"{busy}; let it end first, or give another path") from None
        warnings.warn(f"{busy}; this one goes on when that ends", stacklevel=3)
        lock.acquire()
    try:
        yield
    finally:
        with suppress(OSError):  # some systems keep a file that is open; it is locked anew then
            path.unlink()
        lock.release()

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
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from molmeta.errors import CheckpointError, DataError, MolmetaError

OFFLINE = "MOLMETA_OFFLINE"
CACHE = "MOLMETA_CACHE"
SUM = "header_sha256"  # key of a header's own checksum
DEEPEST = 50  # brackets within brackets: more than anything that is written here
LAST_LINE = "# sha256 of the above: "
SHORTEST = 0.05  # seconds that are waited for a lock which somebody may hold for long


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file so that a reader or a crash never meets half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        part.write_bytes(content)


def write_checked(path: Path, text: str) -> None:
    """Write a text with its checksum as the last line, for `read_checked`."""
    digest = sha256(text.encode()).hexdigest()
    write_atomic(path, f"{text}{LAST_LINE}{digest}\n".encode())


def read_checked(path: Path) -> str:
    """The text that `write_checked` wrote.

    Raises
    ------
    CheckpointError
        It is not what was written.
    """
    content, _, digest = path.read_bytes().rpartition(LAST_LINE.encode())
    if digest.strip() != sha256(content).hexdigest().encode():
        raise CheckpointError(
            f"{path} was changed or is damaged: its last line is not its checksum; delete the "
            "file, and it is made again"
        )
    return content.decode()


def json_sha256(value: Any) -> str:
    """Checksum of what JSON says, however it is laid out."""
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def with_checksum(header: Mapping[str, Any]) -> dict[str, Any]:
    """A header of plain JSON and the checksum of it, for `checked_header`."""
    return {**header, SUM: json_sha256(header)}


def checked_header(found: Any, where: Path, advice: str) -> dict[str, Any]:
    """What `with_checksum` was given.

    Raises
    ------
    CheckpointError
        It is not; the message ends in the advice.
    """
    header = {k: v for k, v in found.items() if k != SUM} if isinstance(found, dict) else {}
    if not header or found.get(SUM) != json_sha256(header):
        raise CheckpointError(
            f"{where} was changed or is damaged: its checksum is wrong or missing; {advice}"
        )
    return header


def read_json(path: Path, raised: type[MolmetaError] = DataError) -> Any:
    """What a file of JSON says.

    Raises
    ------
    DataError
        There is no such file, or it is not JSON in UTF-8; or another error that is asked for.
    """
    return parse_json(read_text(path, raised), path, raised)


def read_text(path: Path, raised: type[MolmetaError] = DataError) -> str:
    """A file of text.

    Raises
    ------
    DataError
        There is no such file, or it is not in UTF-8; or another error that is asked for.
    """
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise raised(f"{path} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise raised(f"{path} is not UTF-8 (byte {error.start}); get it again") from None


def parse_json(content: bytes | str, where: object, raised: type[MolmetaError] = DataError) -> Any:
    """What JSON says.

    Raises
    ------
    DataError
        It is not JSON in UTF-8, or nested too deeply to be read; or another error that is asked
        for. `where` is for the message.
    """
    try:
        found = json.loads(content.decode() if isinstance(content, bytes) else content)
    except RecursionError:
        found, deep = None, True
    except ValueError as error:
        raise raised(f"{where} is not JSON ({error}); get it again") from None
    else:
        deep = _is_deep(found)
    if deep:
        raise raised(f"{where} has more than {DEEPEST} brackets within brackets; get it again")
    return found


def _is_deep(found: Any) -> bool:
    """Whether what JSON says is nested more than `DEEPEST` times."""
    level = [found] if isinstance(found, dict | list) else []
    for _ in range(DEEPEST + 1):
        lists = [one.values() if isinstance(one, dict) else one for one in level]
        level = [c for one in lists for c in one if isinstance(c, dict | list)]
        if not level:
            return False
    return True


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
            header = with_checksum({"about": dict(about), "sha256": sums})
            (part / "arrays.json").write_text(json.dumps(header), encoding="utf-8")
            part.chmod(0o755)  # mkdtemp lets nobody else in
            part.rename(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        if not folder.exists():  # else another process was first
            warnings.warn(f"{folder} could not be kept: {error}", stacklevel=2)


def kept_arrays(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
    """What `keep_arrays` wrote, memory-mapped; None where there is nothing, or it is damaged.

    A damaged folder is warned of and removed, so that it can be written again; one whose header
    has no checksum, as an earlier version wrote it, is removed without a word.
    """
    if not (folder / "arrays.json").is_file():
        return None
    try:
        found = read_json(folder / "arrays.json")
        if isinstance(found, dict) and SUM not in found:
            shutil.rmtree(folder, ignore_errors=True)
            return None
        header = checked_header(found, Path("arrays.json"), "it is written anew")
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

"""Files that may be compressed, told by their content, with a cap against bombs."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from molmeta.errors import DataError

OPENERS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
OTHERS = {
    b"PK\x03\x04": "a zip file; unpack it first",
    b"\x28\xb5\x2f\xfd": "compressed by zstd; unpack it first, or use gzip, bzip2 or xz",
    b"\xff\xfe": "UTF-16; save it as 'CSV UTF-8'",
    b"\xfe\xff": "UTF-16; save it as 'CSV UTF-8'",
}
DAMAGE = (EOFError, OSError, lzma.LZMAError, zlib.error)
LARGEST, RATIO = 1 << 30, 200  # bytes that anything may unpack to, and times its size


@contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """A file as it was before it was compressed.

    Raises
    ------
    DataError
        The file is missing, truncated, of a kind that is not read here, or unpacks to more than
        1 GiB and more than 200 times its size.
    """
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    with path.open("rb") as file:
        start = file.read(6)
    for magic, what in OTHERS.items():
        if start.startswith(magic):
            raise DataError(f"{path} is {what}")
    opener = next((opener for magic, opener in OPENERS.items() if start.startswith(magic)), None)
    try:
        if opener is None:
            with path.open("rb") as file:
                yield file
        else:
            most = max(LARGEST, RATIO * path.stat().st_size)
            with opener(path, "rb") as unpacked, _Capped(unpacked, most, path) as file:  # type: ignore[arg-type]
                yield io.BufferedReader(file, 1 << 18)
    except DAMAGE as error:
        raise DataError(f"{path} is truncated or damaged ({error}); get it again") from error


class _Capped(io.RawIOBase):
    """A stream that ends in an error, if it goes on for too long."""

    def __init__(self, source: IO[bytes], most: int, path: Path) -> None:
        super().__init__()
        self.source, self.left, self.path, self.most = source, most, path, most

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read what fits into the buffer."""
        content = self.source.read(len(buffer))
        self.left -= len(content)
        if self.left < 0:
            raise DataError(
                f"{self.path} unpacks to more than {self.most:,} bytes, {RATIO} times its size; if "
                "it is no bomb, unpack it first"
            )
        buffer[: len(content)] = content
        return len(content)

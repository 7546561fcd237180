"""Texts as anybody has them: maybe compressed, which their content tells; capped against bombs."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

from molmeta.errors import DataError

COMPRESSED = (".gz", ".bz2", ".xz", ".zip")  # endings of names
MARKS = (b"\xff\xfe", b"\xfe\xff")  # that UTF-16 begins with
UTF16 = "UTF-16; save it as UTF-8 (a spreadsheet calls it 'CSV UTF-8')"
OTHERS = (  # where it stands, what stands there, what that is
    (0, b"PK\x05\x06", "an empty zip file; get it again"),
    (0, b"\x28\xb5\x2f\xfd", "compressed by zstd; unpack it first, or use gzip, bzip2, xz or zip"),
    *((0, mark, UTF16) for mark in MARKS),
    (257, b"ustar", "a tar archive; unpack it first"),
)
PACKED = (*COMPRESSED, ".zst", ".tar", ".tgz", ".tbz", ".txz")  # what is no text by name
DAMAGE = (EOFError, OSError, lzma.LZMAError, zipfile.BadZipFile, zlib.error)
ZIPPED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # ways that take no memory to speak of
LONGEST = 1 << 24  # characters of one record; a longer one is no molecule
LARGEST, RATIO = 1 << 30, 200  # bytes that anything may unpack to, and times its size
HELD, HELD_RATIO = 1 << 26, 20  # the same of what is held in memory as a whole
MEMORY = 1 << 28  # bytes that xz may take; its highest setting takes a quarter of that
HEAD, PIECE = 1 << 12, 1 << 18  # bytes that are looked at, and that are read at once
CONTROL = bytes(set(range(32)) - set(b"\t\n\r\f"))


@contextmanager
def open_text(path: Path, newline: str | None = None) -> Iterator[IO[str]]:
    """Text of UTF-8, maybe compressed; other bytes become surrogates, written as they were."""
    with (
        open_bytes(path) as file,
        io.TextIOWrapper(file, "utf-8-sig", "surrogateescape", newline) as text,
    ):
        yield text


@contextmanager
def open_bytes(path: Path, *, held: bool = False, utf16: bool = False) -> Iterator[IO[bytes]]:
    """A file as it was before it was compressed.

    Parameters
    ----------
    held : bool
        Whether who asks holds all of it in memory, so that less is allowed.
    utf16 : bool
        Whether who asks reads UTF-16, too, if its mark is there.

    Raises
    ------
    DataError
        The file is missing, truncated, of a kind that is not read here, or unpacks to more than
        1 GiB and more than 200 times its size (64 MiB and 20 times, where it is held).
    """
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    try:
        with path.open("rb") as file:
            start = file.peek(HEAD)[:HEAD]
            opener = _opener(start)
            if opener is None:
                _check_start(path, start, packed=False, utf16=utf16)
                yield file
                return
            with opener(file) as source, _Capped(source, path, held=held) as capped:
                unpacked = io.BufferedReader(capped, PIECE)
                _check_start(path, unpacked.peek(HEAD)[:HEAD], packed=True, utf16=utf16)
                yield unpacked
    except PermissionError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from error
    except DAMAGE as error:
        raise DataError(f"{path} is truncated or damaged ({error}); get it again") from error


def utf8(value: Any) -> Any:
    """A text in which what was no UTF-8 is replaced; anything else as it is."""
    if not isinstance(value, str):
        return value
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class _Streams(io.RawIOBase):
    """Streams of bzip2 or xz behind each other; `bz2.open` would end where the next is damaged."""

    def __init__(
        self, start: Callable[[], bz2.BZ2Decompressor | lzma.LZMADecompressor], packed: IO[bytes]
    ) -> None:
        super().__init__()
        self.start, self.packed = start, packed
        self.stream, self.next = start(), b""

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read what fits into the buffer, or less."""
        content = b""
        while not content and self._has_more():
            content = self.stream.decompress(self.next, len(buffer))
            self.next = self.stream.unused_data
        buffer[: len(content)] = content
        return len(content)

    def _has_more(self) -> bool:
        if self.stream.eof:
            while not self.next.lstrip(b"\0"):  # zeros may stand between the streams
                self.next = self.packed.read(PIECE)
                if not self.next:
                    return False
            self.stream, self.next = self.start(), self.next.lstrip(b"\0")
        elif self.stream.needs_input:
            self.next = self.packed.read(PIECE)
            if not self.next:
                raise EOFError("it ends too early")
        return True


class _Capped(io.RawIOBase):
    """A stream that ends in an error, if it goes on for too long."""

    def __init__(self, source: IO[bytes], path: Path, *, held: bool) -> None:
        super().__init__()
        least, self.ratio = (HELD, HELD_RATIO) if held else (LARGEST, RATIO)
        self.source, self.path = source, path
        self.left = self.most = max(least, self.ratio * path.stat().st_size)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read what fits into the buffer."""
        content = self.source.read(len(buffer))
        self.left -= len(content)
        if self.left < 0:
            raise DataError(
                f"{self.path} unpacks to more than {self.most:,} bytes, over {self.ratio} times "
                "its size; if it is no bomb, unpack it first"
            )
        buffer[: len(content)] = content
        return len(content)


def _zipped(packed: IO[bytes]) -> IO[bytes]:
    """The one file of a zip archive.

    Raises
    ------
    DataError
        There are several, as in an Excel file, or it cannot be read.
    """
    archive = zipfile.ZipFile(packed)
    files = [
        one
        for one in archive.infolist()
        if not one.is_dir() and not one.filename.startswith("__MACOSX/")
    ]
    if len(files) != 1:
        raise DataError(
            f"{packed.name} is a zip or Excel file with {len(files)} files in it; zip one table "
            "alone, or save it as 'CSV UTF-8'"
        )
    if files[0].flag_bits & 1 or files[0].compress_type not in ZIPPED:
        raise DataError(f"{packed.name} is encrypted, or zipped in a rare way; unpack it first")
    return archive.open(files[0])


OPENERS: dict[bytes, Callable[[IO[bytes]], IO[bytes]]] = {
    b"\x1f\x8b": gzip.open,  # type: ignore[dict-item]
    b"PK\x03\x04": _zipped,
    b"BZh": partial(_Streams, bz2.BZ2Decompressor),  # type: ignore[dict-item]
    b"\xfd7zXZ\x00": partial(
        _Streams, partial(lzma.LZMADecompressor, lzma.FORMAT_XZ, memlimit=MEMORY)
    ),  # type: ignore[dict-item]
}


def _opener(start: bytes) -> Callable[[IO[bytes]], IO[bytes]] | None:
    return next((opener for magic, opener in OPENERS.items() if start.startswith(magic)), None)


def _check_start(path: Path, start: bytes, *, packed: bool, utf16: bool) -> None:
    """Raise `DataError` for what begins as no text does."""
    if utf16 and start.startswith(MARKS):
        return
    for place, magic, what in OTHERS:
        if start.startswith(magic, place):
            raise DataError(f"{path} is {what}")
    if _every_other_is_zero(start):
        raise DataError(f"{path} is {UTF16}")
    if packed and _opener(start):
        raise DataError(f"{path} is compressed twice; unpack it once")
    if path.suffix.lower() in PACKED and start.translate(None, CONTROL) != start:
        raise DataError(f"{path} is damaged: it is no text, nor begins as its name says")


def _every_other_is_zero(start: bytes) -> bool:
    """Whether most letters are of two bytes, one of which is zero: UTF-16 without a mark."""
    pairs = len(start) // 2
    first, second = start[: 2 * pairs : 2].count(0), start[1 : 2 * pairs : 2].count(0)
    return pairs > 1 and 4 * max(first, second) > 3 * pairs and 4 * min(first, second) < pairs

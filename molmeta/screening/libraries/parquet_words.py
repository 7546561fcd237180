"""How long the texts in a dictionary of Parquet are, told without reading what points to them."""

from __future__ import annotations

from typing import IO

from molmeta.screening.libraries.parquet_footer import Chunk
from molmeta.screening.libraries.thrift import read_struct
from molmeta.text_files import LONGEST

HEADER = 1 << 12  # bytes that the header of a page is looked for in
KIND, UNPACKED, PACKED = 1, 2, 3  # fields of it
DICTIONARY = 2  # a kind of page
CODECS = {1: "snappy", 2: "gzip", 4: "brotli", 6: "zstd", 7: "lz4_raw"}


def longest_word(file: IO[bytes], chunk: Chunk) -> int:
    """Bytes of the longest text in the dictionary of a column; 0, if it has none.

    A dictionary that cannot be looked into, or is too large for that, is taken for one text.
    """
    file.seek(chunk.start)
    content = file.read(HEADER)
    try:
        page, behind = read_struct(content)
        kind, unpacked, packed = page[KIND], page[UNPACKED], page[PACKED]
    except (IndexError, KeyError, ValueError):
        return chunk.unpacked
    if kind != DICTIONARY:
        return 0
    if unpacked > LONGEST or packed > LONGEST:
        return unpacked
    file.seek(chunk.start + behind)
    texts = _unpack(file.read(max(0, packed)), unpacked, chunk.codec)
    return unpacked if texts is None else _longest(texts)


def _unpack(content: bytes, size: int, codec: int) -> bytes | None:
    """A page as it was before it was compressed; None, if it cannot be read."""
    import pyarrow

    if codec == 0:
        return content
    try:
        return pyarrow.decompress(content, size, codec=CODECS[codec], asbytes=True)
    except (KeyError, OSError, ValueError, OverflowError, pyarrow.ArrowException):
        return None


def _longest(texts: bytes) -> int:
    """The longest of texts that each stand behind four bytes of their length."""
    place = longest = 0
    while place + 4 <= len(texts):
        length = int.from_bytes(texts[place : place + 4], "little")
        longest = max(longest, length)
        place += 4 + length
    return longest

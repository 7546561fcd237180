"""Structs of Thrift's compact protocol, in which a Parquet file says what stands in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

DEEPEST = 16  # structs and lists within each other; Parquet has no more than ten


def read_struct(content: bytes, place: int = 0, depth: int = 0) -> tuple[dict[int, Any], int]:
    """A struct as its values by the numbers of their fields; and where it ends.

    Raises
    ------
    ValueError, IndexError
        There is none, or not all of it.
    """
    if depth > DEEPEST:
        raise ValueError("structs stand too deep within each other")
    fields: dict[int, Any] = {}
    number = 0
    while content[place]:
        step, kind = divmod(content[place], 16)
        place += 1
        if step:
            number += step
        else:
            number, place = _integer(content, place, depth)
        if kind in BOOLS:
            fields[number] = BOOLS[kind]
        else:
            fields[number], place = _reader(kind)(content, place, depth)
    return fields, place + 1


def _reader(kind: int) -> Callable[[bytes, int, int], tuple[Any, int]]:
    if kind not in READERS:
        raise ValueError(f"there is no type {kind}")
    return READERS[kind]


def _varint(content: bytes, place: int) -> tuple[int, int]:
    """A number of seven bits a byte, the last ones first."""
    value = shift = 0
    while True:
        byte = content[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
        if shift > 63:
            raise ValueError("a number goes on for too long")


def _integer(content: bytes, place: int, _: int) -> tuple[int, int]:
    value, place = _varint(content, place)
    return (value >> 1) ^ -(value & 1), place


def _byte(content: bytes, place: int, _: int) -> tuple[int, int]:
    return content[place], place + 1


def _double(content: bytes, place: int, _: int) -> tuple[bytes, int]:
    return content[place : place + 8], place + 8


def _text(content: bytes, place: int, _: int) -> tuple[bytes, int]:
    length, place = _varint(content, place)
    return content[place : place + length], place + length


def _list(content: bytes, place: int, depth: int) -> tuple[list[Any], int]:
    size, kind = divmod(content[place], 16)
    place += 1
    if size == 15:
        size, place = _varint(content, place)
    read, values = _byte if kind in BOOLS else _reader(kind), []
    for _ in range(size):
        value, place = read(content, place, depth + 1)
        values.append(value)
    return values, place


def _struct(content: bytes, place: int, depth: int) -> tuple[dict[int, Any], int]:
    return read_struct(content, place, depth + 1)


BOOLS = {1: True, 2: False}
READERS: dict[int, Callable[[bytes, int, int], tuple[Any, int]]] = {
    3: _byte,
    4: _integer,
    5: _integer,
    6: _integer,
    7: _double,
    8: _text,
    9: _list,
    10: _list,
    12: _struct,
}

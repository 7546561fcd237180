"""Arrays of Parquet as Python's values: a cell each, also where Python has no such value."""

from __future__ import annotations

from itertools import islice
from typing import Any

UNREADABLE = (ArithmeticError, LookupError, ValueError)  # no UTF-8, a date far away, its zone


def cells_of(array: Any) -> list[Any]:
    """The values of an array of Arrow; where a text stands several times, it is held once.

    A text that is no UTF-8 has a sign of replacement where that is so. What Python has no value
    for, such as a day in the year 300,000, is the number that it is kept as. A decimal number of
    more digits than its type has is none.
    """
    from pyarrow import types

    kind = array.type
    if types.is_dictionary(kind):
        return _words(array)
    if types.is_struct(kind):
        return _structs(array)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _lists(array)
    if types.is_map(kind):
        return _maps(array)
    if types.is_decimal(kind):
        return _decimals(array)
    return _plain(array)


def _words(array: Any) -> list[Any]:
    used = array.indices.unique()
    words = dict(zip(used.to_pylist(), cells_of(array.dictionary.take(used)), strict=True))
    return [words[index] for index in array.indices.to_pylist()]


def _structs(array: Any) -> list[Any]:
    names = [field.name for field in array.type]
    kind = dict if len(set(names)) == len(names) else list  # of two fields of one name, both
    columns = [cells_of(field) for field in array.flatten()]
    rows = zip(*columns, strict=True) if columns else ((),) * len(array)
    valid = array.is_valid().to_pylist()
    return [
        kind(zip(names, row, strict=True)) if there else None
        for row, there in zip(rows, valid, strict=True)
    ]


def _lists(array: Any) -> list[Any]:
    from pyarrow import compute

    inside = iter(cells_of(array.flatten()))
    lengths = compute.call_function("list_value_length", [array]).to_pylist()
    valid = array.is_valid().to_pylist()
    return [
        list(islice(inside, length)) if there else None
        for length, there in zip(lengths, valid, strict=True)
    ]


def _maps(array: Any) -> list[Any]:
    import pyarrow

    pairs = pyarrow.StructArray.from_arrays([array.keys, array.items], ["key", "value"])
    lists = pyarrow.ListArray.from_arrays(array.offsets, pairs)
    valid = array.is_valid().to_pylist()
    return [
        [tuple(pair.values()) for pair in cell] if there else None
        for cell, there in zip(_lists(lists), valid, strict=True)
    ]


def _decimals(array: Any) -> list[Any]:
    most = array.type.precision
    return [
        None if number is None or len(number.as_tuple().digits) > most else number
        for number in _plain(array)
    ]


def _plain(array: Any) -> list[Any]:
    try:
        return array.to_pylist()
    except UNREADABLE:
        return [_cell(scalar) for scalar in array]


def _cell(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except UNREADABLE:
        if hasattr(scalar, "as_buffer"):
            return scalar.as_buffer().to_pybytes().decode("utf-8", "replace")
        return scalar.value

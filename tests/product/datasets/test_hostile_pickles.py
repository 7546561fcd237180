"""Pickles that are made to harm: nothing is reached, changed or larger than the file."""

from __future__ import annotations

import io
import pickle
import tracemalloc
from typing import Any

import numpy as np
import pytest

from molmeta.datasets import gsk2020
from molmeta.datasets.gsk2020 import load_restricted
from molmeta.errors import DataError

THREE_GIGABYTES = b"cbuiltins\nbytes\n(I3000000000\ntR."
DEFAULTS = b"c_codecs\nencode\nN}(S'__defaults__'\n(S'x'\nS'latin1'\ntu\x86b."
KIND = b"cnumpy\ndtype\n(S'%s'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb"
EMPTY = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
ENCODE = b"c_codecs\nencode\n"


def read(data: bytes) -> Any:
    return load_restricted(io.BytesIO(data), "file.pkl")


def array(shape: bytes, kind: bytes, content: bytes) -> bytes:
    """An array as it is written, with anything as its shape, type and content."""
    return EMPTY + b"(I1\n" + shape + KIND % kind + b"I00\n" + content + b"tb."


def test_32_bytes_do_not_build_three_gigabytes() -> None:
    with pytest.raises(DataError, match=r"is refused|no whole"):
        read(THREE_GIGABYTES)


def test_the_defaults_of_a_function_stay() -> None:
    with pytest.raises(DataError, match="is refused"):
        read(DEFAULTS)
    assert read(pickle.dumps(b"\xe9", 2)) == b"\xe9"  # by the function whose defaults they were


@pytest.mark.parametrize("name", sorted(gsk2020.CALLS))
def test_nothing_is_built_on_a_name(name: str) -> None:
    module, _, function = name.rpartition(".")
    named = f"c{module}\n{function}\n".encode()
    before = {key: one.__defaults__ for key, one in gsk2020.CALLS.items()}
    for state in (
        b"N}(S'__defaults__'\n(S'x'\nS'latin1'\ntu\x86b.",
        b"}S'__code__'\nNsb.",
        b"}S'text'\nS'builtins.eval'\nsb.",
        b"N}S'text'\nS'builtins.eval'\ns\x86b.",
        b"(tb.",
    ):
        with pytest.raises(DataError, match="is refused"):
            read(named + state)
    assert {key: one.__defaults__ for key, one in gsk2020.CALLS.items()} == before
    assert {key: one.text for key, one in gsk2020.NAMES.items()} == {k: k for k in gsk2020.NAMES}


@pytest.mark.parametrize(
    "data",
    [
        b"cbuiltins\nbytes\n((lI255\natR.",
        b"cbuiltins\nset\n(S'text'\ntR.",
        b"cbuiltins\nset\n((l(ltR.",
        ENCODE + b"(S'x'\ntR.",
        ENCODE + b"(S'x'\nS'latin1'\nS'ignore'\ntR.",
        ENCODE + b"(I5\nS'latin1'\ntR.",
        b"cnumpy\ndtype\n(S'f8'\nI0\ntR.",
        b"cnumpy\ndtype\n((lS'f8'\natR.",
        b"cnumpy\nndarray\n(I5\ntR.",
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I1099511627776\ntS'b'\ntR.",
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'O'\ntR.",
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntR.",
        b"cnumpy.core.multiarray\nscalar\n(S'f8'\nS'12345678'\ntR.",
        b"(I1\nR.",
        b"(ltR.",
    ],
)
def test_calls_have_just_the_arguments_that_are_written(data: bytes) -> None:
    with pytest.raises(DataError, match=r"is refused|no whole"):
        read(data)


def test_marks_and_types_do_not_come_out() -> None:
    for data in (b"cnumpy\nndarray\n.", KIND % b"f8" + b".", b"(lcbuiltins\nset\na."):
        with pytest.raises(DataError, match="is refused"):
            read(data)


@pytest.mark.parametrize(
    "data",
    [
        array(b"(I1099511627776\nt", b"S0", b"C\x00"),
        array(b"(I1099511627776\nt", b"U0", b"C\x00"),
        array(b"(I1099511627776\nI0\nt", b"f8", b"C\x00"),
        array(b"(I0\nI1099511627776\nt", b"f8", b"C\x00"),
        array(b"(I1099511627776\nI0\nt", b"O8", b"(l"),
        b"\x80\x05\x96" + (3 * 10**9).to_bytes(8, "little") + b".",
        b"\x8e" + (3 * 10**9).to_bytes(8, "little") + b".",
        b"B" + (3 * 10**9).to_bytes(4, "little") + b".",
        b"\x80\x04\x95" + (3 * 10**9).to_bytes(8, "little") + b"N.",
        b"\x8b" + (2**31 - 1).to_bytes(4, "little") + b".",
    ],
    ids=("S0", "U0", "rows", "columns", "objects", "bytearray", "bytes8", "bytes4", "frame", "int"),
)
def test_nothing_is_larger_than_the_file(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(DataError):
            read(data)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_what_is_named_many_times_is_counted_as_often() -> None:
    """Twenty lists, each of eight times the one before, are 8²⁰ values to whoever reads them."""
    shared: list[Any] = []
    for _ in range(20):
        shared = [shared] * 8
    cycle: list[Any] = []
    cycle.append(cycle)
    held = np.empty(1, dtype=object)
    held[0] = held
    for value in (shared, cycle, held, {"x": shared}):
        with pytest.raises(DataError, match="asks for more than"):
            read(pickle.dumps(value))
    numbers = list(range(1000))
    assert read(pickle.dumps([numbers, numbers])) == [numbers, numbers]


def test_sets_made_again_and_again_of_one_list_are_counted() -> None:
    numbers = b"(" + b"".join(b"J" + i.to_bytes(4, "little") for i in range(20_000)) + b"lq\x00"
    data = numbers + b"cbuiltins\nset\nq\x010" + b"h\x01(h\x00tR0" * 20_000 + b"."
    with pytest.raises(DataError, match="asks for more than"):
        read(data)


def test_an_array_is_filled_once_and_added_to_never() -> None:
    whole = array(b"(I1\nt", b"u1", b"C\x01x")
    assert read(whole).tolist() == [ord("x")]
    state = b"(I1\n(I1\nt" + KIND % b"u1" + b"I00\nC\x01ytb."
    for data in (whole[:-1] + state, whole[:-1] + b"I0\nI5\ns.", whole[:-1] + b"I5\na."):
        with pytest.raises(DataError, match=r"is refused|no whole"):
            read(data)


@pytest.mark.parametrize("protocol", range(6))
def test_a_large_file_is_read_whole(protocol: int) -> None:
    value = {
        "rows": [np.arange(i % 7, dtype=np.float32) for i in range(3000)],
        "none": [np.zeros((0, 75)) for _ in range(100)],
        "names": [f"name {i}" for i in range(3000)],
        "bytes": bytearray(b"12345") * 100,
    }
    if protocol < 5:
        del value["bytes"]  # pickled as a call of `bytearray`
    found = read(pickle.dumps(value, protocol))
    assert found["names"] == value["names"] and found.get("bytes") == value.get("bytes")
    for name in ("rows", "none"):
        for one, expected in zip(found[name], value[name], strict=True):
            np.testing.assert_array_equal(one, expected)
            assert np.asarray(one).shape == expected.shape

"""The pickles that Nguyen et al. 2020 released hold arrays, lists, dicts, strings and numbers.

Anything else in such a file is refused, unrun. This is the one place where a pickle is read.
"""

from __future__ import annotations

import math
import pickle
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

from molmeta.errors import DataError

PLAIN_TYPE = re.compile(r"[biufSU]\d{1,6}|O8|\?")  # of numpy: numbers, texts, pointers
DAMAGED = (
    *(EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError),
    *(struct.error, zlib.error),
)


class _Ndarray:
    """Stands for `numpy.ndarray` where a file names it: nothing that makes an array."""


class _Kind:
    """Stands for `numpy.dtype`: what a file says of a type, which is believed once it is checked.

    numpy believes it unchecked, and then reads and writes memory that is not its own.
    """

    def __init__(self, text: str | bytes, *flags: object) -> None:
        self.text = text.decode() if isinstance(text, bytes) else text
        self.order = "|"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if len(state) != 8 or state[1] not in ("<", ">", "|", "=") or any(state[2:5]):
            raise pickle.UnpicklingError(f"the type {state!r}")
        self.order = state[1]

    def dtype(self) -> np.dtype:
        """The type of numpy that it says."""
        if not PLAIN_TYPE.fullmatch(self.text):
            raise pickle.UnpicklingError(f"the type {self.text!r}")
        return np.dtype(self.text).newbyteorder(self.order)  # type: ignore[arg-type]


class _Array(np.ndarray):
    """An array whose size and content agree before numpy gets them."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, fortran, content = state
        dtype, size = kind.dtype(), math.prod(shape)
        if dtype.hasobject:
            whole = isinstance(content, list) and len(content) == size
        else:
            whole = isinstance(content, bytes) and len(content) == size * dtype.itemsize
        if not whole or any(not isinstance(n, int) or n < 0 for n in shape):
            raise ValueError(f"the content of an array {shape} of {dtype} is not that")
        super().__setstate__((1, shape, dtype, bool(fortran), content))  # type: ignore[misc]


def _new_array(kind: Any, shape: object, code: object) -> np.ndarray:
    if kind is not _Ndarray:
        raise pickle.UnpicklingError(f"an array of the type {kind!r}")
    return np.ndarray.__new__(_Array, (0,), np.int8)


def _scalar(kind: _Kind, content: bytes) -> Any:
    (value,) = _from_buffer(content, kind, (1,), "C")
    return value


def _from_buffer(content: bytes, kind: _Kind, shape: tuple[int, ...], order: str) -> np.ndarray:
    dtype = kind.dtype()
    if dtype.hasobject:
        raise pickle.UnpicklingError("pointers that are made of bytes")
    return np.frombuffer(content, dtype).reshape(shape, order=order)  # type: ignore[call-overload]


def _encode(text: str, encoding: str) -> bytes:
    """Bytes, as Python 3 writes them for protocols below 3."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"text encoded as {encoding}")
    return text.encode("latin1")


def _set(items: list[Any]) -> set[Any]:
    """A set, as Python writes it for protocols below 4."""
    return set(items)


_ADMITTED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Ndarray,
    ("numpy", "dtype"): _Kind,
    ("_codecs", "encode"): _encode,
    ("builtins", "set"): _set,
    ("__builtin__", "set"): _set,
    ("builtins", "bytes"): bytes,  # of none, below protocol 3
    ("__builtin__", "bytes"): bytes,
}
for _module in ("numpy.core", "numpy._core"):
    _functions: dict[tuple[str, str], Callable[..., Any]] = {
        (f"{_module}.multiarray", "_reconstruct"): _new_array,
        (f"{_module}.multiarray", "scalar"): _scalar,
        (f"{_module}.numeric", "_frombuffer"): _from_buffer,
    }
    _ADMITTED |= _functions


class _Unpickler(pickle._Unpickler):
    """In Python, which is slower than in C; there, a number in a file can ask for all memory."""

    def find_class(self, module: str, name: str) -> Any:
        """One of a few functions of our own in place of numpy's; anything else is refused."""
        if (module, name) not in _ADMITTED:
            raise pickle.UnpicklingError(f"{module}.{name}")
        return _ADMITTED[module, name]


def load_restricted(file: IO[bytes], path: Path | str) -> Any:
    """What a pickle holds; `path` is for the errors.

    Raises
    ------
    DataError
        It names a class or function other than those that arrays are made of, or is damaged.
        Nothing of it was run.
    """
    try:
        return _Unpickler(file).load()
    except pickle.UnpicklingError as error:
        raise DataError(
            f"{path} is refused: a pickle may hold arrays, lists, dicts, strings and numbers, and "
            f"this one has {error}; get the file from its source again, and do not open it with "
            "pickle"
        ) from None
    except DAMAGED as error:
        raise DataError(f"{path} is no whole pickle ({error}); copy it again") from None
    except (MemoryError, OverflowError, RecursionError):
        raise DataError(f"{path} asks for more memory than there is; is it damaged?") from None

"""The pickles that Nguyen et al. 2020 released hold arrays, lists, dicts, strings and numbers.

Anything else in such a file is refused, unrun. This is the one place where a pickle is read.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

from molmeta.errors import DataError


class _Array:
    """Stands for `numpy.ndarray` where a pickle names it: nothing that could be called."""


def _empty_array(kind: Any, shape: tuple[int, ...], code: bytes) -> np.ndarray:
    if kind is not _Array:
        raise pickle.UnpicklingError(f"an array of the type {kind!r}")
    return np.ndarray(shape, np.dtype(code.decode() if isinstance(code, bytes) else code))


def _dtype(text: str, *flags: object) -> np.dtype:
    return np.dtype(str(text))


def _scalar(kind: np.dtype, content: bytes) -> Any:
    if kind.hasobject:
        raise pickle.UnpicklingError("a number that is an object")
    return np.frombuffer(content, kind)[0]


def _from_buffer(content: bytes, kind: np.dtype, shape: tuple[int, ...], order: str) -> np.ndarray:
    return np.frombuffer(content, kind).reshape(shape, order=order)  # type: ignore[call-overload]


def _encode(text: str, encoding: str) -> bytes:
    """Bytes, as Python 3 writes them for protocol 2."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"text encoded as {encoding}")
    return text.encode("latin1")


_ADMITTED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _dtype,
    ("_codecs", "encode"): _encode,
}
for _module in ("numpy.core", "numpy._core"):
    _functions: dict[tuple[str, str], Callable[..., Any]] = {
        (f"{_module}.multiarray", "_reconstruct"): _empty_array,
        (f"{_module}.multiarray", "scalar"): _scalar,
        (f"{_module}.numeric", "_frombuffer"): _from_buffer,
    }
    _ADMITTED |= _functions


class _Unpickler(pickle.Unpickler):
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
    except (EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise DataError(f"{path} is no whole pickle ({error}); copy it again") from None
    except (MemoryError, OverflowError):
        raise DataError(f"{path} asks for more memory than there is; is it damaged?") from None

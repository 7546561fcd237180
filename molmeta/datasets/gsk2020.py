"""The pickles that Nguyen et al. 2020 released hold arrays, lists, dicts, strings and numbers.

Anything else in such a file is refused, unrun. This is the one place where a pickle is read.

A name in a file becomes a mark, which is nothing that can be called or changed. What a file calls
is one of the calls by which arrays and sets are written, with just their arguments; what it builds
on is an array or a type that such a call has made; and nothing is larger than the file.
"""

from __future__ import annotations

import math
import os
import pickle
import re
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from molmeta.errors import DataError

PLAIN_TYPE = re.compile(r"[biuf](1|2|4|8)|[SU][1-9]\d{0,5}|O8|\?")  # numbers, texts, pointers
SMALL = 65_536  # values and elements that any file may hold, however short it is
TIMES = 4  # its own length is the most that a file holds beside that
DAMAGED = (
    *(EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError),
    *(struct.error, zlib.error),
)
PLAIN = (str, bytes, bytearray, int, float, type(None), np.generic)
ORDERS = ("<", ">", "|", "=")
OPCODES = (  # of plain values, the stack and the memo; those that make or change are our own
    *(
        pickle.PROTO,
        pickle.FRAME,
        pickle.STOP,
        pickle.MARK,
        pickle.POP,
        pickle.POP_MARK,
        pickle.DUP,
    ),
    *(pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE),
    *(pickle.INT, pickle.BININT, pickle.BININT1, pickle.BININT2),
    *(pickle.LONG, pickle.LONG1, pickle.LONG4, pickle.FLOAT, pickle.BINFLOAT),
    *(pickle.STRING, pickle.BINSTRING, pickle.SHORT_BINSTRING),
    *(pickle.BINBYTES, pickle.SHORT_BINBYTES, pickle.BINBYTES8),
    *(pickle.UNICODE, pickle.BINUNICODE, pickle.SHORT_BINUNICODE, pickle.BINUNICODE8),
    *(pickle.EMPTY_TUPLE, pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3),
    *(pickle.EMPTY_LIST, pickle.LIST, pickle.EMPTY_DICT, pickle.DICT),
    *(pickle.EMPTY_SET, pickle.FROZENSET),
    *(pickle.GET, pickle.BINGET, pickle.LONG_BINGET, pickle.MEMOIZE),
    *(pickle.PUT, pickle.BINPUT, pickle.LONG_BINPUT),
    *(pickle.GLOBAL, pickle.STACK_GLOBAL),
)
ADDING = {  # to what, and where on the stack it stands, as of `_onto`
    pickle.APPEND: (list, -2),
    pickle.APPENDS: (list, 0),
    pickle.SETITEM: (dict, -3),
    pickle.SETITEMS: (dict, 0),
    pickle.ADDITEMS: (set, 0),
}


class _Name:
    """Stands for what a file names: not that, and nothing that can be called or changed."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


@dataclass(eq=False)
class _Kind:
    """What a file says of an array's type, which is believed once it is checked.

    numpy believes it unchecked, and then reads and writes memory that is not its own.
    """

    text: str
    order: str = "|"

    def dtype(self) -> np.dtype:
        """The type of numpy that it says."""
        if not PLAIN_TYPE.fullmatch(self.text):
            raise pickle.UnpicklingError(f"the type {self.text!r}")
        return np.dtype(self.text).newbyteorder(self.order)  # type: ignore[arg-type]


class _Array(np.ndarray):
    """An array that a file makes empty, and fills once."""

    filled = False


class _Bounded:
    """A file, of which no more is asked for than there is."""

    def __init__(self, file: IO[bytes]) -> None:
        start = file.tell()
        self.left = file.seek(0, os.SEEK_END) - start
        self.file = file
        file.seek(start)

    def read(self, count: int) -> bytes:
        """So many bytes; `EOFError` where there are fewer."""
        if not 0 <= count <= self.left:
            raise EOFError(f"{count} bytes are asked for, and {self.left} are left")
        self.left -= count
        return self.file.read(count)

    def readline(self) -> bytes:
        """A line."""
        line = self.file.readline()
        self.left -= len(line)
        return line


def _kind(text: object, *flags: object) -> _Kind:
    if isinstance(text, bytes):
        text = text.decode("latin1")
    if not isinstance(text, str) or len(flags) not in (0, 2):
        raise pickle.UnpicklingError("a type that is no text")
    return _Kind(text)


def _new_array(kind: object, shape: object, code: object) -> _Array:
    if kind is not NAMES["numpy.ndarray"] or shape != (0,) or code not in (b"b", "b"):
        raise pickle.UnpicklingError("an array that does not begin as numpy's do")
    return np.ndarray.__new__(_Array, (0,), np.int8)


def _scalar(kind: object, content: object) -> Any:
    (value,) = _from_buffer(content, kind, (1,), "C")
    return value


def _from_buffer(content: object, kind: object, shape: object, order: object) -> np.ndarray:
    if not isinstance(content, bytes | bytearray) or order not in ("C", "F"):
        raise pickle.UnpicklingError("an array of what are no bytes")
    dtype = _dtype(kind)
    if dtype.hasobject:
        raise pickle.UnpicklingError("pointers that are made of bytes")
    sizes = _shape(shape, dtype, len(content), dtype.itemsize)
    if not content:
        return np.empty(sizes, dtype, order)  # type: ignore[call-overload]
    return np.frombuffer(content, dtype).reshape(sizes, order=order)  # type: ignore[call-overload]


def _encode(text: object, encoding: object) -> bytes:
    """Bytes, as Python 3 writes them for protocols below 3."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError("bytes that are no text in latin1")
    return text.encode("latin1")


def _set(items: object) -> set[Any]:
    """A set, as Python writes it for protocols below 4."""
    if not isinstance(items, list):
        raise pickle.UnpicklingError("a set of what is no list")
    return set(items)


def _no_bytes() -> bytes:
    """Bytes, of which there are none, as Python 3 writes them for protocols below 3."""
    return b""


CALLS: dict[str, Callable[..., Any]] = {
    "numpy.dtype": _kind,
    "_codecs.encode": _encode,
    **dict.fromkeys(("builtins.set", "__builtin__.set"), _set),
    **dict.fromkeys(("builtins.bytes", "__builtin__.bytes"), _no_bytes),
}
for _module in ("numpy.core", "numpy._core"):
    CALLS[f"{_module}.multiarray._reconstruct"] = _new_array
    CALLS[f"{_module}.multiarray.scalar"] = _scalar
    CALLS[f"{_module}.numeric._frombuffer"] = _from_buffer
NAMES = {text: _Name(text) for text in (*CALLS, "numpy.ndarray")}


def _dtype(kind: object) -> np.dtype:
    if not isinstance(kind, _Kind):
        raise pickle.UnpicklingError("an array of what is no type")
    return kind.dtype()


def _shape(shape: object, dtype: np.dtype, length: int, itemsize: int) -> tuple[int, ...]:
    """A shape, if a content of this length is what it holds."""
    sizes = shape if isinstance(shape, tuple) else (-1,)
    if any(type(n) is not int or n < 0 for n in sizes) or math.prod(sizes) * itemsize != length:
        raise ValueError(f"the content of an array {shape!r} of {dtype} is not that")
    return sizes


def _fill(array: _Array, state: tuple[Any, ...]) -> None:
    """What numpy writes of an array, whose size and content agree before numpy gets them."""
    version, shape, kind, fortran, content = state
    dtype = _dtype(kind)
    wanted, itemsize = (list, 1) if dtype.hasobject else (bytes, dtype.itemsize)
    if array.filled or version != 1 or type(content) is not wanted:
        raise ValueError(f"the content of an array {shape!r} of {dtype} is not that")
    sizes = _shape(shape, dtype, len(content), itemsize)
    array.__setstate__((1, sizes, dtype, bool(fortran), content))  # type: ignore[misc]
    array.filled = True


def _describe(kind: _Kind, state: tuple[Any, ...]) -> None:
    """What numpy writes of a type: its byte order, and nothing else of a plain one."""
    if len(state) != 8 or state[1] not in ORDERS or any(one is not None for one in state[2:5]):
        raise pickle.UnpicklingError(f"the type {kind.text!r} with more than a byte order")
    kind.order = state[1]


def _size(value: Any) -> int:
    """Elements of an array, where an empty axis counts as one of one; else the length, or 1."""
    if isinstance(value, np.ndarray):
        return math.prod(max(n, 1) for n in value.shape)
    return len(value) if isinstance(value, str | bytes | set) else 1


BUILDS: dict[type, Callable[..., None]] = {_Array: _fill, _Kind: _describe}


def _parts(value: Any) -> Sequence[Any]:
    """What a list, dict, set or array of objects holds; refuses all but these and plain values."""
    if isinstance(value, dict):
        return [*value, *value.values()]
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    if isinstance(value, np.ndarray):
        return list(value.flat) if value.dtype.hasobject else ()
    if not isinstance(value, PLAIN):
        raise pickle.UnpicklingError(f"a {type(value).__name__}")
    return ()


def _refused(unpickler: pickle._Unpickler) -> None:
    raise pickle.UnpicklingError("an operation that no such value needs")


def _onto(code: bytes, kind: type, place: int) -> Callable[[Any], None]:
    """An operation that adds to a list, dict or set, and to nothing else.

    It stands at a place of the stack; 0 is the last below the mark.
    """
    add = pickle._Unpickler.dispatch[code[0]]

    def load(unpickler: Any) -> None:
        target = unpickler.stack[place] if place else unpickler.metastack[-1][-1]
        if type(target) is not kind:
            raise pickle.UnpicklingError(f"more to be added to a {type(target).__name__}")
        add(unpickler)

    return load


class _Unpickler(pickle._Unpickler):
    """In Python, which is slower than in C; there, a number in a file can ask for all memory."""

    stack: list[Any]  # both are set when the reading begins
    read: Callable[[int], bytes]

    def __init__(self, file: _Bounded) -> None:
        super().__init__(file)  # type: ignore[arg-type]
        self.most = self.left = SMALL + TIMES * file.left

    def load(self) -> Any:
        """The value of the file, of plain kinds, with no more parts than the file has room for."""
        value = super().load()
        seen, parts = 1, [value]
        while parts:
            more = _parts(parts.pop())
            seen += len(more)
            if seen > self.most:
                raise MemoryError
            parts.extend(more)
        return value

    def find_class(self, module: str, name: str) -> _Name:
        """A mark in place of a class or function that arrays are made of; others are refused."""
        text = f"{module}.{name}"
        if text not in NAMES:
            raise pickle.UnpicklingError(text)
        return NAMES[text]

    def spend(self, value: Any) -> None:
        """Count what was made of the file's bytes."""
        self.left -= _size(value)
        if self.left < 0:
            raise MemoryError

    def load_reduce(self) -> None:
        """One of the calls that are known."""
        arguments, name = self.stack.pop(), self.stack.pop()
        if not isinstance(name, _Name) or name.text not in CALLS or type(arguments) is not tuple:
            raise pickle.UnpicklingError("a call of what is no function of arrays")
        value = CALLS[name.text](*arguments)
        self.spend(value)
        self.stack.append(value)

    def load_build(self) -> None:
        """What an array or a type is, after it was made."""
        state, made = self.stack.pop(), self.stack[-1]
        build = BUILDS.get(type(made))
        if build is None or type(state) is not tuple:
            raise pickle.UnpicklingError(f"more to be said of a {type(made).__name__}")
        build(made, state)
        self.spend(made)

    def load_bytearray8(self) -> None:
        """Bytes that may change, as long as the file has them."""
        (count,) = struct.unpack("<Q", self.read(8))
        self.stack.append(bytearray(self.read(count)))

    dispatch = {  # noqa: RUF012
        **dict.fromkeys(pickle._Unpickler.dispatch, _refused),
        **{code[0]: pickle._Unpickler.dispatch[code[0]] for code in OPCODES},
        **{code[0]: _onto(code, kind, place) for code, (kind, place) in ADDING.items()},
        pickle.REDUCE[0]: load_reduce,
        pickle.BUILD[0]: load_build,
        pickle.BYTEARRAY8[0]: load_bytearray8,
    }


def load_restricted(file: IO[bytes], path: Path | str) -> Any:
    """What a pickle holds; `path` is for the errors.

    Raises
    ------
    DataError
        It names a class or function other than those that arrays are made of, is damaged, or
        describes more than a file of its length holds. Nothing of it was run.
    """
    try:
        return _Unpickler(_Bounded(file)).load()
    except pickle.UnpicklingError as error:
        raise DataError(
            f"{path} is refused: a pickle may hold arrays, lists, dicts, strings and numbers, and "
            f"this one has {error}; get the file from its source again, and do not open it with "
            "pickle"
        ) from None
    except DAMAGED as error:
        raise DataError(f"{path} is no whole pickle ({error}); copy it again") from None
    except (MemoryError, OverflowError, RecursionError):
        raise DataError(
            f"{path} asks for more than a file of its length can hold; get it from its source again"
        ) from None

"""What values from a file must be: plain JSON or TOML against the types of a signature."""

from __future__ import annotations

import inspect
import math
import reprlib
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from molmeta.errors import ConfigError

DEEPEST = 16  # tables within tables of a configuration
LARGEST = 2**63 - 1  # what fits a seed, or a number of steps
LISTS = (list, tuple, Sequence)
NUMBERS = {int: Integral, float: Real}


def matches(value: Any, kind: Any) -> bool:
    """Whether a plain value is of an annotated type.

    A whole number is a float as well; no number is NaN, no whole number beyond 64 bits. What a
    `Literal` admits is left to what it is for. `Any` is every plain value.
    """
    if kind is Any:
        return is_plain(value)
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return any(matches(value, one) for one in args)
    if origin is Literal:
        return any(type(value) is type(one) for one in args)
    if origin in LISTS:
        return isinstance(value, list | tuple) and all(matches(one, args[0]) for one in value)
    if origin in (dict, Mapping):
        return isinstance(value, Mapping) and all(
            matches(key, args[0]) and matches(one, args[1]) for key, one in value.items()
        )
    if kind in NUMBERS:
        return isinstance(value, NUMBERS[kind]) and type(value) is not bool and is_plain(value)
    return isinstance(value, kind)


def is_plain(value: Any, left: int = DEEPEST) -> bool:
    """Whether a value has no NaN, no number beyond 64 bits, and is not nested too deeply."""
    if isinstance(value, Mapping):
        whole = all(isinstance(key, str) for key in value)
        return whole and left > 0 and all(is_plain(one, left - 1) for one in value.values())
    if isinstance(value, list | tuple):
        return left > 0 and all(is_plain(one, left - 1) for one in value)
    if isinstance(value, int):
        return abs(value) <= LARGEST
    return not (isinstance(value, float) and math.isnan(value))


def check_values(values: Mapping[str, Any], kinds: Mapping[str, Any], where: str) -> None:
    """Check named values against their types; a name without a type may be anything plain.

    Raises
    ------
    ConfigError
        One is of another type.
    """
    for key, value in values.items():
        kind = kinds.get(key, Any)
        if not matches(value, kind):
            raise ConfigError(f"{where}.{key} is {shown(value)}; it must be {named(kind)}")


def option_types(factory: Callable[..., Any], given: Iterable[str]) -> dict[str, Any]:
    """The annotated types of the options given, as a class or function takes them."""
    function = factory.__init__ if inspect.isclass(factory) else factory
    try:
        hints = get_type_hints(function)
    except (NameError, TypeError):  # somebody's own, whose annotations cannot be looked up
        return {}
    parameters = inspect.signature(function).parameters.values()
    rest = [one.name for one in parameters if one.kind is inspect.Parameter.VAR_KEYWORD]
    others = hints.pop(rest[0], Any) if rest else Any
    return {name: hints.get(name, others) for name in given}


def shown(value: Any) -> str:
    """A value for a message, cut short."""
    return reprlib.repr(value)


def named(kind: Any) -> str:
    """A type in words."""
    if kind is Any:
        return f"numbers, texts, lists and tables, nested {DEEPEST} times at most"
    if inspect.isclass(kind) and not get_args(kind):
        return kind.__name__
    return str(kind).replace("collections.abc.", "").replace("typing.", "")

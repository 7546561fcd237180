"""What molmeta needs, by what its distribution says of itself."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from importlib import metadata

REQUIREMENT = re.compile(
    r"""(?P<name>[\w.-]+)(\[.*\])?(>=(?P<least>[\w.]+))?(;\ extra\ ==\ '(?P<extra>[\w-]+)')?"""
)


@dataclass(frozen=True)
class Need:
    """A package that molmeta needs: at least of which version, and for which extra."""

    name: str
    least: str
    extra: str

    def __str__(self) -> str:
        return f'"{self.name}>={self.least}"' if self.least else self.name


def needs() -> list[Need]:
    """What molmeta requires, then what its extras do; a package of several is of the smallest."""
    texts = (metadata.requires("molmeta") if installed("molmeta") else None) or ()
    found = (REQUIREMENT.fullmatch(text) for text in texts)
    every = [Need(one["name"], one["least"] or "", one["extra"] or "") for one in found if one]
    sizes = {**Counter(need.extra for need in every), "": 0}
    first: dict[str, Need] = {}
    for need in sorted(every, key=lambda need: (sizes[need.extra], need.extra)):
        first.setdefault(need.name, need)
    return list(first.values())


def installed(name: str) -> str | None:
    """Version of a distribution, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def release(version: str) -> tuple[int, ...]:
    """The numbers of a release: 2.6.0+cpu is (2, 6)."""
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, re.sub(r"(\.0+)+$", "", found.group()).split("."))) if found else ()

"""The page itself: everything in it is text until the template escapes it, but for drawings."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from hashlib import sha256
from importlib import resources
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup


@dataclass(frozen=True)
class Cell:
    """A cell of a ranked table: what is shown, how, the number that it is sorted by, and more.

    What is `below` stands under it, small.
    """

    shown: Any
    kind: str = "text"
    key: float | None = None
    below: tuple[str, ...] = ()


@dataclass(frozen=True)
class Column:
    """A column of the ranked table; a plain one cannot be sorted."""

    name: str
    plain: bool = False


@dataclass(frozen=True)
class Table:
    """A small table with a sentence above it."""

    caption: str
    columns: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Card:
    """A molecule with what there is to say of it."""

    name: str
    drawing: Markup
    lines: list[str]


@dataclass(frozen=True)
class Cards:
    """Molecules with a sentence above them."""

    caption: str
    cards: list[Card]


@dataclass(frozen=True)
class Section:
    """Rows of a library under a heading of their own; good, or a warning."""

    heading: str
    level: str
    rows: list[list[Cell]]


@dataclass(frozen=True)
class Library:
    """What was predicted of a library; `inside` says how much of it is inside the domain."""

    inside: str
    level: str
    summary: str
    columns: list[Column]
    sections: list[Section]
    explained: list[Card] = field(default_factory=list)
    suggested: Cards | None = None


@dataclass(frozen=True)
class Page:
    """All that a report says. Texts may come from anybody: names, SMILES, cells of a library."""

    title: str
    subtitle: str
    verdict: str | None
    findings: list[Any]
    audit: list[str]
    card: str
    made: str
    comparison: list[Table] = field(default_factory=list)
    more: list[str] = field(default_factory=list)
    plots: list[Markup] = field(default_factory=list)
    library: Library | None = None
    similar: Table | None = None


def drawing(svg: str) -> Markup:
    """SVG that was drawn here, from numbers and structures, to stand in the page as it is."""
    return Markup(svg)


def render(page: Page) -> str:
    """The page as HTML: one file, no request to anywhere, no script but its own."""
    files = resources.files("molmeta.workbench.report")
    script = files.joinpath("table.js").read_text(encoding="utf-8")
    digest = base64.b64encode(sha256(script.encode()).digest()).decode()
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    template = environment.from_string(files.joinpath("template.html").read_text(encoding="utf-8"))
    return template.render(**vars(page), script=Markup(script), script_hash=f"sha256-{digest}")

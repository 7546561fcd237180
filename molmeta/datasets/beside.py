"""Relations and units that stand in columns of their own, beside the measurements."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import pandas as pd

from molmeta.datasets.cells import RELATION_SIGNS, RELATIONS, tidy_relations
from molmeta.datasets.columns import VALUE_NAMES
from molmeta.datasets.names import (
    is_descriptor,
    measures_concentration,
    negative_name,
    normal,
    unit_in_name,
)
from molmeta.datasets.units import NEGATIVE, PERCENT, is_mass, read_unit
from molmeta.errors import DataError

RELATION_NAMES = {
    *("relation", "qualifier", "operator", "sign", "relationship", "modifier", "prefix", "bound"),
    *("op", "rel", "mod", "inequality"),
}
UNITS_NAMES = {"units", "unit", "uom"}
SIGNS = {"", *RELATION_SIGNS, "≤", "≥"}
TURNED = {-1: ">", 1: "<"}  # relations of these signs, turned round


class Beside:
    """What columns of relations and units say, and of which columns they say it.

    One that has the name of a column of measurements in its own (`IC50 qualifier`) belongs to
    that; of several others each belongs to the column next to it; a single one to the columns that
    are concentrations by their names, or called as values are (`value`, `activity`), where there
    are any, else to every one.

    Parameters
    ----------
    skipped : iterable of str
        Columns that are no measurements.
    relation : str, optional
        The column of relations, if it was named: it then says what it says of every column.

    Attributes
    ----------
    said : list of str
        What looks like such a column, and is none.
    """

    def __init__(self, frame: pd.DataFrame, skipped: Iterable[str], relation: str | None) -> None:
        self.frame, self.named, skipped = frame, relation, set(skipped)
        names = [name for name in frame.columns if name not in skipped]
        self.said: list[str] = []
        self.relations = [relation] if relation else self._relations(names)
        self.units = _called(frame, names, UNITS_NAMES, _is_unit)
        rest = {*self.relations, *self.units}
        self.others = [name for name in names if name not in rest]
        self.owners = [
            name
            for name in self.others
            if (measures_concentration(name) or normal(name) in VALUE_NAMES)
            and not is_descriptor(name)
        ]

    def _relations(self, names: Sequence[str]) -> list[str]:
        found = _called(self.frame, names, RELATION_NAMES, _is_relation)
        for name in [name for name in names if name not in found]:
            some = self.frame[name][self.frame[name] != ""].iloc[:1]
            called = normal(name) in RELATION_NAMES
            if not called and not set(tidy_relations(some)) <= SIGNS:
                continue
            texts = set(tidy_relations(self.frame[name])) - {""}
            if texts <= SIGNS and texts - {"=", "~"}:
                found.append(name)
            elif called and texts:
                self.said.append(f"'{name}' left out, whose '{min(texts)}' is no relation")
        return found

    def relations_of(self, column: str) -> tuple[pd.Series | None, str]:
        """The relations of a column, if they are told, and what to say of them.

        Those of `IC50` are turned round for the `pIC50` beside it.
        """
        if self.named:
            return tidy_relations(self.frame[self.named]), ""
        beside, owned = self._column_of(column, self.relations)
        if beside is None:
            return None, ""
        found = tidy_relations(self.frame[beside])
        if owned or not self.owners:
            return found, ""
        if column in self.owners:
            others = [name for name in self.owners if name != column]
            return found, f"{beside} taken for {' and '.join(self.owners)} alike" if others else ""
        owner = next((name for name in self.owners if _same(name, column)), None)
        if owner is None:
            return None, f"{beside} taken as that of {self.owners[0]}, not of {column}"
        said = f"{beside} taken as that of {owner}, and turned round for {column}"
        turned = [TURNED.get(RELATIONS.get(text, 0), text) for text in map(str, found)]
        return pd.Series(turned, index=found.index, dtype=object), said

    def units_of(self, column: str) -> pd.Series | None:
        """The texts of units of a column, if they are told; its name goes first."""
        if unit_in_name(column) in (NEGATIVE, PERCENT) or is_descriptor(column):
            return None
        beside, owned = self._column_of(column, self.units)
        if beside is None or not (owned or not self.owners or column in self.owners):
            return None
        return self.frame[beside].str.strip()

    def _column_of(self, column: str, candidates: Sequence[str]) -> tuple[str | None, bool]:
        """Which of some columns beside says something of one, and whether it is of that alone.

        Raises
        ------
        DataError
            There are several, and which of them is meant is not to be told.
        """
        if not candidates:
            return None, False
        bases = {one: _base(one) for one in candidates}
        own = [one for one, base in bases.items() if base and normal(column).startswith(base)]
        if own:
            return max(own, key=lambda one: len(bases[one])), True
        starts = [normal(name) for name in self.others]
        free = [
            one
            for one, base in bases.items()
            if not base or not any(start.startswith(base) for start in starts)
        ]
        if len(free) < 2:
            return (free[0] if free else None), False
        names = list(self.frame.columns)
        for step in (1, -1):
            next_to = {one: names.index(one) + step for one in free}
            of = {one: names[i] for one, i in next_to.items() if 0 <= i < len(names)}
            if len(of) == len(free) and set(of.values()) <= set(self.others):
                return next((one for one, name in of.items() if name == column), None), True
        raise DataError(
            f"the columns {' and '.join(free)} may each be of '{column}'; keep one, or give it the "
            f"column's name, as '{column} {normal(free[0])}'"
        )


def _base(name: str) -> str:
    """A name without the words for a relation or a unit."""
    words = normal(name).split("_")
    base = "_".join(word for word in words if word not in RELATION_NAMES | UNITS_NAMES)
    return base if len(base) > 1 else ""


def _same(owner: str, column: str) -> bool:
    """Whether a column is −log10 of another."""
    if unit_in_name(column) != NEGATIVE:
        return False
    return normal(owner) in VALUE_NAMES or negative_name(owner) == negative_name(column)


def _is_relation(text: str) -> bool:
    return text.lower() in RELATIONS and text != ""


def _is_unit(text: str) -> bool:
    return read_unit(text) is not None or is_mass(text)


def _called(
    frame: pd.DataFrame, among: Sequence[str], words: set[str], known: Callable[[str], bool]
) -> list[str]:
    """The columns with such a word in their names, and something in them that is known."""
    return [
        name
        for name in among
        if words & set(normal(name).split("_"))
        and any(known(text) for text in set(frame[name].str.strip("' ").str.strip()) if text)
    ]

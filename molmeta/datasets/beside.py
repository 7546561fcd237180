"""Relations and units that stand in a column of their own, beside the measurements."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from molmeta.datasets.cells import RELATIONS, tidy_relations
from molmeta.datasets.columns import DESCRIPTORS, normal
from molmeta.datasets.units import (
    NEGATIVE,
    PERCENT,
    measures_concentration,
    negative_name,
    read_unit,
    unit_in_name,
)

RELATION_NAMES = {
    *("relation", "standard_relation", "published_relation", "qualifier", "operator", "sign"),
    *("relationship", "modifier", "prefix", "bound", "standard_qualifier"),
}
UNITS_NAMES = {
    *("units", "unit", "standard_units", "standard_unit", "published_units", "value_units"),
    *("value_unit", "activity_units", "activity_unit", "concentration_units", "uo_units"),
}
VALUE_NAMES = {
    *("value", "values", "standard_value", "published_value", "activity_value", "activity"),
    *("result", "results", "measurement", "measured", "y"),
}
TURNED = {-1: ">", 1: "<"}  # relations of these signs, turned round


class Beside:
    """What columns of relations and units say, and of which columns they say it.

    They belong to the columns that are concentrations by their names, or called as values are
    (`value`, `activity`), where there are any; else to every one.

    Parameters
    ----------
    skipped : iterable of str
        Columns that are no measurements.
    relation : str, optional
        The column of relations, if it was named: it then says what it says of every column.
    """

    def __init__(self, frame: pd.DataFrame, skipped: Iterable[str], relation: str | None) -> None:
        self.frame, self.named = frame, relation is not None
        self.relation = relation or _find(frame, RELATION_NAMES, _is_relation)
        self.units = _find(frame, UNITS_NAMES, lambda text: read_unit(text) is not None)
        rest = {*skipped, self.relation, self.units}
        self.others = [name for name in frame.columns if name not in rest]
        self.owners = [
            name
            for name in self.others
            if measures_concentration(name) or normal(name) in VALUE_NAMES
        ]

    def relations_of(self, column: str) -> tuple[pd.Series | None, str]:
        """The relations of a column, if they are told, and what to say of them.

        Those of `IC50` are turned round for the `pIC50` beside it.
        """
        if self.relation is None:
            return None, ""
        found = tidy_relations(self.frame[self.relation])
        if self.named or not self.owners or column in self.owners:
            return found, ""
        owner = next((name for name in self.owners if _same(name, column)), None)
        if owner is None:
            return None, f"{self.relation} taken as that of {self.owners[0]}, not of {column}"
        said = f"{self.relation} taken as that of {owner}, and turned round for {column}"
        turned = [TURNED.get(RELATIONS.get(text, 0), text) for text in map(str, found)]
        return pd.Series(turned, index=found.index, dtype=object), said

    def units_of(self, column: str) -> pd.Series | None:
        """The texts of units of a column, if they are told; its name goes first."""
        if self.units is None or unit_in_name(column) in (NEGATIVE, PERCENT):
            return None
        if DESCRIPTORS.fullmatch(normal(column)) or (self.owners and column not in self.owners):
            return None
        return self.frame[self.units].str.strip()


def _same(owner: str, column: str) -> bool:
    """Whether a column is −log10 of another."""
    if unit_in_name(column) != NEGATIVE:
        return False
    return normal(owner) in VALUE_NAMES or negative_name(owner) == negative_name(column)


def _is_relation(text: str) -> bool:
    return text.lower() in RELATIONS and text != ""


def _find(frame: pd.DataFrame, names: set[str], known: Callable[[str], bool]) -> str | None:
    """The first column that is so named, and has something in it that is known."""
    for column in frame.columns:
        if normal(column) in names:
            texts = np.unique(frame[column].str.strip("' ").str.strip())
            if any(known(text) for text in texts if text):
                return column
    return None

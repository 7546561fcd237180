"""ChEMBL's own download of activities: pChEMBL values, and bounds from what they are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from molmeta.datasets.cells import EMPTY
from molmeta.datasets.names import is_logarithm, is_measure, normal
from molmeta.datasets.units import MOLAR, NEGATIVE, read_unit

FLIPPED = str.maketrans("<>≤≥", "><≥≤")


@dataclass(frozen=True)
class Activities:
    """What is measured in each row: a text, its relation, its unit."""

    name: str
    texts: pd.Series
    relations: pd.Series
    units: pd.Series
    understood: list[str]


def read_activities(frame: pd.DataFrame) -> Activities | None:
    """The activities of a download of ChEMBL, or None of another table.

    The pChEMBL value stands for the row where there is one; where there is none, as of bounds,
    the standard value with its units.
    """
    names = {normal(column): column for column in reversed(frame.columns)}
    if not {"standard_value", "standard_units"} <= names.keys():
        return None

    def texts(name: str) -> pd.Series:
        if name not in names:
            return pd.Series("", index=frame.index, dtype=object)
        found = frame[names[name]].str.strip("' ").str.strip()
        return found.mask(found.str.lower().isin(EMPTY), "")

    logarithmic, values = texts("pchembl_value"), texts("standard_value")
    known = logarithmic != ""
    relations, sorts = texts("standard_relation"), texts("standard_type")
    potent = known | (texts("standard_units").map(_is_molar) & sorts.map(_may_be_potency))
    other = (values != "") & ~potent if known.any() else pd.Series(data=False, index=frame.index)
    types = sorts[~other].replace("", np.nan).dropna().value_counts()
    said = "ChEMBL's table: " + ("Standard Value with its units" if not known.any() else "")
    said += "pChEMBL Value" if known.any() else ""
    if known.any() and not known.all():
        said += ", or Standard Value with its units where there is none"
    understood = [said]
    if len(types) > 1:
        several = " and ".join(f"{name} ({times:,})" for name, times in types.items())
        understood.append(f"{several} taken together")
    if other.any():
        understood.append(f"{int(other.sum())} rows of no potency left out")
    assays = texts("assay_chembl_id").replace("", np.nan).nunique()
    if assays > 1:
        understood.append(f"{assays:,} assays taken as one")
    name = names.get("pchembl_value", names["standard_value"])
    if not known.any() and len(types) == 1:
        name = str(types.index[0])
    return Activities(
        name,
        logarithmic.where(known, values).mask(other, ""),
        relations.where(~known, relations.map(lambda text: str(text).translate(FLIPPED))),
        texts("standard_units").mask(known, NEGATIVE),
        understood,
    )


def _is_molar(text: str) -> bool:
    return read_unit(str(text)) in MOLAR


def _may_be_potency(sort: str) -> bool:
    return not sort or (is_measure(str(sort)) and not is_logarithm(str(sort)))

"""The values of a column in one unit: −log10 of molar concentrations, if they are these."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from molmeta.datasets.cells import Cells
from molmeta.datasets.names import (
    is_logarithm,
    is_other_logarithm,
    is_property,
    measures_concentration,
    negative_name,
)
from molmeta.datasets.units import (
    IMPOSSIBLE_P,
    LOG,
    MOLAR,
    NEGATIVE,
    NONE,
    PERCENT,
    look_like_concentrations,
    negative_log,
)
from molmeta.errors import DataError


@dataclass(frozen=True)
class Column:
    """A column of measurements in one unit.

    Attributes
    ----------
    name : str
        Of the assay: `pIC50` of a column `IC50 (nM)`.
    values, censor : ndarray
        `[n]`, NaN where nothing was measured, or in a unit that is left out.
    said : tuple of str
        What was done.
    concern : str
        What may be wrong; "" where nothing is.
    """

    name: str
    values: np.ndarray
    censor: np.ndarray
    said: tuple[str, ...] = ()
    concern: str = ""


def in_one_unit(
    name: str, cells: Cells, units: np.ndarray, where: str, *, asked: bool = False
) -> Column:
    """Turn a column into −log10 of the molar, as far as it is of concentrations.

    A property by its name, as a solubility, of which more is no less active, stays as it is.

    Parameters
    ----------
    units : ndarray
        `[n]` a unit of `UNITS`, "" where nothing says one, or another text, which is no unit here.
    where : str
        What an error message calls the column.
    asked : bool
        Whether somebody gave the unit.

    Raises
    ------
    DataError
        A value cannot be of its unit, some values have a unit and others none, or a property is
        in several units.
    """
    present = cells.present
    if not asked and is_other_logarithm(name) and not (units[present] == NONE).all():
        raise DataError(
            f"{where} is ln or log2 of a concentration by its name; write log10, or the "
            "concentrations, or give --units none for values as they are"
        )
    if not asked and is_property(name):
        return _property(name, cells, units[present], where)
    turned = np.isin(units.astype(str), [*filter(_is_turned, set(units[present]))]) & present
    bare = present & (units == "")
    if not turned.any() and not (bare.any() and (units[present] == PERCENT).any()):
        return _as_it_is(name, cells, units[present])
    if bare.any():
        row = int(np.flatnonzero(bare)[0])
        raise DataError(
            f"{where}: row {row + 1} holds {cells.values[row]:g} without a unit, others have one "
            f"({int(bare.sum())} such cells); write it beside each, or in none and give --units"
        )
    values, censor = np.full(len(cells.values), np.nan), cells.censor.copy()
    for unit in set(units[turned]):
        rows = turned & (units == unit)
        values[rows], censor[rows] = negative_log(cells.values[rows], cells.censor[rows], unit)
        _refuse_impossible(where, cells.values, values, rows, unit)
    said, others = [], Counter(units[present & ~turned])
    found = [unit for unit, _ in Counter(units[turned]).most_common() if unit != NEGATIVE]
    new = negative_name(name) if found else name
    if found:
        what = f"{name} in {' and '.join(found)} taken as "
        said.append(what + (new if new != name else "−log10 of the molar"))
    said += [f"{times:,} values in {unit} left out" for unit, times in others.items()]
    above = int((values[present] < 0).sum()) if found else 0
    concern = f"{above:,} values of {name} are above 1 M; is this the unit?" if above else ""
    return Column(new, values, censor, tuple(said), concern)


def _is_turned(unit: str) -> bool:
    return unit in MOLAR or unit == NEGATIVE or (unit.startswith(LOG) and unit[4:] in MOLAR)


def _property(name: str, cells: Cells, units: np.ndarray, where: str) -> Column:
    found = [unit for unit in dict.fromkeys(units) if unit not in ("", NONE)]
    if len(found) > 1:
        raise DataError(
            f"{where} is in {' and '.join(found)}; write all in one, or give --units, which takes "
            "−log10 of the molar"
        )
    plain = not found or found == [PERCENT]
    said = () if plain else (f"{name} is no potency by its name, and stays as it is",)
    return Column(name, cells.values, cells.censor, said)


def _as_it_is(name: str, cells: Cells, units: np.ndarray) -> Column:
    found = [unit for unit in dict.fromkeys(units) if unit not in ("", NONE)]
    said = (f"{name} in {' and '.join(found)}, as it is",) if found else ()
    asked = bool(len(units)) and bool((units == NONE).all())
    concern = "" if asked or (found and set(found) <= {PERCENT}) else _concern(name, cells, found)
    return Column(name, cells.values, cells.censor, said, concern)


def _concern(name: str, cells: Cells, units: list[str]) -> str:
    known = cells.values[cells.present]
    advice = (
        "; give --units nM (or uM, mM, M, pM), which takes −log10 of the molar, so that higher is "
        "more active, or --units none for values as they are"
    )
    if not len(known) or np.isin(known, [0, 1]).all():
        return ""
    if units:
        return (
            f"values of {name} are in {' and '.join(units)}, which is not read here; write molar "
            "concentrations, or give --units none for values as they are"
        )
    span = f"{known.min():g} to {known.max():g}, median {np.median(known):g}"
    if is_logarithm(name):
        return (
            f"{name} ({span}) is log10 of a concentration by its name, without a unit; give "
            "--units 'log nM' (or 'log uM', 'log M'), which turns it round, so that higher is more "
            "active, or --units none for values as they are"
        )
    if look_like_concentrations(known):
        return f"values of {name} ({span}) look like concentrations, and nothing says so" + advice
    if measures_concentration(name):
        return f"{name} is a concentration by its name ({span}), without a unit" + advice
    return ""


def _refuse_impossible(
    where: str, before: np.ndarray, after: np.ndarray, rows: np.ndarray, unit: str
) -> None:
    lost = rows & ~np.isfinite(after)
    # what is said to be −log10 but cannot be
    strange = rows & (np.abs(np.nan_to_num(after)) > IMPOSSIBLE_P)
    for bad, why in (
        (lost, f"which is no concentration in {unit}; correct them or leave them empty"),
        (
            strange,
            f"which as {unit} is no −log10 of a molar concentration; give its unit with --units "
            "(nM, uM, …; none for values as they are)",
        ),
    ):
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise DataError(
                f"{where}: row {row + 1} holds {before[row]:g}, {why} ({int(bad.sum())} such cells)"
            )

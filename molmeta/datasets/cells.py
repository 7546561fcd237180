"""Cells of a column as people write them: numbers, bounds, units, words for classes or nothing."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd

from molmeta.datasets.units import MICRO, read_unit
from molmeta.errors import DataError

RELATIONS = {"": 0, "=": 0, "==": 0, "~": 0, "≈": 0, "<": -1, "<=": -1, "≤": -1}
RELATIONS |= {">": 1, ">=": 1, "≥": 1}
EMPTY = {"", "na", "n/a", "nan", "null", "none", "<na>"}  # what programs write for nothing
MISSING = EMPTY | {
    "#n/a", "#na", "#value!", "#div/0!", "#num!", "#ref!", "nd", "n.d.", "n.d", "n.a.", "n.a",
    "nt", "n.t.", "n/d", "n/t", "-", "--", "–", "—", "?", ".", "not determined", "not tested",
    "not available", "not applicable", "no data", "missing", "inconclusive", "unspecified",
    "undetermined", "ambiguous", "pending", "tbd", "failed", "unknown",
}  # fmt: skip
NO_NUMBER = {"inf", "+inf", "-inf", "infinity", "inactive", "not active", "no activity"}
ACTIVE = {"active", "act", "yes", "y", "true", "t", "positive", "pos", "probe", "hit", "1", "1.0"}
INACTIVE = {
    "inactive", "inact", "not active", "no", "n", "false", "f", "negative", "neg", "non-hit", "-1",
    "-1.0", "0", "0.0",
}  # fmt: skip

_RELATION = r"^\s*(?P<relation>[<>]=|==|[<>=~≈≤≥])?\s*(?P<number>.*?)\s*$"
_NUMBER = r"[+-]?(?:\d[\d.,'   ]*|\.\d+|,\d+)(?:[eE][+-]?\d+)?"
_WITH_UNIT = re.compile(rf"^({_NUMBER})\s*([a-zA-Zµμ%(−-][^\d]*)$")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?(\d*,\d+|[1-9]\d{0,2}(\.\d{3})+,\d+)([eE][+-]?\d+)?")
_GROUPED = re.compile(r"[+-]?\d{1,3}(['    ]\d{3})+([.,]\d+)?")


@dataclass(frozen=True)
class Cells:
    """A column, read.

    Attributes
    ----------
    values : ndarray
        `[n]` float64, NaN where nothing was measured, or where `wrong` is set.
    censor : ndarray
        `[n]` in {−1, 0, 1}.
    units : list of str or None
        `[n]` what each cell says of its unit; None where none does.
    wrong : ndarray
        `[n]` which cells are neither a measurement nor a word for a missing one.
    missing : Counter
        How often each word stands for a missing one; empty cells are not counted.
    said : list of str
        How the numbers are written, where that is not as usual; what words stand for.
    """

    values: np.ndarray
    censor: np.ndarray
    units: list[str | None]
    wrong: np.ndarray
    missing: Counter
    said: tuple[str, ...] = ()

    @property
    def present(self) -> np.ndarray:
        """`[n]` which cells are a measurement."""
        return np.isfinite(self.values)


def parse_relations(texts: pd.Series) -> pd.DataFrame:
    """`relation` ("" where there is none) and `number` of cells such as `>5`, both as text."""
    return texts.str.extract(_RELATION).fillna("")


def is_number(text: str) -> bool:
    """Whether a cell is a finite number or a bound, maybe with a unit."""
    cells = read_cells(pd.Series([text], dtype=object))
    return bool(cells.present[0])


def read_cells(
    texts: pd.Series, *, logarithmic: bool = False, semicolons: bool = False, classes: bool = True
) -> Cells:
    """Read a column of texts.

    Parameters
    ----------
    logarithmic : bool
        Whether values are small by what they are called, so that `7,301` is 7.301.
    semicolons : bool
        Whether cells are separated by semicolons, as where numbers have decimal commas.

    classes : bool
        Whether words such as active and inactive, or 1 and -1, are two classes.

    Raises
    ------
    DataError
        Some numbers have decimal commas and others points.
    """
    texts = texts.fillna("").astype(str).str.strip()
    simple = _simple(texts, classes=classes)
    if simple is not None:
        return simple
    folded = texts.str.lower()
    words = _classes(texts, folded) if classes else None
    if words is not None:
        return words
    absent = folded.isin(MISSING | NO_NUMBER).to_numpy()
    parts = parse_relations(texts)
    numbers, units = _without_units(parts["number"])
    numbers, said = _plain(numbers, absent, logarithmic=logarithmic, semicolons=semicolons)
    values = pd.to_numeric(numbers.where(~absent, ""), errors="coerce").to_numpy(np.float64)
    values = np.where(np.isfinite(values), values, np.nan)
    censor = parts["relation"].map(RELATIONS).to_numpy(np.int64)
    wrong = ~absent & np.isnan(values)
    missing = Counter(texts[folded.isin((MISSING | NO_NUMBER) - {""})])
    return Cells(values, np.where(absent, 0, censor), units, wrong, missing, said)


def _simple(texts: pd.Series, *, classes: bool) -> Cells | None:
    """A column of plain numbers and empty cells, as most are; None of another."""
    empty = (texts == "").to_numpy(bool)
    known = pd.to_numeric(texts[~empty], errors="coerce").to_numpy(np.float64)
    if not np.isfinite(known).all() or (classes and set(known) == {-1.0, 1.0}):
        return None
    values = np.full(len(texts), np.nan)
    values[~empty] = known
    none: list[str | None] = [None] * len(texts)
    zeros = np.zeros(len(texts), dtype=np.int64)
    return Cells(values, zeros, none, zeros.astype(bool), Counter())


def _classes(texts: pd.Series, folded: pd.Series) -> Cells | None:
    """Words for two classes as 1 and 0; also 1 and −1. None where a column is something else."""
    absent = folded.isin(MISSING).to_numpy()
    found = set(folded[~absent])
    if not found or not found <= ACTIVE | INACTIVE:
        return None
    numbers = {"0", "1", "-1", "0.0", "1.0", "-1.0"}
    ones_alone = found <= numbers
    if ones_alone and not (found & {"-1", "-1.0"} and not found & {"0", "0.0"} and len(found) > 1):
        return None  # 0 and 1 are numbers as they stand
    if not ones_alone and not found - numbers:
        return None
    values = np.where(absent, np.nan, folded.isin(ACTIVE).to_numpy(np.float64))
    names = [
        "/".join(sorted(set(texts[folded.isin(side & found)]), key=str.lower))
        for side in (ACTIVE, INACTIVE)
    ]
    told = zip(names, ("active", "inactive"), strict=True)
    said = ", ".join(f"'{name}' read as {sort}" for name, sort in told if name)
    zeros = np.zeros(len(texts), dtype=np.int64)
    none: list[str | None] = [None] * len(texts)
    wrong = np.zeros(len(texts), dtype=bool)
    missing = Counter(texts[folded.isin(MISSING - {""})])
    return Cells(values, zeros, none, wrong, missing, (said,))


def _without_units(numbers: pd.Series) -> tuple[pd.Series, list[str | None]]:
    """Numbers without the units that stand behind them, and these."""
    out, units = [], []
    for text in numbers:
        found = None if not text or text[-1].isdigit() else _WITH_UNIT.match(text)
        unit = read_unit(found[2]) if found else None
        out.append(found[1].strip() if found and unit else text)
        units.append(unit)
    return pd.Series(out, index=numbers.index, dtype=object), units


def _plain(
    numbers: pd.Series, absent: np.ndarray, *, logarithmic: bool, semicolons: bool
) -> tuple[pd.Series, tuple[str, ...]]:
    """Numbers as Python writes them, and how they were written."""
    numbers = numbers.str.translate(MICRO)
    grouped = numbers.map(lambda text: bool(_GROUPED.fullmatch(str(text)))) & ~absent
    if grouped.any():
        bare = numbers.str.replace(r"['    ]", "", regex=True)
        numbers = numbers.where(~grouped, bare)
    commas = numbers.str.contains(",", regex=False) & ~absent
    if not commas.any():
        return numbers, ()
    some = numbers[commas]
    thousands = some.map(lambda text: bool(_THOUSANDS.fullmatch(str(text))))
    decimals = some.map(lambda text: bool(_DECIMAL_COMMA.fullmatch(str(text))))
    points = numbers[~commas & ~absent].str.fullmatch(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")
    ambiguous = thousands.all() and decimals.all()
    if decimals.all() and not (ambiguous and not (logarithmic or semicolons)):
        if points.any() and not ambiguous:
            _refuse_both(numbers, some, points)
        plain = numbers.str.replace(".", "", regex=False).where(commas, numbers)
        return plain.str.replace(",", ".", regex=False), ("decimal commas",)
    if thousands.all():
        return numbers.str.replace(",", "", regex=False), ("commas between thousands",)
    if points.any() and decimals.any():
        _refuse_both(numbers, some, points)
    return numbers, ()


def _refuse_both(numbers: pd.Series, commas: pd.Series, points: pd.Series) -> None:
    comma, point = commas.index[0], points[points].index[0]
    raise DataError(
        f"row {comma + 1} holds {commas[comma]!r} and row {point + 1} {numbers[point]!r}: "
        f"{len(commas)} numbers have a comma and {int(points.sum())} a point; write all alike"
    )

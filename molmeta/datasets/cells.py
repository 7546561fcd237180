"""Cells of a column as people write them: numbers, bounds, units, words for classes or nothing."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from enum import Enum

import numpy as np
import pandas as pd

from molmeta.datasets.units import MICRO, read_unit
from molmeta.errors import DataError

RELATIONS = {"": 0, "=": 0, "==": 0, "~": 0, "≈": 0, "<": -1, "<=": -1, "≤": -1}
RELATIONS |= {">": 1, ">=": 1, "≥": 1, ">>": 1, "<<": -1, "=>": 1, "=<": -1}
RELATION_WORDS = {"gt": 1, "ge": 1, "greater": 1, "greater than": 1, "more than": 1, "above": 1}
RELATION_WORDS |= {"lt": -1, "le": -1, "less": -1, "less than": -1, "below": -1, "smaller": -1}
RELATIONS |= {**RELATION_WORDS, "eq": 0, "equal": 0, "equals": 0, "equal to": 0, "approx": 0}
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

RELATION_SIGNS = ("=", "~", "<", "<=", ">", ">=")  # of these, as they are shown
LOOKED = 200  # rows of a file that are looked at to tell what a comma is

_RELATION = r"^\s*(?P<relation>[<>]=|=[<>=]|>>|<<|[<>=~≈≤≥])?\s*(?P<number>.*?)\s*$"
_NUMBER = r"[+-]?(?:\d[\d.,'   ]*|\.\d+|,\d+)(?:[eE][+-]?\d+)?"
_WITH_UNIT = re.compile(rf"^({_NUMBER})\s*([a-zA-Zµμ%(−-][^\d]*)$")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?(\d*,\d+|[1-9]\d{0,2}(\.\d{3})+,\d+)([eE][+-]?\d+)?")
_SPREAD = re.compile(r"(?<=[\d.,])\s*(±|\+/-|\+-)\s*[\d.,]+|\(\s*[nN]\s*=\s*\d+\s*\)")
_POINT_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+")
_POINT = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")
_GROUPED = re.compile(r"[+-]?\d{1,3}(['    ]\d{3})+([.,]\d+)?")


class Commas(Enum):
    """What a comma in a number is."""

    DECIMAL = "decimal commas"
    LIKELY_DECIMAL = "decimal commas, as nothing else is known"
    THOUSANDS = "commas between thousands"
    UNKNOWN = "unknown"


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


def tidy_relations(texts: pd.Series) -> pd.Series:
    """Relations in a column of their own, in small letters; words for a missing one become ""."""
    tidy = texts.str.translate(MICRO).str.strip("' ").str.strip().str.lower()
    return tidy.mask(tidy.isin(MISSING), "")


def is_number(text: str) -> bool:
    """Whether a cell is a finite number or a bound, maybe with a unit."""
    cells = read_cells(pd.Series([text], dtype=object))
    return bool(cells.present[0])


def read_cells(
    texts: pd.Series,
    *,
    logarithmic: bool = False,
    commas: Commas = Commas.THOUSANDS,
    classes: bool = True,
) -> Cells:
    """Read a column of texts.

    Parameters
    ----------
    logarithmic : bool
        Whether values are small by what they are called, so that `7,301` is 7.301.
    commas : Commas
        What a comma is where the column does not say, as in `1,234`.
    classes : bool
        Whether words such as active and inactive, or 1 and -1, are two classes.

    Raises
    ------
    DataError
        Some numbers have decimal commas and others points, or nothing tells what a comma is.
    """
    texts = texts.fillna("").astype(str).str.strip()
    pointed = commas is Commas.DECIMAL and not logarithmic and _has_point_thousands(texts)
    simple = None if pointed else _simple(texts, classes=classes)
    if simple is not None:
        return simple
    folded = texts.str.lower()
    words = _classes(texts, folded) if classes else None
    if words is not None:
        return words
    absent = folded.isin(MISSING | NO_NUMBER).to_numpy()
    texts, aside = _without_spread(texts)
    parts = parse_relations(texts.str.translate(MICRO))
    numbers, units = _without_units(parts["number"])
    if logarithmic and commas is not Commas.DECIMAL:
        commas = Commas.LIKELY_DECIMAL
    numbers, said = _plain(numbers, absent, commas)
    values = pd.to_numeric(numbers.where(~absent, ""), errors="coerce").to_numpy(np.float64)
    values = np.where(np.isfinite(values), values, np.nan)
    censor = parts["relation"].map(RELATIONS).to_numpy(np.int64)
    wrong = ~absent & np.isnan(values)
    missing = Counter(texts[folded.isin((MISSING | NO_NUMBER) - {""})])
    return Cells(values, np.where(absent, 0, censor), units, wrong, missing, (*aside, *said))


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


def _without_spread(texts: pd.Series) -> tuple[pd.Series, tuple[str, ...]]:
    """Cells without the error and the count that stand behind a number: `5.1 ± 0.2 (n=3)`."""
    bare = texts.str.replace(_SPREAD, "", regex=True).str.strip()
    changed = bool((bare != texts).any())
    return bare, ("errors or counts behind its numbers, which are left out",) if changed else ()


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


def _has_point_thousands(texts: pd.Series) -> bool:
    """Whether each number with a point has three digits behind it, as between thousands."""
    pointed = texts[texts.str.contains(".", regex=False)]
    numbers = _without_units(parse_relations(pointed)["number"])[0]
    numbers = numbers[numbers.str.fullmatch(_POINT)]
    return bool(len(numbers)) and bool(numbers.str.fullmatch(_POINT_THOUSANDS).all())


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
    numbers: pd.Series, absent: np.ndarray, told: Commas
) -> tuple[pd.Series, tuple[str, ...]]:
    """Numbers as Python writes them, and how they were written."""
    numbers = numbers.str.translate(MICRO)
    grouped = numbers.map(lambda text: bool(_GROUPED.fullmatch(str(text)))) & ~absent
    if grouped.any():
        bare = numbers.str.replace(r"['    ]", "", regex=True)
        numbers = numbers.where(~grouped, bare)
    if told is Commas.DECIMAL and _has_point_thousands(numbers[~absent]):
        pointed = numbers.str.fullmatch(_POINT_THOUSANDS)
        bare = numbers.str.replace(".", "", regex=False)
        return _plain(numbers.where(~pointed, bare), absent, Commas.LIKELY_DECIMAL)[0], (
            "points between thousands",
        )
    commas = numbers.str.contains(",", regex=False) & ~absent
    if not commas.any():
        return numbers, ()
    some = numbers[commas]
    thousands = some.str.fullmatch(_THOUSANDS)
    decimals = some.str.fullmatch(_DECIMAL_COMMA)
    points = numbers[~commas & ~absent].str.fullmatch(_POINT)
    ambiguous = thousands.all() and decimals.all()
    if ambiguous and told is Commas.UNKNOWN:
        if commas.sum() == (~absent).sum():
            _refuse_ambiguous(some)
        told = Commas.THOUSANDS
    if decimals.all() and (not ambiguous or told in (Commas.DECIMAL, Commas.LIKELY_DECIMAL)):
        if points.any() and not ambiguous:
            _refuse_both(numbers, some, points)
        plain = numbers.str.replace(".", "", regex=False).where(commas, numbers)
        return plain.str.replace(",", ".", regex=False), (Commas.DECIMAL.value,)
    if thousands.all():
        return numbers.str.replace(",", "", regex=False), (Commas.THOUSANDS.value,)
    if points.any() and decimals.any():
        _refuse_both(numbers, some, points)
    return numbers, ()


def commas_of(frame: pd.DataFrame, separator: str) -> Commas:
    """What a comma in a number is, by all numbers of a file and by how its cells are separated."""
    cells = np.unique(frame.iloc[:LOOKED].to_numpy(dtype=str).ravel())
    cells = pd.Series([text for text in cells if "," in text or "." in text], dtype=object)
    numbers = parse_relations(cells.str.strip().str.translate(MICRO))["number"]
    decimal, thousands, point, grouped = (
        numbers.str.fullmatch(one) for one in (_DECIMAL_COMMA, _THOUSANDS, _POINT, _POINT_THOUSANDS)
    )
    decimal, point = bool((decimal & ~thousands).any()), bool((point & ~grouped).any())
    if decimal != point:
        return Commas.DECIMAL if decimal else Commas.THOUSANDS
    return {";": Commas.LIKELY_DECIMAL, ",": Commas.THOUSANDS}.get(separator, Commas.UNKNOWN)


def _refuse_ambiguous(commas: pd.Series) -> None:
    first = commas.index[0]
    raise DataError(
        f"row {first + 1} holds {commas[first]!r}, and nothing in the file tells whether this "
        "comma is a decimal one or stands between thousands; write numbers with a decimal point"
    )


def _refuse_both(numbers: pd.Series, commas: pd.Series, points: pd.Series) -> None:
    comma, point = commas.index[0], points[points].index[0]
    raise DataError(
        f"row {comma + 1} holds {commas[comma]!r} and row {point + 1} {numbers[point]!r}: "
        f"{len(commas)} numbers have a comma and {int(points.sum())} a point; write all alike"
    )

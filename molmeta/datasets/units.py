"""Units of measurements: found in texts, and concentrations turned into −log10 of the molar."""

from __future__ import annotations

import re

import numpy as np

from molmeta.errors import ConfigError

MOLAR = {"M": 0, "mM": 3, "uM": 6, "nM": 9, "pM": 12, "fM": 15}  # −log10 of one
LOG = "log "  # before a unit: the value is log10 of the number of these
NEGATIVE = "-log M"  # −log10 of the molar concentration: what others become
PERCENT, NONE = "%", "none"
UNITS = (*MOLAR, NEGATIVE, *(LOG + unit for unit in MOLAR), PERCENT, NONE)
LARGEST_P = 15.0  # of −log10 of a molar concentration
IMPOSSIBLE_P = 20.0

SPELLED = {  # in small letters, without blanks
    "nanomolar": "nM", "micromolar": "uM", "millimolar": "mM", "picomolar": "pM", "molar": "M",
    "femtomolar": "fM", "pmol/l": "pM", "nmol/l": "nM", "umol/l": "uM", "mmol/l": "mM",
    "mol/l": "M", "nm": "nM", "um": "uM", "mm": "mM", "fm": "fM", "nmol": "nM", "percent": PERCENT,
    "%inhibition": PERCENT, "unitless": NONE, "none": NONE,
}  # fmt: skip
_LOGARITHM = re.compile(r"(?P<minus>-)?log(?:10)?\(?(?P<unit>molar|[pnumf]?m)\)?")
MICRO = str.maketrans({"µ": "u", "μ": "u", "−": "-", "–": "-"})

_FIFTY = r"(?:IC|EC|AC|GI|XC|CC|DC|ED|LD|LC|TD|SC|AD)[_ ]?(?:50|90)(?!\d)"
_CONCENTRATION = rf"(?:{_FIFTY}|K[idbm](?![a-z])|MIC(?![a-z])|potency(?![a-z]))"
_START = r"(?:(?<![A-Za-z])|(?<=log))"
_MEASURE = re.compile(rf"{_START}p?({_CONCENTRATION})", re.IGNORECASE)
_P_NAME = re.compile(
    rf"(?<![A-Za-z])p[_ -]?\(?(?:{_CONCENTRATION}|chembl|act(?:ivity)?(?![a-z]))|-\s*log",
    re.IGNORECASE,
)
_PROPERTY = re.compile(
    r"solub|(?<![a-z])[acmx]?log_?[spd](?![a-z])|(?<![a-z])c_?(?:max|min|ss)(?![a-z])|"
    r"(?<![a-z])auc|exposure|clearance|permeab|bioavail|plasma",
    re.IGNORECASE,
)
_LOG_NAME = re.compile(r"(?<![A-Za-z])log(?:10)?", re.IGNORECASE)
_UNIT = re.compile(r"(?:(?<![A-Za-z])|(?<=\d))([pnumf]M|[mnup]?mol/[lL])(?![A-Za-z])")
_FOLDED_UNIT = re.compile(r"(?:(?<![a-z])|(?<=\d))([num]m)(?![a-z])", re.IGNORECASE)
_BARE_MOLAR = re.compile(r"[(\[_ /]M(?:[)\]]|$)")
_DOSE = re.compile(  # of `at 10 uM`; the 50 of `IC 50 nM` is none, nor the 2 of `CB2_nM`
    r"(?<![A-Za-z0-9.])(?<![CDIM][_ ])\d+(?:\.\d+)?[\s_]*(?:[pnumf]?M|[mnup]?mol/L)(?![A-Za-z])",
    re.IGNORECASE,
)
_PERCENT = re.compile(r"%|percent|pct", re.IGNORECASE)


def read_unit(text: str) -> str | None:
    """The unit that a text is, or None: `µM`, `nmol/L` and `MICROMOLAR` are units."""
    tidy = text.strip().translate(MICRO)
    tidy = tidy[1:-1] if tidy[:1] in ("(", "[") and tidy[-1:] in (")", "]") else tidy
    if tidy in UNITS:
        return tidy
    folded = tidy.replace(" ", "").lower()
    found = _LOGARITHM.fullmatch(folded)
    if not found:
        return SPELLED.get(folded)
    unit = "M" if found["unit"] in ("m", "molar") else found["unit"][0] + "M"
    if not found["minus"]:
        return LOG + unit
    return NEGATIVE if unit == "M" else None


def check_unit(text: str) -> str:
    """The unit that somebody asked for.

    Raises
    ------
    ConfigError
        It is none.
    """
    unit = read_unit(text)
    if unit is None:
        raise ConfigError(f"there is no unit {text!r}; give one of: {', '.join(UNITS)}")
    return unit


def unit_in_name(name: str) -> str | None:
    """The unit that the name of a column says: of `IC50 (nM)`, `Ki_uM`, `logIC50_M`, `pIC50`.

    A concentration at which something was measured, as in `inhibition at 10 uM`, is none.
    """
    tidy = _DOSE.sub("", name.translate(MICRO))
    if _P_NAME.search(tidy):
        return NEGATIVE
    measure = _MEASURE.search(tidy)
    found = _UNIT.search(tidy) or (_FOLDED_UNIT.search(tidy) if measure else None)
    unit = read_unit(found[1]) if found else ("M" if measure and _BARE_MOLAR.search(tidy) else None)
    if unit in MOLAR and _LOG_NAME.search(tidy):
        return LOG + unit
    if unit is None and _PERCENT.search(tidy):
        return PERCENT
    return unit


def negative_name(name: str) -> str:
    """What −log10 of a column is called: `pIC50` of `IC50 (nM)`; else its own name."""
    found = _MEASURE.search(name)
    if not found:
        return name
    measure = re.sub("[_ ]", "", found[1])
    return "p" + (measure.capitalize() if measure[0] in "Kkp" else measure.upper())


def negative_log(
    values: np.ndarray, censor: np.ndarray, unit: str
) -> tuple[np.ndarray, np.ndarray]:
    """−log10 of molar concentrations, and their bounds, turned round: `>10000` nM is `<5`.

    Values that are no concentration, as 0, become NaN.
    """
    if unit in (NEGATIVE, PERCENT, NONE):
        return values, censor
    if unit.startswith(LOG):
        return MOLAR[unit.removeprefix(LOG)] - values, -censor
    positive = np.where(values > 0, values, np.nan)
    # rounded, as 1000 nM are 6 and not 5.999999999999999
    return np.round(MOLAR[unit] - np.log10(positive), 9), -censor


def look_like_concentrations(values: np.ndarray) -> bool:
    """Whether values cannot be −log10 of molar concentrations, but may be concentrations."""
    known = values[np.isfinite(values)]
    if not len(known) or known.min() <= 0:
        return False
    wide = known.max() >= 100 * np.median(known) or known.max() > 100
    return bool(known.max() > LARGEST_P and wide)


def measures_concentration(name: str) -> bool:
    """Whether a column is of concentrations by its name, as `IC50`."""
    tidy = name.translate(MICRO)
    return bool(_MEASURE.search(tidy)) and not (_P_NAME.search(tidy) or _LOG_NAME.search(tidy))


def is_logarithm(name: str) -> bool:
    """Whether a column is log10 of concentrations by its name, as `logIC50`."""
    tidy = name.translate(MICRO)
    return bool(_MEASURE.search(tidy) and _LOG_NAME.search(tidy)) and not _P_NAME.search(tidy)


def is_logarithmic(name: str) -> bool:
    """Whether values are logarithms by what they are called, and so small."""
    tidy = name.translate(MICRO)
    return bool(_P_NAME.search(tidy) or _LOG_NAME.search(tidy))


def is_property(name: str) -> bool:
    """Whether a column is no potency by its name, though it may be in units of concentration."""
    return bool(_PROPERTY.search(name)) and not _MEASURE.search(name)

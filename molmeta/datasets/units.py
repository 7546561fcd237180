"""Units of measurements: read, and concentrations turned into −log10 of the molar."""

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
_MASS = re.compile(r"([unpm]?g/(m?L|kg|100mL|dL)|[unpm]?g\s?(mL|L)-1|mg/kg|ppm|ppb)", re.IGNORECASE)
MICRO = str.maketrans({"µ": "u", "μ": "u", "−": "-", "–": "-", "＞": ">", "＜": "<", "＝": "="})


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


def is_mass(text: str) -> bool:
    """Whether a text is a unit of mass in a volume, of which no molar concentration is made."""
    return bool(_MASS.fullmatch(text.strip().translate(MICRO).replace(" ", "")))


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

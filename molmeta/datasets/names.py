"""What the name of a column of measurements says: its unit, its direction, what it is of."""

from __future__ import annotations

import re

from molmeta.datasets.units import LOG, MICRO, MOLAR, NEGATIVE, PERCENT, read_unit

_FIFTY = r"(?:IC|EC|AC|GI|XC|CC|DC|ED|LD|LC|TD|SC|AD)[_ ]?(?:50|90)(?!\d)"
_CONCENTRATION = rf"(?:{_FIFTY}|K[idbm](?![a-z])|MIC(?![a-z])|potency(?![a-z]))"
_START = r"(?:(?<![A-Za-z])|(?<=log)|(?<=1/))"
_MEASURE = re.compile(rf"{_START}p?({_CONCENTRATION})", re.IGNORECASE)
_P_NAME = re.compile(  # a P before a blank is a letter of something else: Substance P IC50
    rf"(?<![A-Za-z])(?:p[_ -]?\(?|P\(?)(?i:{_CONCENTRATION}|chembl|act(?:ivity)?(?![a-z]))|"
    r"(?i:(?:-|neg(?:ative)?|minus)[_ -]*log|(?<![a-z])log(?:10)?[_ ]*\(?[_ ]*1[_ ]*/)"
)
_PROPERTY = re.compile(
    r"solub|(?<![a-z])(?:aq|kinetic|thermo)[a-z]*[._ ]*sol(?![a-z])|(?<![a-z])[acmx]?log_?[spd]"
    r"(?![a-z])|(?<![a-z])c_?(?:max|min|ss)(?![a-z])|(?<![a-z])auc|exposure|clearance|permeab|"
    r"bioavail|plasma",
    re.IGNORECASE,
)
_LOG_NAME = re.compile(r"(?<![A-Za-z])log(?:10)?(?![- ]?phase|2)", re.IGNORECASE)
_OTHER_LOG = re.compile(r"(?<![a-z])(?:ln|log_?2|log_?e)(?![a-z0-9])", re.IGNORECASE)
_NOT_OF = r"(?![A-Za-z]|[ ]*\^?[-(]?-?\s?1|\s*[*/·])"  # uM-1, nM*h, nM/nM
_UNIT = re.compile(
    rf"(?:(?<![A-Za-z/])|(?<=\d))([pnumf]M|[mnup]?mol/[lL]|(?i:(?:nano|micro|milli|pico)molar))"
    rf"{_NOT_OF}"
)
_FOLDED_UNIT = re.compile(rf"(?:(?<![a-z/])|(?<=\d))([num]m){_NOT_OF}", re.IGNORECASE)
_BARE_MOLAR = re.compile(r"(?:[(\[_ ]|IC50/)M(?:[)\]]|$)")
_MASS = re.compile(r"(?<![A-Za-z])((?:[unpm]g|g)/(?:[mu]?L|kg)|mg/kg|ppm)(?![A-Za-z])", re.I)
_CONCENTRATION_OF = r"\d+(?:\.\d+)?[\s_]*(?:[pnumf]?M|[mnup]?mol/L)(?![A-Za-z])"
_DOSE = re.compile(rf"(?:(?<![A-Za-z])at|@)[\s_]*{_CONCENTRATION_OF}", re.IGNORECASE)
_RESPONSE_DOSE = re.compile(rf"(?<![A-Za-z0-9.]){_CONCENTRATION_OF}", re.IGNORECASE)
_RESPONSE = re.compile(r"%|percent|pct|inh|effect|activ|respons|viab|surviv|remain", re.IGNORECASE)
_NO_CONCENTRATION = re.compile(r"1\s*/|ratio|fold|selectiv|\^?-\s?1(?!\d)|kinact", re.IGNORECASE)
_PERCENT = re.compile(r"(?<![\d.])(?<!\d )%|percent|pct", re.IGNORECASE)

DESCRIPTOR = re.compile(  # normalised names
    r"(mw|molwt|mol_?weight|full_mwt|(exact|monoisotopic)_?(mass|mw).*|mass|.*molecular_?weight.*|"
    r"[acmxw]?log_?[pds](_?\d.*)?|cx_log.*|t?psa|.*polar_surface.*|hb[ad](_.*)?|.*_bond_(donor|acceptor).*|"
    r".*(donors?|acceptors?)(_count)?|.*rot(atable)?_?b(onds?)?|num_.*|.*_rings?|.*_atoms?|qed.*|"
    r"fsp3|.*violations?|np_likeness.*|.*ligand_efficiency.*|(.*_)?(sd|std|stdev|stddev|sem|se|err|"
    r"error|cv|stderr)(_.*)?|n|count|n?_?replicates?|(.*_)?(year|date)(_.*)?|(.*_)?hill.*|slope|"
    r"(.*_)?(r_?2|r_squared)|.*purity.*|passage|price|cost|amount|ph|temp(erature)?(_.*)?|split|"
    r"fold|confidence.*|max_phase|.*lipinski.*|(.*_)?(?<!inhibitory_)(?<!effective_)"
    r"conc(entration)?(_.*)?|pubchem_activity_(score|url|comment)|bei|lle|sei|le)"
)
_OF_A_MEASURE = re.compile(  # what stands behind it
    r"(.*_)?(sd|std|stdev|stddev|sem|se|err|error|stderr|cv|n|count|replicates?|(\d+%?_)?ci(_.*)?|"
    r"lower(_.*)?|upper(_.*)?|hill.*|slope|r_?2|r_squared|ratio|ligand_efficiency)"
)


def normal(name: str) -> str:
    """A name in small letters, with one line for all between them."""
    return re.sub(r"[^a-z0-9%#]+", "_", str(name).lower()).strip("_")


def unit_in_name(name: str) -> str | None:
    """The unit that the name of a column says: of `IC50 (nM)`, `Ki_uM`, `logIC50_M`, `pIC50`.

    A concentration at which something was measured, as in `inhibition at 10 uM`, is none. Of a
    mass, as in `MIC (ug/mL)`, it is told as it stands, and is none of `UNITS`.
    """
    tidy = _without_dose(name.translate(MICRO))
    if _P_NAME.search(tidy):
        return NEGATIVE
    measure = _MEASURE.search(tidy)
    found = _UNIT.search(tidy) or (_FOLDED_UNIT.search(tidy) if measure else None)
    unit = read_unit(found[1]) if found else ("M" if measure and _BARE_MOLAR.search(tidy) else None)
    if unit in MOLAR and _LOG_NAME.search(tidy):
        return LOG + unit
    if unit is None and (mass := _MASS.search(tidy)):
        return mass[1]
    if unit is None and _PERCENT.search(tidy):
        return PERCENT
    return unit


def _without_dose(name: str) -> str:
    """A name without the concentration at which something was measured.

    A number and a unit, as in `Inh_10uM`, are one where a response is measured; in `COX-2_uM` and
    `IC50 COX-2 uM` the number is of the target.
    """
    name = _DOSE.sub("", name)
    if _MEASURE.search(name) or not _RESPONSE.search(name):
        return name
    return _RESPONSE_DOSE.sub("", name)


def negative_name(name: str) -> str:
    """What −log10 of a column is called: `pIC50` of `IC50 (nM)`; else its own name."""
    found = _MEASURE.search(name)
    if not found:
        return name
    measure = re.sub("[_ ]", "", found[1])
    return "p" + (measure.capitalize() if measure[0] in "Kkp" else measure.upper())


def is_measure(name: str) -> bool:
    """Whether a column is of potencies by its name, as `IC50 (nM)` and `pKi`."""
    return bool(_MEASURE.search(name.translate(MICRO)))


def measures_concentration(name: str) -> bool:
    """Whether a column is of concentrations by its name, as `IC50`."""
    tidy = name.translate(MICRO)
    other = (_P_NAME, _LOG_NAME, _NO_CONCENTRATION)
    return is_measure(name) and not any(one.search(tidy) for one in other)


def is_logarithm(name: str) -> bool:
    """Whether a column is log10 of concentrations by its name, as `logIC50`."""
    tidy = name.translate(MICRO)
    return is_measure(name) and bool(_LOG_NAME.search(tidy)) and not _P_NAME.search(tidy)


def is_other_logarithm(name: str) -> bool:
    """Whether a column is ln or log2 of concentrations by its name."""
    return is_measure(name) and bool(_OTHER_LOG.search(name))


def is_logarithmic(name: str) -> bool:
    """Whether values are logarithms by what they are called, and so small."""
    tidy = name.translate(MICRO)
    return bool(_P_NAME.search(tidy) or _LOG_NAME.search(tidy))


def is_property(name: str) -> bool:
    """Whether a column is no potency by its name, though it may be in units of concentration."""
    return bool(_PROPERTY.search(name)) and not _MEASURE.search(name)


def is_descriptor(name: str) -> bool:
    """Whether a column is computed of a molecule, or an error or count of measurements."""
    measure = _MEASURE.search(name.translate(MICRO))
    if measure:
        return bool(_OF_A_MEASURE.fullmatch(normal(name[measure.end() :])))
    return bool(DESCRIPTOR.fullmatch(normal(name)))

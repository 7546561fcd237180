"""Splits of assays into training, validation and test, written down as lists of names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from molmeta.datasets.chembl import data_file
from molmeta.errors import ConfigError, DataError, TooFewMeasurements
from molmeta.files import read_json
from molmeta.molecules import scaffolds
from molmeta.registry import nearest
from molmeta.schema import matches
from molmeta.seeds import generator
from molmeta.tasks import Assays, Split

PARTS = ("validation", "test")
SHIPPED = ("chembl22", "fsmol", "nguyen2020", "tox21", "sider", "muv")
PROTOCOLS = ("molecule-disjoint", "scaffold-disjoint", "overlapping")
HALVES = "molecule-halves"


def draw_split(
    assays: Assays,
    validation: int,
    test: int,
    *,
    least: int = 128,
    name: str = "split",
    seed: int = 0,
) -> dict[str, list[str]]:
    """Names of assays for validation and test, drawn among those with `least` measurements.

    All others, small ones too, are for training. Depends on the seed and the names alone: that of
    the split, and those of the large assays.

    Raises
    ------
    TooFewMeasurements
        Not enough assays are large enough.
    """
    large = sorted(name for name, assay in assays.items() if len(assay) >= least)
    if len(large) < validation + test:
        raise TooFewMeasurements(
            f"{len(large)} assays have {least} measurements or more; a split needs "
            f"{validation} + {test}: ask for fewer, or for smaller ones"
        )
    order = [large[i] for i in generator(name, seed).permutation(len(large))]
    return {
        "validation": sorted(order[test : test + validation]),
        "test": sorted(order[:test]),
    }


def read_split(name: str | Path) -> dict[str, list[str]]:
    """A shipped split by name, or a JSON file by path.

    The file is `{"validation": [names], "test": [names]}`, maybe with `train`, and what else it
    says of itself, such as the seed by which it was drawn.

    Raises
    ------
    DataError
        The file is missing, no JSON, or has no such lists; or a name stands in two.
    """
    path, found = _read(name)
    lists: dict[str, Any] = dict.fromkeys(PARTS) | (found if isinstance(found, dict) else {})
    listed = {part: lists[part] for part in ("train", *PARTS) if part in lists}
    if not all(matches(one, list[str | int]) for one in listed.values()):
        raise DataError(f"{path} is no split: it needs lists of names, 'validation' and 'test'")
    names = {part: list(map(str, one)) for part, one in listed.items()}
    every = [name for part in names.values() for name in part]
    twice = sorted({name for name in every if every.count(name) > 1})
    if twice:
        raise DataError(f"{path} has {twice[0]} twice; an assay belongs to one part")
    return names


def read_groups(name: str | Path) -> dict[str, str]:
    """The group of each test assay that a split has in one: `{"groups": {group: [names]}}`.

    Raises
    ------
    DataError
        The file is missing, or its groups are no lists of names.
    """
    path, found = _read(name)
    groups = found.get("groups", {}) if isinstance(found, dict) else {}
    if not matches(groups, dict[str, list[str]]):
        raise DataError(f"{path} is no split: its groups are no lists of names")
    return {name: group for group, names in groups.items() for name in names}


def _read(name: str | Path) -> tuple[Path, Any]:
    path = data_file(f"splits/{name}.json") if str(name) in SHIPPED else Path(name)
    try:
        return path, read_json(path)
    except DataError as error:
        raise DataError(f"{path} is no split: {error}") from error


def split_assays(
    assays: Assays, names: dict[str, list[str]], protocol: str = PROTOCOLS[0]
) -> Split:
    """Assays by a split; without `train` in it, all others are for training.

    Parameters
    ----------
    protocol : str
        `molecule-disjoint`: no molecule of a test assay is in training or validation, and none of
        a validation assay in training; assays of which nothing is left are dropped.
        `scaffold-disjoint`: the same for all molecules with the Bemis–Murcko scaffold of one.
        `overlapping`: all keep all their measurements, as in the published few-shot protocol of
        Tox21.

    Raises
    ------
    DataError
        The split has an assay that is not there.
    ConfigError
        There is no such protocol.
    """
    if protocol not in PROTOCOLS:
        raise ConfigError(f"there is no protocol '{protocol}'{nearest(protocol, PROTOCOLS)}")
    parts = _parts(assays, names)
    if protocol == "overlapping":
        return parts
    test, validation = parts.test.smiles(), parts.validation.smiles()
    if protocol == "scaffold-disjoint":
        smiles = sorted(set().union(*(part.smiles() for part in parts)))
        kind = dict(zip(smiles, scaffolds(smiles), strict=True))
        kinds = [{kind[text] for text in side} for side in (test, validation)]
        test, validation = ({text for text in smiles if kind[text] in side} for side in kinds)
    return Split(
        _left(parts.train.without(test | validation)),
        _left(parts.validation.without(test)),
        parts.test,
    )


def split_molecules(assays: Assays, names: dict[str, list[str]], seed: int = 0) -> list[Split]:
    """Two molecule-disjoint splits for assays that measured the same molecules, such as Tox21's.

    Molecules are dealt into two halves. Test assays keep one; training and validation assays the
    other, of which a quarter is for validation. Each half is the test's in turn, and a test assay
    is named after its half.
    """
    parts = _parts(assays, names)
    smiles = sorted(set().union(*(part.smiles() for part in parts)))
    order = [smiles[i] for i in generator("halves", seed).permutation(len(smiles))]
    middle = len(order) // 2
    splits = []
    for number, (new, known) in enumerate(
        ((order[:middle], order[middle:]), (order[middle:], order[:middle])), start=1
    ):
        quarter = len(known) // 4
        seen, asked, held = set(known[quarter:]), set(known[:quarter]), set(new)
        test = parts.test.without(seen | asked)
        splits.append(
            Split(
                _left(parts.train.without(asked | held)),
                _left(parts.validation.without(seen | held)),
                Assays(replace(assay, name=f"{name} {number}") for name, assay in test.items()),
            )
        )
    return splits


def _parts(assays: Assays, names: dict[str, list[str]]) -> Split:
    missing = [name for part in names.values() for name in part if name not in assays]
    if missing:
        raise DataError(
            f"the split has the assay {missing[0]}, which the table has not"
            f"{nearest(missing[0], list(assays)[:20])}"
        )
    kept = {name for part in PARTS for name in names[part]}
    train = names.get("train", [name for name in assays if name not in kept])
    return Split(assays.select(train), *(assays.select(names[part]) for part in PARTS))


def _left(assays: Assays) -> Assays:
    return Assays(assay for assay in assays.values() if len(assay))

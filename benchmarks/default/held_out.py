"""The assays that the shipped model learned from, was selected by, and is judged on."""

from __future__ import annotations

from pathlib import Path

from molmeta.datasets import embedded_split, read_split, read_table, split_assays
from molmeta.tasks import Assays, Split, in_one_store


def joined_split(path: Path) -> Split:
    """The embedded assays and ChEMBL-22's, each with its own test and validation assays.

    No target of a test assay is anywhere else, none of a validation assay in training; nor is a
    molecule.
    """
    embedded = embedded_split(molecule_disjoint=False)
    chembl = split_assays(read_table(path).assays, read_split("chembl22"), "overlapping")
    sides = [dict(a) | dict(b) for a, b in zip(embedded, chembl, strict=True)]
    for number in (2, 1):  # what a test assay is for, then what a validation assay is
        held = {target(name) for name in sides[number]}
        for side in sides[:number]:
            for name in [name for name in side if target(name) in held]:
                del side[name]
    train, validation, test = map(lambda side: Assays(side.values()), sides)
    validation = validation.without(test.smiles())
    train = train.without(test.smiles() | validation.smiles())
    left = [Assays(assay for assay in side.values() if len(assay)) for side in (train, validation)]
    return Split(*in_one_store([*left, test]))


def target(assay: str) -> str:
    """The ChEMBL id of an assay's target: `CHEMBL204` of `CHEMBL204_Ki`."""
    return assay.partition("_")[0]

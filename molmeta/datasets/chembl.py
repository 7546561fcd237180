"""The ChEMBL assays that are shipped with the package."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pandas as pd

from molmeta.datasets.table import assays_from_rows
from molmeta.errors import DataError
from molmeta.tasks import Assays, Split


def data_file(name: str) -> Path:
    """A file of the embedded data: inside an installed package, or in a checkout's `data/`."""
    package = Path(__file__).parents[1]
    for folder in (package / "data", package.parent / "data"):
        if (folder / name).is_file():
            return folder / name
    raise DataError(f"the embedded data file {name} is missing; install molmeta again")


@cache
def load_embedded() -> Assays:
    """30 ChEMBL assays: pActivity = −log10(molar), 48,714 measurements of 35,633 molecules.

    From MoleculeACE 3.0.0 (van Tilborg, Alenicheva, Grisoni 2022), curated from ChEMBL; see
    `data/README.md` for source, licence and checksums. Molecules are standardised by the default
    `Policy`. Every assay's `info` has target id, name, class and type of measurement.
    """
    rows = pd.read_csv(data_file("chembl_assays.csv.gz")).rename(columns={"pactivity": "value"})
    info = pd.read_csv(data_file("targets.csv"), dtype=str).set_index("assay_id").T.to_dict()
    assays = assays_from_rows(rows)
    return Assays(replace(assays[name], info=info[name]) for name in sorted(assays))


def embedded_split(*, molecule_disjoint: bool = True) -> Split:
    """The committed split by target: 18 assays for meta-training, 4 for validation, 8 for test.

    With `molecule_disjoint`, every molecule measured in a test assay is taken out of
    meta-training and validation, and every molecule of a validation assay out of meta-training.
    """
    names = json.loads(data_file("split.json").read_text())
    assays = load_embedded()
    train, validation, test = (assays.select(names[k]) for k in ("train", "validation", "test"))
    if molecule_disjoint:
        train = train.without(validation.smiles())
        return Split(train, validation, test).tested_on(test)
    return Split(train, validation, test)

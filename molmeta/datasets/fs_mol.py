"""FS-Mol as assays, with the split that it comes with; and what a copy of it holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from rdkit import Chem, rdBase

from molmeta.datasets.fs_mol_files import FOLDERS, LOG, fs_mol_rows
from molmeta.datasets.table import Table, table_from_rows
from molmeta.errors import DataError
from molmeta.featurizers import Policy

TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "<<": ">", ">>": "<"}


def read_fs_mol(
    path: str | Path, *, measured: bool = False, merge: bool = True
) -> tuple[Table, dict[str, list[str]]]:
    """The tasks of the release's folder, or of a table, and the split that they come with.

    Stanley et al.: *FS-Mol: A Few-Shot Learning Dataset of Molecules* (NeurIPS Datasets 2021),
    https://github.com/microsoft/FS-Mol. What either form holds is in `fs_mol_rows`; both give the
    same. SMILES that RDKit refuses are first repaired by one rule (`repair_phosphorus`).

    Parameters
    ----------
    measured : bool
        Read the measured values in place of the classes, of the assays that have −log10 of a
        molar concentration: percentages are never mixed with these. Bounds are bounds: IC50 > 10 µM
        is a value < 5. Without it, these values stand behind the classes (`Assay.behind`).
    merge : bool
        Merge what was measured several times in one assay, as everywhere here; the published
        protocol keeps every row.

    Returns
    -------
    Table
        With what was merged and left out.
    dict
        Names of the assays for `train`, `validation` and `test`, as `split_assays` takes them.

    Raises
    ------
    DataError
        There is no task, a file is damaged or in two parts, or a line lacks a key.
    """
    rows = fs_mol_rows(path)
    if measured:
        rows = rows[(rows["type"] == LOG) & rows["value"].notna()].reset_index(drop=True)
        if rows.empty:
            raise DataError(f"{path} has no assay with −log10 of a molar concentration")
    frame = pd.DataFrame({"row": np.arange(1, len(rows) + 1), "assay_id": rows["assay_id"]})
    frame["value"] = rows["value" if measured else "label"].astype(float)
    turned = rows["relation"].replace(TURNED)
    censor = turned.map({"<": -1, "<=": -1, ">": 1, ">=": 1}).fillna(0).astype(int)
    if measured:
        frame["censor"] = censor
    else:
        frame["behind"] = rows["value"].where((rows["type"] == LOG) & (censor == 0)).astype(float)
    repaired = rows["smiles"].map({text: repair_phosphorus(text) for text in set(rows["smiles"])})
    table = table_from_rows(repaired, frame, Policy(), str(path), merge=merge)
    first = rows.drop_duplicates("assay_id")
    return table, {
        part: [name for name in first["assay_id"][first["split"] == folder] if name in table.assays]
        for part, folder in FOLDERS.items()
    }


def repair_phosphorus(smiles: str) -> str:
    """The hydrogen of a phosphorus with two oxides moves to one of them.

    `[PH](=O)(=O)O`, which RDKit no longer reads, is written for `P(=O)(O)O`. Any other text is
    returned as it is.
    """
    if "[PH]" not in smiles:
        return smiles
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(smiles, sanitize=False)
    if mol is None:
        return smiles
    repaired = False
    for atom in mol.GetAtoms():
        oxides = [
            bond
            for bond in atom.GetBonds()
            if bond.GetBondType() == Chem.BondType.DOUBLE
            and bond.GetOtherAtom(atom).GetSymbol() == "O"
        ]
        if atom.GetSymbol() == "P" and atom.GetNumExplicitHs() == 1 and len(oxides) == 2:
            atom.SetNumExplicitHs(0)
            atom.SetNoImplicit(False)
            oxides[1].SetBondType(Chem.BondType.SINGLE)
            repaired = True
    return Chem.MolToSmiles(mol) if repaired else smiles


def describe_fs_mol(rows: pd.DataFrame) -> str:
    """What `fs_mol_rows` returned, in a Markdown table with a line for each part.

    `pXC50` and `other` are numbers of assays; `bounds`, `no value`, `repeated` (an assay's molecule
    once more) and `contradicted` (of these, with both labels) are numbers of measurements or pairs;
    `in train` is the share of the part's SMILES that training assays measured too.
    """
    known = set(rows["smiles"][rows["split"] == "train"])
    found = []
    for folder in FOLDERS.values():
        part = rows[rows["split"] == folder]
        pairs = part.groupby(["assay_id", "smiles"])["label"]
        smiles = part["smiles"].unique()
        types = part.drop_duplicates("assay_id")["type"]
        found.append(
            {
                "part": folder,
                "assays": len(types),
                "pXC50": int((types == LOG).sum()),
                "other": int((types != LOG).sum()),
                "measurements": len(part),
                "SMILES": len(smiles),
                "bounds": int(part["relation"].isin(list(TURNED)).sum()),
                "no value": int(part["value"].isna().sum()),
                "repeated": len(part) - pairs.ngroups,
                "contradicted": int((pairs.nunique() > 1).sum()),
                "in train": f"{np.mean([text in known for text in smiles] or [0]):.1%}",
            }
        )
    lines = [list(found[0]), ["---"] * len(found[0]), *(list(row.values()) for row in found)]
    shown = [[f"{x:,}" if isinstance(x, int) else str(x) for x in line] for line in lines]
    repaired = [text for text in rows["smiles"].unique() if repair_phosphorus(text) != text]
    return "\n".join("| " + " | ".join(line) + " |" for line in shown) + (
        f"\n\n{len(repaired)} SMILES have phosphorus as RDKit no longer reads it, and are repaired."
    )

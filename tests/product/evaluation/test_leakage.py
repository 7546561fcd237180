"""The audit finds what two sides of a split share, by each meaning of the same."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from molmeta.cli.main import main
from molmeta.evaluation.leakage import COLUMNS, NEAR_NAME, audit
from molmeta.molecules.molecules import Molecules
from molmeta.tasks.assay import Assay, Assays, Split
from molmeta.tasks.targets import Regression

LONG = "CCCCCCCCCCCCCCCCCCCC"
TWINS = {  # a test molecule, one of training, and what they have in common beside the looser
    "InChIKey": ("CC(=O)Nc1ccc(O)cc1", "CC(=O)Nc1ccc(O)cc1"),
    "connectivity": ("C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O"),
    "tautomer": ("CC(=O)C=C(C)O", "CC(=O)CC(C)=O"),
    "scaffold": ("Clc1ccc2ccccc2c1", "CCCOc1ccc2ccccc2c1"),
    NEAR_NAME: (f"{LONG}CO", f"{LONG}CCO"),
}
IMPLIED = {"InChIKey": set(COLUMNS), "connectivity": set(COLUMNS) - {"InChIKey"}}


def one_assay(name: str, smiles: list[str]) -> Assays:
    return Assays([Assay(name, Molecules(smiles), np.arange(float(len(smiles))), Regression())])


@pytest.mark.parametrize("kind", TWINS)
def test_twins_are_found_by_what_they_share(kind: str) -> None:
    test, train = TWINS[kind]
    other, stranger = "FC(F)(F)S(=O)(=O)N", "O=C1CCCCCN1"
    split = Split(
        one_assay("A", [train, stranger]), one_assay("B", ["BrC#N"]), one_assay("C", [test, other])
    )
    shares = audit(split).shares.set_index(["of", "against"])
    found = shares.loc[("test", "training")]
    implied = IMPLIED.get(kind, {kind})
    assert found[kind] == 0.5
    assert {name for name in COLUMNS if found[name] == 0.5} >= implied
    stricter = COLUMNS[: COLUMNS.index(kind)] if kind != NEAR_NAME else COLUMNS[:4]
    assert all(found[name] == 0 for name in stricter)
    assert (shares.loc[("test", "validation"), list(COLUMNS)] == 0).all()


def test_twins_within_an_assay_are_found_and_a_molecule_is_no_twin_of_itself() -> None:
    apart = ["CCO", "FC(F)(F)S(=O)(=O)N", "O=C1CCCCCN1"]
    twins = ["C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O", *apart, "BrC#N", "SCCS"]
    empty = Assays([])
    lone = audit(Split(empty, empty, one_assay("A", apart))).shares.iloc[-1]
    assert [lone[name] for name in COLUMNS] == [0] * len(COLUMNS)
    both = audit(Split(empty, empty, one_assay("A", twins))).shares.iloc[-1]
    assert both["against"] == "its own assay" and both["molecules"] == 7
    assert both["connectivity"] == pytest.approx(2 / 7) and both["InChIKey"] == 0
    assert both[NEAR_NAME] == pytest.approx(2 / 7)


def test_near_pairs_are_all_found(embedded: Assays) -> None:
    from rdkit import Chem, DataStructs
    from rdkit.Chem import rdFingerprintGenerator

    listed = embedded["CHEMBL204_Ki"].molecules[:600].smiles
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    bits = [generator.GetFingerprint(Chem.MolFromSmiles(text)) for text in listed]
    near = [max(DataStructs.BulkTanimotoSimilarity(one, bits[:300])) >= 0.9 for one in bits[300:]]
    split = Split(one_assay("A", listed[:300]), Assays([]), one_assay("B", listed[300:]))
    found = audit(split, workers=2).shares.iloc[0]
    assert found[NEAR_NAME] == pytest.approx(np.mean(near)) and np.mean(near) > 0


@pytest.fixture
def table(tmp_path: Path, smiles: list[str]) -> Path:
    """Four assays of 12 that overlap."""
    rows = [
        (text, f"A{k}", k + i / 3) for k in range(4) for i, text in enumerate(smiles[4 * k :][:12])
    ]
    path = tmp_path / "assays.csv"
    pd.DataFrame(rows, columns=["smiles", "assay_id", "value"]).to_csv(path, index=False)
    return path


def test_a_split_is_drawn_written_and_audited(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    split, report = tmp_path / "split.json", tmp_path / "audit.md"
    drawn = ["data", "split", "--data-path", str(table), "--validation", "1", "--test", "1"]
    drawn += ["--least", "10", "--seed", "3", "--output", str(split)]
    assert main(drawn) == 0
    found = json.loads(split.read_text())
    assert found["drawn"] == {"name": "split", "seed": 3, "least": 10}
    assert main(drawn) == 2  # the split is not overwritten
    assert "exists" in capsys.readouterr().err
    look = ["data", "audit", "--data-path", str(table), "--split", str(split)]
    for protocol, leaks in (("overlapping", True), ("molecule-disjoint", False)):
        assert main([*look, "--protocol", protocol, "--output", str(report), "--overwrite"]) == 0
        row = next(line for line in report.read_text().splitlines() if "| training |" in line)
        assert (row.split("|")[4].strip() != "0.0 %") == leaks
    assert main([*look, "--protocol", "molecule-halves"]) == 0
    assert capsys.readouterr().out.count("Leakage audit") == 4

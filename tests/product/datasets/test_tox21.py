"""A real wide table: MoleculeNet's Tox21, where a copy lies beside the checkout."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from molmeta import Classification, read_table

TOX21 = Path(__file__).parents[4] / "shared" / "data" / "tox21.csv.gz"


@pytest.mark.skipif(not TOX21.exists(), reason="no ../shared/data/tox21.csv.gz beside the checkout")
def test_tox21() -> None:
    table = read_table(TOX21)
    assert len(table.assays) == 12
    assert all(isinstance(assay.target, Classification) for assay in table.assays.values())
    assert table.report.rows == 7_831
    raw = pd.read_csv(TOX21).drop(columns=["mol_id", "smiles"])
    readable = raw.drop(index=table.report.rejected["row"].astype(int) - 1)
    kept = sum(len(assay) for assay in table.assays.values())
    left_out = int((table.report.conflicts["action"] == "left out").sum())
    assert kept + table.report.merged + left_out == readable.notna().to_numpy().sum()
    assert set(table.report.rejected["status"]) == {"invalid"}  # 8 with RDKit of 2026: metals
    assert 0.02 < table.assays["NR-AR"].values.mean() < 0.06  # 309 of 7,265 rows are active

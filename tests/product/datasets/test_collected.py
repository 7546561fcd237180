"""Several tables as one collection: every assay once, and what is tested is nowhere else."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pandas as pd
import pytest

from molmeta.cli import options
from molmeta.cli.main import main
from molmeta.datasets import collected, read_fs_mol, read_table, split_assays
from molmeta.tasks import Assays


@pytest.fixture
def paths(tmp_path: Path, embedded: Assays) -> list[str]:
    """FS-Mol's table of three tasks; and one whose assays share molecules, and a name, with it."""
    smiles = embedded["CHEMBL2034_Ki"].molecules.smiles[:80]
    parts = [("train", 0), ("valid", 20), ("test", 40)]
    rows = [
        (text, f"CHEMBL{start}", part, i % 2, "", "pXC50", "=", "B")
        for part, start in parts
        for i, text in enumerate(smiles[start : start + 20])
    ]
    columns = ["smiles", "assay_id", "split", "label", "value", "type", "relation", "assay_type"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "fsmol.csv", index=False)
    names = {"CHEMBL40": smiles[:20], "mine": smiles[30:60], "others": smiles[60:80]}
    rows = [
        {"smiles": text, "assay_id": name, "y": 5 + i / 10}
        for name, some in names.items()
        for i, text in enumerate(some)
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "mine.csv", index=False)
    return [str(tmp_path / "fsmol.csv"), str(tmp_path / "mine.csv")]


@pytest.mark.parametrize("order", [1, -1])
def test_what_is_tested_is_nowhere_else(paths: list[str], order: int) -> None:
    read = [read_fs_mol(paths[0]), (read_table(paths[1]), None)][::order]
    table, names = collected([one for one, _ in read], [split for _, split in read])
    assert names is not None
    assert names["test"] == ["CHEMBL40"] and names["validation"] == ["CHEMBL20"]
    assert set(names["train"]) == {"CHEMBL0", "mine", "others"}
    first = table.assays["CHEMBL40"]
    assert first.target.kind == ("classification" if order == 1 else "regression")
    assert "1 assays of several, each taken from the first" in str(table.report)
    split = split_assays(table.assays, names)
    held = split.test.smiles() | split.validation.smiles()
    assert not held & split.train.smiles() and len(split.train["others"]) == 20


def test_one_molecule_is_one_of_all_tables(paths: list[str]) -> None:
    tables = [read_fs_mol(paths[0])[0], read_table(paths[1])]
    assays = collected(tables, [None, None])[0].assays
    alone = {name: assay for table in tables[::-1] for name, assay in table.assays.items()}
    for name, assay in assays.items():
        assert list(assay.molecules.smiles) == list(alone[name].molecules.smiles)
        assert list(assay.values) == list(alone[name].values)


def test_a_command_takes_several_tables(
    paths: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.csv"
    command = ["benchmark", "--data-path", *paths, "--learners", "nearest_neighbours"]
    more = ["--support-sizes", "4", "--draws", "1", "--save-dir", str(tmp_path / "runs")]
    assert main([*command, *more, "--output", str(output)]) == 0
    said = capsys.readouterr().err
    assert "fsmol.csv: " in said and "mine.csv: read 70 rows" in said
    assert set(pd.read_csv(output)["task"]) == {"CHEMBL40"}
    assert "fsmol.csv mine.csv" in output.with_suffix(".md").read_text()


def test_what_is_shipped_stands_alone() -> None:
    with pytest.raises(options.ConfigError, match="'embedded' beside other assays"):
        options.assay_paths(Namespace(n_way=None, data_path=["embedded", "mine.csv"]))

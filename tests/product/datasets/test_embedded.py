"""The embedded data: what was promised, and built as the README there says."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from molmeta import embedded_split, load_embedded
from molmeta.datasets.chembl import data_file

ROOT = Path(__file__).parents[3]


def test_counts() -> None:
    assays = load_embedded()
    assert len(assays) == 30
    assert sum(len(assay) for assay in assays.values()) == 48_714
    assert len(assays.smiles()) == 35_633
    values = pd.concat([pd.Series(assay.values) for assay in assays.values()])
    assert 2 < values.min() < values.max() < 13  # −log10(molar)
    for assay in assays.values():
        assert assay.name == f"{assay.info['target_chembl_id']}_{assay.info['measurement']}"
        assert assay.info["target_name"] and assay.info["target_class"]


def test_one_value_by_hand() -> None:
    # the wheel's first row of CHEMBL1862_Ki: 500 nM, that is 6.301
    assay = load_embedded()["CHEMBL1862_Ki"]
    position = assay.molecules.smiles.index("Nc1[nH]cnc2nnc(-c3ccc(Cl)cc3)c1-2")
    assert assay.values[position] == 6.301


def test_split_by_target_and_molecule() -> None:
    split = embedded_split()
    assert [len(side) for side in split] == [18, 4, 8]
    targets = [{assay.info["target_chembl_id"] for assay in side.values()} for side in split]
    assert not targets[0] & targets[1] | targets[0] & targets[2] | targets[1] & targets[2]
    train, validation, test = (side.smiles() for side in split)
    assert not train & test | train & validation | validation & test


def test_without_taking_molecules_out_nothing_is_lost() -> None:
    split = embedded_split(molecule_disjoint=False)
    assert sum(len(assay) for side in split for assay in side.values()) == 48_714


@pytest.mark.parametrize("name", ["chembl_assays.csv.gz", "targets.csv", "split.json"])
def test_checksums_of_the_readme(name: str) -> None:
    readme = data_file("README.md").read_text(encoding="utf-8")
    line = next(line for line in readme.splitlines() if line.startswith(f"| `{name}`"))
    (expected,) = re.findall(r"[0-9a-f]{64}", line)
    assert hashlib.sha256(data_file(name).read_bytes()).hexdigest() == expected


@pytest.fixture
def build(script: Callable[[str], ModuleType]) -> ModuleType:
    """`data/build.py` as a module."""
    return script("data/build.py")


def test_the_split_is_what_the_script_makes(build: ModuleType) -> None:
    targets = pd.read_csv(data_file("targets.csv"))
    assert pd.read_json(data_file("split.json"), typ="series").to_dict() == build.split_by_target(
        targets
    )


def test_the_script_converts(build: ModuleType) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as wheel:
        text = "smiles,exp_mean [nM],y,cliff_mol,split\nOCC,500.0,-2.69897,0,train\n"
        wheel.writestr(build.FOLDER + "CHEMBL1_Ki.csv", text)
    table = build.convert(zipfile.ZipFile(buffer))
    assert table.to_numpy().tolist() == [["CCO", "CHEMBL1_Ki", "6.301"]]


def test_the_script_refuses_another_wheel(
    build: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = tmp_path / "wheel.whl"
    wheel.write_bytes(b"something else")
    monkeypatch.setattr("sys.argv", ["build.py", "--wheel", str(wheel)])
    monkeypatch.setattr(build, "HERE", tmp_path)
    with pytest.raises(SystemExit, match="sha256"):
        build.main()
    assert [path.name for path in tmp_path.iterdir()] == ["wheel.whl"]

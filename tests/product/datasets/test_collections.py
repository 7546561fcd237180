"""Files of MoleculeNet and FS-Mol: read where they lie, and nothing wrong is taken for them."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from molmeta import Classification
from molmeta.cli.main import main
from molmeta.datasets.fs_mol import read_fs_mol
from molmeta.datasets.moleculenet import read_moleculenet
from molmeta.errors import ConfigError, DataError
from molmeta.tasks.targets import Regression

TOX21 = Path(__file__).parents[4] / "shared" / "data" / "tox21.csv.gz"


@pytest.fixture
def sider(tmp_path: Path, smiles: list[str]) -> Path:
    """A file with the columns of SIDER's."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.integers(0, 2, (20, 3)), columns=["Eye disorders", "B", "C"])
    frame.insert(0, "smiles", smiles[:20])
    path = tmp_path / "sider.csv.gz"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture
def cache(tmp_path: Path, sider: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a network that holds the file, gzipped."""
    import deepchem.utils.data_utils as theirs

    monkeypatch.setenv("MOLMETA_CACHE", str(tmp_path / "cache"))
    content = sider.read_bytes()

    def download(url: str, folder: str, name: str) -> None:
        (Path(folder) / name).write_bytes(content)

    monkeypatch.setattr(theirs, "download_url", download)
    return tmp_path / "cache"


@pytest.mark.skipif(not TOX21.exists(), reason="no ../shared/data/tox21.csv.gz beside the checkout")
def test_tox21_is_the_file_that_everybody_means() -> None:
    table = read_moleculenet("tox21", TOX21)
    assert len(table.assays) == 12 and "mol_id" not in table.assays


def test_another_file_is_not_taken_for_tox21(sider: Path) -> None:
    with pytest.raises(DataError, match="not 495d33293740"):
        read_moleculenet("tox21", sider)


def test_a_collection_is_read_from_a_path(sider: Path) -> None:
    assays = read_moleculenet("sider", sider).assays
    assert list(assays) == ["Eye disorders", "B", "C"]
    assert all(assay.target == Classification(2) for assay in assays.values())


def test_a_download_is_kept_and_held_to_its_first_checksum(cache: Path) -> None:
    first = read_moleculenet("sider").assays
    (cache / "sider.csv.gz.sha256").read_text()
    assert list(read_moleculenet("sider").assays) == list(first)
    (cache / "sider.csv.gz").write_bytes(b"something else")
    with pytest.raises(DataError, match="delete it and get it again"):
        read_moleculenet("sider")


def test_an_unknown_collection_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match="did you mean 'toxcast'"):
        read_moleculenet("toxcats")


def test_a_file_that_cannot_be_had_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import deepchem.utils.data_utils as theirs

    def fails(url: str, folder: str, name: str) -> None:
        (Path(folder) / name).write_bytes(b"half")
        raise OSError(f"no route to {url}")

    monkeypatch.setenv("MOLMETA_CACHE", str(tmp_path))
    monkeypatch.setattr(theirs, "download_url", fails)
    with pytest.raises(DataError, match=r"muv\.csv\.gz cannot be downloaded.*no route"):
        read_moleculenet("muv")
    assert not list(tmp_path.iterdir())


def test_a_download_that_ends_early_is_not_kept(
    cache: Path, monkeypatch: pytest.MonkeyPatch, sider: Path
) -> None:
    import deepchem.utils.data_utils as theirs

    half = sider.read_bytes()[:-20]
    monkeypatch.setattr(
        theirs, "download_url", lambda url, folder, name: (Path(folder) / name).write_bytes(half)
    )
    with pytest.raises(DataError, match=r"sider\.csv\.gz cannot be downloaded"):
        read_moleculenet("sider")
    assert not (cache / "sider.csv.gz").exists()


def test_another_file_than_was_published_is_not_kept(cache: Path) -> None:
    with pytest.raises(DataError, match="not 495d33293740"):
        read_moleculenet("tox21")  # the network holds SIDER's
    assert not (cache / "tox21.csv.gz").exists()


@pytest.mark.parametrize("value", ["1", "true", "yes"])
def test_offline_nothing_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("MOLMETA_CACHE", str(tmp_path))
    monkeypatch.setenv("MOLMETA_OFFLINE", value)
    with pytest.raises(DataError, match=r"MOLMETA_OFFLINE is set and .*muv\.csv\.gz is not there"):
        read_moleculenet("muv")


def test_offline_what_is_in_the_cache_is_read(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_moleculenet("sider")
    monkeypatch.setenv("MOLMETA_OFFLINE", "1")
    assert len(read_moleculenet("sider").assays) == 3


@pytest.mark.slow
def test_of_two_processes_one_downloads_and_a_kill_leaves_nothing_half_written(
    tmp_path: Path, sider: Path
) -> None:
    """Three processes ask at once; the first is killed while it downloads."""
    content = tmp_path / "content.gz"
    content.write_bytes(sider.read_bytes())
    cache = tmp_path / "cache"
    environment = {**os.environ, "MOLMETA_CACHE": str(cache)}
    command = [sys.executable, "-c", DOWNLOADS, str(content), str(tmp_path / "log")]
    first = subprocess.Popen(command, env=environment)
    deadline = time.monotonic() + 60
    while not list(cache.glob(".sider.csv.gz-*/sider.csv.gz")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    first.kill()
    first.wait()
    assert not (cache / "sider.csv.gz").exists()
    others = [subprocess.Popen(command, env=environment) for _ in range(2)]
    assert [process.wait(timeout=120) for process in others] == [0, 0]
    assert (cache / "sider.csv.gz").read_bytes() == content.read_bytes()
    assert not list(cache.glob(".sider.csv.gz-*"))
    assert (tmp_path / "log").read_text().count("downloads") == 2  # the killed one, and one of two


DOWNLOADS = """
import sys, time
import deepchem.utils.data_utils as theirs
from molmeta.datasets.moleculenet import read_moleculenet
def slowly(url, folder, name):
    with open(sys.argv[2], "a") as log:
        log.write("downloads\\n")
    content = open(sys.argv[1], "rb").read()
    with open(f"{folder}/{name}", "wb") as file:
        for start in range(0, len(content), 256):
            file.write(content[start : start + 256])
            file.flush()
            time.sleep(0.3)
theirs.download_url = slowly
read_moleculenet("sider")
"""


@pytest.fixture
def tasks(tmp_path: Path, smiles: list[str]) -> Path:
    """Two tasks for training, one for validation and one for the test, of 24 molecules."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "fs-mol"
    for part, names in {"train": "AB", "valid": "C", "test": "D"}.items():
        (folder / part).mkdir(parents=True)
        for name in names:
            measured = rng.normal(6, 1, 24)
            lines = [
                json.dumps(
                    {
                        "SMILES": text,
                        "Property": str(float(value > np.median(measured))),
                        "RegressionProperty": str(10 ** (9 - value)),
                        "LogRegressionProperty": str(value),
                        "graph": {"node_features": [[1, 2]]},
                    }
                )
                for text, value in zip(smiles, measured, strict=False)
            ]
            with gzip.open(folder / part / f"CHEMBL{name}.jsonl.gz", "wt") as file:
                file.write("\n".join(lines))
    return folder


def test_fs_mols_folder_is_assays_and_a_split(tasks: Path) -> None:
    table, names = read_fs_mol(tasks)
    assert names == {
        "train": ["CHEMBLA", "CHEMBLB"],
        "validation": ["CHEMBLC"],
        "test": ["CHEMBLD"],
    }
    assert table.assays["CHEMBLD"].values.sum() == 12
    measured, _ = read_fs_mol(tasks, measured=True)
    assay = measured.assays["CHEMBLD"]
    assert isinstance(assay.target, Regression) and 3 < assay.values.min() < assay.values.max() < 9
    np.testing.assert_array_equal(assay.binarise().active, table.assays["CHEMBLD"].values)


def test_fs_mols_folder_is_benchmarked(tasks: Path, tmp_path: Path) -> None:
    command = ["benchmark", "--data-path", str(tasks), "--protocol", "overlapping"]
    command += ["--learners", "nearest_neighbours", "--support-sizes", "8", "--draws", "2"]
    command += ["--save-dir", str(tmp_path / "runs"), "--output", str(tmp_path / "out.csv")]
    assert main(command) == 0
    scores = pd.read_csv(tmp_path / "out.csv")
    assert set(scores["task"]) == {"CHEMBLD"} and set(scores["support_size"]) == {8}
    assert "| test | 24 | training | 100.0 % |" in (tmp_path / "out.md").read_text()


def test_what_is_wrong_with_a_folder_of_tasks_is_said(tasks: Path, tmp_path: Path) -> None:
    file = tasks / "test" / "CHEMBLD.jsonl.gz"
    content = file.read_bytes()
    file.write_bytes(content[:-20])
    with pytest.raises(DataError, match=r"CHEMBLD\.jsonl\.gz is damaged"):
        read_fs_mol(tasks)
    file.write_bytes(gzip.compress(b'{"SMILES": "CCO"}\n'))
    with pytest.raises(DataError, match=r"line 1 is no JSON with SMILES and .*Property"):
        read_fs_mol(tasks)
    file.rename(file.with_name("CHEMBLA.jsonl.gz"))
    with pytest.raises(DataError, match="line 1"):
        read_fs_mol(tasks)
    (tasks / "test" / "CHEMBLA.jsonl.gz").write_bytes(content)
    with pytest.raises(DataError, match="CHEMBLA in two parts"):
        read_fs_mol(tasks)
    with pytest.raises(DataError, match=r"no train/, valid/ or test/"):
        read_fs_mol(tmp_path)

"""The model that is shipped: offline, small, whole, and the same in every version."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from golden_pretrained import FILE, predictions
from product_commands import python

from molmeta import FewShotClassifier, FewShotRegressor
from molmeta.datasets.chembl import data_file, embedded_split
from molmeta.errors import CheckpointError
from molmeta.evaluation.leakage import known_molecules
from molmeta.models.checkpoints import DEFAULT, PRETRAINED, from_pretrained

ROOT = Path(__file__).parents[3]
FOLDER = PRETRAINED / DEFAULT


def test_predictions_are_those_that_were_committed() -> None:
    golden = json.loads(FILE.read_text())
    assert from_pretrained().sha256 == golden["sha256"]
    for name, found in predictions().items():
        np.testing.assert_allclose(found, golden["predictions"][name], rtol=2e-4, atol=2e-5)


def test_it_is_a_few_megabytes_and_nothing_in_it_runs_code() -> None:
    files = {path.name: path.stat().st_size for path in FOLDER.iterdir()}
    assert sum(files.values()) < 6_000_000
    assert {name.rpartition(".")[2] for name in files} == {"safetensors", "json", "csv", "md"}


def test_it_works_at_once_without_network() -> None:
    """A process of its own, in which every socket is an error."""
    done = python("-c", OFFLINE)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(2, 2)"


OFFLINE = """
import socket
def refuse(*_, **__):
    raise OSError("no network")
socket.socket.connect = refuse
socket.getaddrinfo = refuse
from molmeta import FewShotClassifier
model = FewShotClassifier.from_pretrained()
drugs = ["CCO", "CCN", "c1ccccc1O", "c1ccccc1N"]
print(model.fit(drugs, [0, 0, 1, 1]).predict_proba(["CCC", "c1ccccc1"]).shape)
"""


def test_it_never_saw_the_assays_and_molecules_that_it_is_judged_on() -> None:
    """The demo stays honest: no molecule of its test assays, by skeleton, was in training."""
    test = embedded_split().test
    smiles = sorted(test.smiles())
    known = known_molecules(FOLDER, smiles)
    assert known is not None
    # stereoisomers of a test molecule may be in training; the same SMILES never is
    assert known.mean() < 0.02
    train = sorted(embedded_split().train.smiles())[:500]
    seen = known_molecules(FOLDER, train)
    assert seen is not None and seen.mean() > 0.5  # others are in ChEMBL-22 test assays


def test_the_card_has_command_checksums_seed_and_results() -> None:
    card = (FOLDER / "README.md").read_text()
    assert "python benchmarks/default/build.py" in card and "seed 0" in card
    digests = dict(re.findall(r"- `([^`]+)`, sha256 `([0-9a-f]{64})`", card))
    assert set(digests) == {"chembl22_assays.csv.gz", "chembl_assays.csv.gz", "default.toml"}
    for name, path in (
        ("chembl_assays.csv.gz", data_file("chembl_assays.csv.gz")),
        ("default.toml", ROOT / "benchmarks" / "default" / "default.toml"),
    ):
        assert digests[name] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert "| classes |" in card and "| measured values |" in card
    assert from_pretrained().sha256[:12] in (FOLDER / "config.json").read_text()


def test_damage_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(FOLDER, folder)
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1000] ^= 1
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match="checksum"):
        FewShotClassifier.from_pretrained(folder)


def test_one_model_serves_classes_and_values() -> None:
    smiles = ["CCO", "CCN", "c1ccccc1O", "c1ccccc1N", "CCCCO", "c1ccncc1"]
    base = from_pretrained()
    classes = FewShotClassifier(base, calibrate=False).fit(smiles, [0, 0, 1, 1, 0, 1])
    values = FewShotRegressor(base, calibrate=False).fit(smiles, [4.0, 4.2, 6, 6.3, 4.1, 5.9])
    assert classes.predict(["c1ccccc1C"]) == [1]
    assert values.predict(["c1ccccc1C"])[0] > values.predict(["CCCN"])[0]

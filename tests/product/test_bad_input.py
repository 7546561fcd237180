"""Bad input: one line that says what was found and what to do, exit code 2, nothing written."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from product_commands import adapt_command, screen_command

from molmeta.cli.main import main
from molmeta.errors import CheckpointError
from molmeta.models.checkpoints import from_pretrained, json_sha256, load_assay

GOOD = "smiles,activity\n" + "".join(f"{'C' * i}O,{i % 2}\n" for i in range(1, 11))


def refused(command: list[str], capsys: pytest.CaptureFixture[str], *said: str) -> None:
    """The command fails with one line that says all of `said`."""
    assert main(command) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("molmeta: error: ")
    for text in said:
        assert text in lines[0]


TABLES: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "missing column": (b"name,activity\nx?,1\ny?,0\n", ("'smiles'", "name")),
    "empty file": (b"", ("empty",)),
    "header alone": (b"smiles,activity\n", ("no rows",)),
    "not UTF-8": (GOOD.encode() + b"CCC,1," + b"\x81", ("utf-8",)),
    "infinite label": (GOOD.encode() + b"CCCCN,1e999\n", ("row 11", "'1e999'", "finite")),
    "label that is text": (GOOD.encode() + b"CCCCN,high\n", ("row 11", "'high'")),
    "one class": (GOOD.replace(",0", ",1").encode(), ("class 0",)),
    "one measurement": (b"smiles,activity\nCCO,1\n", ("1 usable",)),
    "no readable molecule": (b"smiles,activity\nxyz,1\nqqq,0\n", ("no row",)),
    "too many cells": (GOOD.encode() + b"CCC,1,2,3\n", ("CSV",)),
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_bad_table_is_refused(
    kind: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content, said = TABLES[kind]
    data = tmp_path / "data.csv"
    data.write_bytes(content)
    out = tmp_path / "out" / "assay.safetensors"
    capsys.readouterr()
    refused(adapt_command(data, model, out, "--target-columns", "activity"), capsys, *said)
    assert not out.parent.exists()


def test_a_missing_table_is_refused(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "assay.safetensors"
    refused(adapt_command(tmp_path / "none.csv", model, out), capsys, "there is no file")
    assert not out.exists()


def test_a_truncated_gzip_is_refused(
    model: Path, assay: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = gzip.compress(GOOD.encode() * 50)
    data = tmp_path / "data.csv.gz"
    data.write_bytes(whole[: len(whole) // 2])
    out = tmp_path / "out.csv"
    refused(adapt_command(data, model, tmp_path / "a.safetensors"), capsys, "truncated")
    refused(screen_command(data, model, assay, out), capsys, "truncated")
    assert [path.name for path in tmp_path.iterdir()] == ["data.csv.gz"]


def test_a_threshold_beyond_all_values_is_refused(
    model: Path, new_assay: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "assay.safetensors"
    command = adapt_command(new_assay, model, out, "--threshold", "99")
    refused(command, capsys, "all 32 measurements are inactive", "median")
    command = adapt_command(new_assay, model, out, "--threshold", "nan")
    refused(command, capsys, "'nan'")
    assert not out.exists()


def test_a_learner_that_cannot_predict_values_says_so(
    model: Path, new_assay: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "assay.safetensors"
    refused(adapt_command(new_assay, model, out, "--regression"), capsys, "regression", "threshold")
    assert not out.exists()


def test_a_support_larger_than_the_assay_is_refused(
    long_table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "results.csv"
    command = ["benchmark", "--learners", "nearest_neighbours", "--data-path", str(long_table)]
    command += ["--support-sizes", "64", "--draws", "1", "--output", str(out)]
    assert main(command) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "60" in error or "30 active" in error
    assert "smaller support" in error
    assert not out.exists()


CONFIGS: dict[str, tuple[str, tuple[str, ...]]] = {
    "unknown key": ("[training]\nstep = 5\n", ("'step'", "'steps'")),
    "unknown table": ("[trainings]\nsteps = 5\n", ("'trainings'", "'training'")),
    "wrong type": ("[training]\nsteps = 'many'\n", ("steps", "int")),
    "not TOML": ("[training\n", ("not TOML",)),
    "unknown learner": ("", ("'prototypicl'", "'prototypical'")),
    "unknown option": ("", ("depth",)),
}


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_bad_configuration_is_refused(
    kind: str,
    long_table: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    more, said = CONFIGS[kind]
    learner = "prototypicl" if kind == "unknown learner" else "prototypical"
    option = "depth = 3\n" if kind == "unknown option" else ""
    path = tmp_path / "config.toml"
    path.write_text(
        f'[model.learner]\nname = "{learner}"\n[model.encoder]\nname = "gin"\n{option}{more}'
    )
    folder = tmp_path / "run"
    command = ["train", "--config", str(path), "--data-path", str(long_table)]
    assert main([*command, "--save-dir", str(folder)]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("molmeta: error: ")
    assert all(text in error for text in said), error
    assert not folder.exists()


def flip_a_byte(folder: Path) -> None:
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


def cut_short(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def another_width(folder: Path) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["experiment"]["model"]["encoder"]["width"] = 16
    config["experiment_sha256"] = json_sha256(config["experiment"])
    path.write_text(json.dumps(config))


def another_policy(folder: Path) -> None:
    path = folder / "config.json"
    path.write_text(path.read_text().replace('"max_atoms": 1000', '"max_atoms": 1100'))


def no_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


DAMAGE: dict[Callable[[Path], None], str] = {
    flip_a_byte: "checksum",
    cut_short: "not a whole safetensors file",
    another_width: "shape",
    another_policy: "checksum",
    no_config: "config.json",
    no_weights: "model.safetensors",
}


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda f: f.__name__)
def test_a_damaged_model_is_refused(
    damage: Callable[[Path], None],
    model: Path,
    new_assay: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model, folder)
    damage(folder)
    out = tmp_path / "assay.safetensors"
    refused(adapt_command(new_assay, folder, out), capsys, DAMAGE[damage])
    assert not out.exists()


@pytest.mark.parametrize("name", ["config.json", "assay"])
def test_a_flipped_bit_is_refused_or_changes_nothing(
    name: str, model: Path, assay: Path, tmp_path: Path
) -> None:
    base = from_pretrained(model)
    folder = tmp_path / "model"
    shutil.copytree(model, folder)
    path = folder / name if name == "config.json" else tmp_path / "assay.safetensors"
    content = (model / name if name == "config.json" else assay).read_bytes()
    known = load_assay(assay, base)
    for place in range(0, len(content), 1 + len(content) // 300):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 7
        path.write_bytes(changed)
        try:
            if name == "config.json":
                assert from_pretrained(folder).experiment == base.experiment
            else:
                found = load_assay(path, base)
                same = (found.name, found.target, found.counts, found.info)
                assert same == (known.name, known.target, known.counts, known.info)
        except CheckpointError as error:
            assert "\n" not in str(error)


def test_a_model_that_is_not_there_is_refused(
    new_assay: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "assay.safetensors"
    refused(adapt_command(new_assay, tmp_path / "none", out), capsys, "no model folder")
    refused(adapt_command(new_assay, "siamese", out), capsys, "molmeta train")


def test_an_assay_of_another_model_or_damaged_is_refused(
    model: Path,
    assay: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    library = tmp_path / "library.csv"
    library.write_text("smiles\nCCO\n")
    out = tmp_path / "out.csv"
    command = screen_command(library, "random_forest", assay, out)
    refused(command, capsys, "not from 'random_forest'")
    damaged = tmp_path / "damaged.safetensors"
    content = bytearray(assay.read_bytes())
    content[-1] ^= 1
    damaged.write_bytes(content)
    refused(screen_command(library, model, damaged, out), capsys, "checksum")
    weights = model / "model.safetensors"
    refused(screen_command(library, model, weights, out), capsys, "not an adapted assay")
    assert not out.exists()


def test_nothing_that_exists_is_overwritten_unasked(
    model: Path, assay: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library = tmp_path / "library.csv"
    library.write_text("smiles\nCCO\n")
    out = tmp_path / "out.csv"
    out.write_text("precious")
    refused(screen_command(library, model, assay, out), capsys, "exists", "--overwrite")
    assert out.read_text() == "precious"
    command = screen_command(library, model, assay, library, "--overwrite")
    refused(command, capsys, "is an input")
    assert library.read_text() == "smiles\nCCO\n"
    assert main(screen_command(library, model, assay, out, "--overwrite")) == 0
    assert "score" in out.read_text()


def test_a_library_that_has_the_column_already_is_refused(
    model: Path, assay: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library = tmp_path / "library.csv"
    library.write_text("smiles,status\nCCO,new\n")
    out = tmp_path / "out.csv"
    refused(screen_command(library, model, assay, out), capsys, "'status'", "rename")
    library.write_bytes("smiles\nCCO\n".encode("utf-16"))
    refused(screen_command(library, model, assay, out), capsys, "UTF-8")
    assert [path.name for path in tmp_path.iterdir()] == ["library.csv"]


def test_a_device_that_is_not_there_is_refused(
    model: Path, new_assay: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = adapt_command(new_assay, model, tmp_path / "a.safetensors")
    command[command.index("--device") + 1] = "nonsense"
    refused(command, capsys, "'nonsense'", "auto")

"""What a run is taken up from is what was written, or is refused with what to do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from molmeta.cli.main import main
from molmeta.errors import CheckpointError
from molmeta.models.tensor_files import read_safetensors, write_tensors
from molmeta.training.progress import progress_of, read_progress


def command(folder: Path, config: Path, long_table: Path) -> list[str]:
    return [
        *("train", "--config", str(config), "--data-path", str(long_table)),
        *("--save-dir", str(folder), "--device", "cpu"),
    ]


@pytest.fixture
def run(model: Path, tmp_path: Path) -> Path:
    """A run that is over, whose folder may be changed."""
    return Path(shutil.copytree(model, tmp_path / "run"))


def test_every_flipped_bit_is_found(run: Path) -> None:
    path = run / "checkpoint.safetensors"
    content = path.read_bytes()
    for place in range(8, len(content), 1 + len(content) // 200):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 7
        path.write_bytes(changed)
        with pytest.raises(CheckpointError):
            read_progress(path)


def test_a_flipped_weight_ends_the_command_in_one_line(
    run: Path, config: Path, long_table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = run / "checkpoint.safetensors"
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    capsys.readouterr()
    assert main(command(run, config, long_table)) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("molmeta: error: ") and "delete the file to begin" in error
    path.unlink()
    assert main(command(run, config, long_table)) == 0


def test_a_history_that_was_edited_is_not_believed(run: Path) -> None:
    path = run / "checkpoint.safetensors"
    content = path.read_bytes()
    assert content.count(b'\\"step\\": 4') == 1
    path.write_bytes(content.replace(b'\\"step\\": 4', b'\\"step\\": 3'))
    with pytest.raises(CheckpointError, match="checksum"):
        progress_of(run)


def test_what_a_run_took_is_read_off_its_checkpoint(run: Path) -> None:
    (run / "history.csv").write_text("step,loss,score\n100,0.1,0.9\n")
    (run / "environment.json").write_text('{"training_seconds": 1e9}')
    found = progress_of(run)
    assert found.step == 6 and len(found.history) == 3 and found.seconds < 1e6
    (run / "checkpoint.safetensors").unlink()  # as models are published
    assert progress_of(run).step == 100
    (run / "environment.json").write_text('{"training_seconds": "long"}')
    with pytest.raises(CheckpointError, match="training_seconds"):
        progress_of(run)
    (run / "history.csv").write_text("steps\n1\n")
    with pytest.raises(CheckpointError, match=r"history\.csv"):
        progress_of(run)


FORGED = {
    "no step": ("step", None),
    "a step that is text": ("step", '"six"'),
    "a step below zero": ("step", "-1"),
    "a history of numbers": ("history", "[1, 2]"),
    "a look without a loss": ("history", '[{"step": 2}]'),
    "a score that is none": ("history", '[{"step": 2, "loss": 1, "score": NaN}]'),
    "no JSON": ("history", "[{"),
    "deep JSON": ("identity", "[" * 100_000),
    "another run": ("identity", "{}"),
    "seconds that are a list": ("seconds", "[1]"),
}


@pytest.mark.parametrize("kind", FORGED)
def test_a_forged_header_is_refused(
    kind: str, run: Path, config: Path, long_table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, (key, text) = run / "checkpoint.safetensors", FORGED[kind]
    tensors, header = read_safetensors(path)
    said = {k: v for k, v in header.items() if k not in ("header_sha256", "state_sha256", key)}
    write_tensors(path, tensors, said if text is None else {**said, key: text})
    capsys.readouterr()
    assert main(command(run, config, long_table)) == 2
    assert "checkpoint.safetensors" in capsys.readouterr().err.strip().splitlines()[-1]


@pytest.mark.parametrize("part", ["model|", "best|", "optimiser|"])
def test_forged_tensors_are_refused(
    part: str, run: Path, config: Path, long_table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = run / "checkpoint.safetensors"
    tensors, header = read_safetensors(path)
    said = {k: v for k, v in header.items() if k not in ("header_sha256", "state_sha256")}
    name = max(name for name in tensors if name.startswith(part) and tensors[name].ndim)
    for changed in (
        {**tensors, name: torch.zeros(2, 3, 5)},
        {key: tensor for key, tensor in tensors.items() if key != name or part == "optimiser|"}
        | {f"{part}more|x": torch.zeros(1)},
    ):
        write_tensors(path, changed, said)
        capsys.readouterr()
        assert main(command(run, config, long_table)) == 2
        assert "is of another model" in capsys.readouterr().err.strip().splitlines()[-1]


def test_the_header_is_plain_json(run: Path) -> None:
    header = read_safetensors(run / "checkpoint.safetensors")[1]
    assert json.loads(header["step"]) == 6

"""Two processes train one learner: the gradient of one process, one run folder, one voice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from molmeta.device import resolve
from molmeta.errors import ConfigError
from molmeta.models.checkpoints import from_pretrained

SCRIPT = Path(__file__).with_name("torchrun_steps.py")
LAUNCH = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python with one thread a process; ten minutes without an end are a failure."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)


def train(config: Path, table: Path, folder: Path) -> list[str]:
    """Arguments that train on the CPU."""
    return [
        *("-m", "molmeta", "train", "--config", str(config), "--data-path", str(table)),
        *("--save-dir", str(folder), "--device", "cpu"),
    ]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Tensor]]:
    """What one process computes, and each of two."""
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    for arguments in ([str(SCRIPT), str(one)], [*LAUNCH, str(SCRIPT), str(two)]):
        done = python(*arguments)
        assert done.returncode == 0, done.stderr
    paths = {"alone": one / "0", "first": two / "0", "second": two / "1"}
    return {name: load_file(path.with_suffix(".safetensors")) for name, path in paths.items()}


@pytest.mark.slow
@pytest.mark.parametrize("learner", ["prototypical", "maml", "by_molecule"])
def test_two_processes_have_the_gradient_of_one(found, learner):
    alone, first, second = (
        {key: t for key, t in tensors.items() if key.startswith(learner)}
        for tensors in found.values()
    )
    gradients = [t for key, t in alone.items() if ".gradient." in key]
    assert len(gradients) >= 10 and all(t.dtype == torch.float64 for t in gradients)
    assert sum(t.abs().max() > 1e-6 for t in gradients) > len(gradients) // 2
    torch.testing.assert_close(first, alone, rtol=1e-6, atol=1e-10)
    torch.testing.assert_close(second, first, rtol=0, atol=0)


@pytest.mark.slow
def test_a_gradient_that_a_process_lacks_counts_as_zero(found):
    for name in ("first", "second"):
        sums = {key: t.tolist() for key, t in found[name].items() if key.startswith("sums.")}
        assert sums == {
            "sums.everyone": [3.0, 3.0],
            "sums.first": [5.0, 5.0],
            "sums.last": [7.0, 7.0],
            "sums.number": 4.0,
            "sums.broadcast": 3.25,
            "sums.same": float(name == "first"),
        }


@pytest.mark.slow
def test_no_thread_outlives_the_group(found):
    assert [found[name]["threads"].item() for name in ("first", "second")] == [0, 0]


@pytest.mark.slow
def test_the_command_writes_one_run_that_equals_that_of_one_process(
    config: Path, long_table: Path, model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "two"
    done = python(*LAUNCH, *train(config, long_table, folder))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(f"{long_table}: ") == 1, done.stderr
    assert done.stderr.count(f"is in {folder}") == 1, done.stderr
    assert done.stdout == ""
    assert {p.name for p in folder.iterdir()} == {p.name for p in model.iterdir()}
    for place, processes in ((folder, 2), (model, 1)):
        assert json.loads((place / "environment.json").read_text())["processes"] == processes
    weights, expected = (from_pretrained(p).learner.state_dict() for p in (folder, model))
    torch.testing.assert_close(dict(weights), dict(expected), rtol=1e-4, atol=1e-4)
    history, known = (pd.read_csv(place / "history.csv") for place in (folder, model))
    pd.testing.assert_frame_equal(history[["step", "loss"]], known[["step", "loss"]], rtol=1e-4)
    assert history["score"].notna().all()

    before = (folder / "model.safetensors").read_bytes()
    again = python(*LAUNCH, *train(config, long_table, folder))  # both read the checkpoint
    assert again.returncode == 0, again.stderr
    assert (folder / "model.safetensors").read_bytes() == before


@pytest.mark.slow
def test_more_processes_than_episodes_are_refused(
    config: Path, long_table: Path, tmp_path: Path
) -> None:
    small = tmp_path / "small.toml"
    small.write_text(config.read_text().replace("meta_batch_size = 2", "meta_batch_size = 1"))
    done = python(*LAUNCH, *train(small, long_table, tmp_path / "run"))
    assert done.returncode != 0
    assert "2 processes share a meta-batch of 1" in done.stderr
    assert "raise meta_batch_size to 2 or more, or lower the number of processes" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_process_takes_the_gpu_of_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "77")
    with pytest.raises(ConfigError, match="device 'cuda:77' cannot be used"):
        resolve("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(ConfigError, match="device 'cuda:77' cannot be used"):
        resolve("auto")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve("auto") == torch.device("cpu")

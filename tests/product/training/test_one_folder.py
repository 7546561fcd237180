"""Two runs of one folder wait for each other, and what a killed one left is cleared."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock, Timeout

from molmeta.cli.main import main
from molmeta.errors import DataError
from molmeta.training import runs

FILES = {
    "README.md",
    "checkpoint.safetensors",
    "config.json",
    "environment.json",
    "history.csv",
    "model.safetensors",
}


def command(config: Path, data: Path, folder: Path) -> list[str]:
    return [
        *("train", "--config", str(config), "--data-path", str(data)),
        *("--save-dir", str(folder), "--device", "cpu"),
    ]


def test_a_folder_is_held_until_all_is_written(
    config: Path, long_table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, held = tmp_path / "run", []

    def looking(name: str) -> None:
        whole = getattr(runs, name)

        def look(*args: Any, **options: Any) -> Any:
            with pytest.raises(Timeout):
                FileLock(folder / ".lock").acquire(timeout=0)
            held.append(name)
            return whole(*args, **options)

        monkeypatch.setattr(runs, name, look)

    looking("save_pretrained")
    looking("model_card")
    assert main(command(config, long_table, folder)) == 0
    assert held == ["save_pretrained", "model_card"]
    assert {path.name for path in folder.iterdir()} == FILES


def test_a_second_run_waits_whatever_its_cache(
    config: Path, long_table: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    with FileLock(folder / ".lock"):
        second = subprocess.Popen(
            [sys.executable, "-m", "molmeta", *command(config, long_table, folder)],
            env={**os.environ, "OMP_NUM_THREADS": "1", "MOLMETA_CACHE": str(tmp_path / "cache")},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert second.stderr is not None
        said = next((line for line in second.stderr if "another run trains in" in line), "")
        assert str(folder) in said
        assert {path.name for path in folder.iterdir()} == {".lock"}
    second.communicate()
    assert second.returncode == 0
    assert {path.name for path in folder.iterdir()} == FILES


def test_processes_that_train_together_are_refused_a_folder_that_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "world_size", lambda: 2)
    with (
        FileLock(tmp_path / ".lock"),
        pytest.raises(DataError, match=r"another run trains in .*; let it end first"),
        runs._alone_in(tmp_path),
    ):
        pass
    with runs._alone_in(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]
    assert not list(tmp_path.iterdir())


def test_what_a_killed_run_left_is_cleared_and_nothing_else(
    config: Path, long_table: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    for name in FILES:
        (folder / f".{name}.4242.part").write_text("half")
    (folder / ".notes.4242.part").write_text("precious")
    assert main(command(config, long_table, folder)) == 0
    assert {path.name for path in folder.iterdir()} == {*FILES, ".notes.4242.part"}

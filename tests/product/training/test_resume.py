"""A run that is killed goes on to the same bits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from molmeta.cli.main import main


def test_killed_and_given_again_equals_unbroken(
    config: Path, long_table: Path, tmp_path: Path
) -> None:
    slow = tmp_path / "slow.toml"
    text = config.read_text().replace("steps = 6", "steps = 400\npatience = 1000")
    slow.write_text(text.replace("evaluate_every = 2", "evaluate_every = 4"))

    def command(folder: Path) -> list[str]:
        return [
            *("train", "--config", str(slow), "--data-path", str(long_table)),
            *("--save-dir", str(folder), "--device", "cpu"),
        ]

    broken, checkpoint = tmp_path / "broken", tmp_path / "broken" / "checkpoint.safetensors"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "molmeta", *command(broken)],
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    while not checkpoint.exists():
        assert process.poll() is None, "the run ended before it wrote a checkpoint"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (broken / "model.safetensors").exists(), "the run was over before the kill"

    assert main(command(broken)) == 0
    assert main(command(tmp_path / "unbroken")) == 0
    for name in ("model.safetensors", "history.csv", "config.json", "README.md"):
        assert (broken / name).read_bytes() == (tmp_path / "unbroken" / name).read_bytes(), name

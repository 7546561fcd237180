"""The commands of the product, as the tests give them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def adapt_command(data: Path, model: Path | str, out: Path, *more: str) -> list[str]:
    """`molmeta adapt` with the paths given."""
    return [
        *("adapt", "--data-path", str(data), "--model-path", str(model)),
        *("--assay-path", str(out), "--device", "cpu", *more),
    ]


def screen_command(
    library: Path, model: Path | str, assay: Path, out: Path, *more: str
) -> list[str]:
    """`molmeta screen` with the paths given, in this process unless `more` says otherwise."""
    return [
        *("screen", "--test-path", str(library), "--model-path", str(model)),
        *("--assay-path", str(assay), "--preds-path", str(out), "--device", "cpu"),
        *("--engine", "here", *more),
    ]


def python(*args: str, **options: object) -> subprocess.CompletedProcess[str]:
    """A process of its own, single-threaded."""
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *args]
    return subprocess.run(command, capture_output=True, text=True, env=env, check=False, **options)  # type: ignore[call-overload]

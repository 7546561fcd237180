"""Peers that cannot share our environment: chemprop, in one that this makes, in its own process."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from types import TracebackType
from typing import Self

from common import LAYERS, WIDTH, smiles

HERE = Path(__file__).parent
FOLDER = HERE / ".peers"
CHEMPROP = ("chemprop==2.3.1", "torch==2.13.0", "cuik-molmaker-pin==2026.3.6")
NAMES = {"": "chemprop 2.3.1", "-cuik": "chemprop 2.3.1 with cuik-molmaker"}


def chemprop_python() -> Path:
    """The interpreter that has chemprop; the environment is made where there is none."""
    python = FOLDER / "bin" / "python"
    if not python.exists():
        print(f"installing {' '.join(CHEMPROP)} into {FOLDER.name}", file=sys.stderr)
        venv.create(FOLDER, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *CHEMPROP], check=True)
    return python


class Chemprop:
    """A process that featurises or predicts the benchmark's molecules, a round a call.

    `what` is `featurise` or `predict`, with `-cuik` behind it for its path through C++.
    """

    def __init__(self, what: str) -> None:
        self.what = what

    def __enter__(self) -> Self:
        self.file = tempfile.NamedTemporaryFile("w", suffix=".txt")
        self.file.write("\n".join(smiles()))
        self.file.flush()
        command = [chemprop_python(), HERE / "chemprop_peer.py", self.what, self.file.name]
        self.process = subprocess.Popen(
            [*map(str, command), str(WIDTH), str(LAYERS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": ""},
        )
        return self

    def __call__(self, _: int) -> float:
        """CPU seconds of one round."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.file.close()

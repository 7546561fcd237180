"""A process that scores rows for another: arguments are a folder, a kind, a device, its parent.

It reads pieces of a library from its standard input and answers on its standard output
(`messages.py`); whatever else writes to standard output goes to standard error.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

from molmeta.screening.messages import receive, send

PR_SET_PDEATHSIG = 1  # of Linux's prctl


def main() -> None:
    """Serve until the other side is gone."""
    folder, kind, device, parent = sys.argv[1:]
    end_with(int(parent))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever asked is interrupted, and ends this
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    import torch

    from molmeta.screening.job import load_assays, load_features
    from molmeta.screening.reading import Ask
    from molmeta.screening.scorer import Scorer

    torch.set_num_threads(1)
    assays, features = load_assays(Path(folder), device), load_features(Path(folder))
    scorer = Scorer(assays, kind, features)  # type: ignore[arg-type]
    send(answers, "ready")
    while (rows := receive(sys.stdin.buffer)) is not None:
        send(answers, scorer.score([Ask(*row) for row in rows]))


def end_with(parent: int) -> None:
    """Be killed when the parent ends, however it does, even if this process hangs or is stopped.

    So it is on Linux; elsewhere a worker ends when it next reads or answers.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it was gone before
            sys.exit(1)

"""A process that scores rows for another; its arguments are a folder, a kind, and a device.

It reads pieces of a library from its standard input and answers on its standard output
(`messages.py`); whatever else writes to standard output goes to standard error.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from molmeta.screening.messages import receive, send


def main() -> None:
    """Serve until the other side is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever asked is interrupted, and ends this
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    import torch

    from molmeta.screening.job import load_assays, load_features
    from molmeta.screening.reading import Ask
    from molmeta.screening.scorer import Scorer

    torch.set_num_threads(1)
    folder, kind, device = sys.argv[1:]
    assays, features = load_assays(Path(folder), device), load_features(Path(folder))
    scorer = Scorer(assays, kind, features)  # type: ignore[arg-type]
    send(answers, "ready")
    while (rows := receive(sys.stdin.buffer)) is not None:
        send(answers, scorer.score([Ask(*row) for row in rows]))

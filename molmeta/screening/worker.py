"""A process that scores rows for another; its arguments are a folder, a kind, and a device.

It reads pieces of a library from its standard input and answers on its standard output, each
message a length and JSON; whatever else writes to standard output goes to standard error.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
from pathlib import Path
from typing import IO, Any

LENGTH = struct.Struct("<Q")


def send(stream: IO[bytes], message: Any) -> None:
    """Write one message."""
    content = json.dumps(message).encode()
    stream.write(LENGTH.pack(len(content)) + content)
    stream.flush()


def receive(stream: IO[bytes]) -> Any:
    """Read one message; None where the other side is gone."""
    start = stream.read(LENGTH.size)
    if len(start) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(start)
    content = stream.read(length)
    return json.loads(content) if len(content) == length else None


def main() -> None:
    """Serve until the other side is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever asked is interrupted, and ends this
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    import torch

    from molmeta.screening.job import load_assays
    from molmeta.screening.reading import Ask
    from molmeta.screening.scorer import Scorer

    torch.set_num_threads(1)
    folder, kind, device = sys.argv[1:]
    scorer = Scorer(load_assays(Path(folder), device), kind)  # type: ignore[arg-type]
    send(answers, "ready")
    while (rows := receive(sys.stdin.buffer)) is not None:
        send(answers, scorer.score([Ask(*row) for row in rows]))

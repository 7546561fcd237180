"""What a worker and whoever watches it say to each other: each message a length and JSON."""

from __future__ import annotations

import json
import struct
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

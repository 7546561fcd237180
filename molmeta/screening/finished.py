"""A note that a screen is finished: written before its output is, removed after all else is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from molmeta.files import file_sha256, read_json, write_atomic
from molmeta.screening.summary import Summary


def note_finished(note: Path, screen: str, files: Mapping[Path, Path], summary: Summary) -> None:
    """Note that a screen is finished once each of `files` has the content of its file.

    Parameters
    ----------
    note : Path
        Where the note stands.
    screen : str
        Which screen.
    files : dict
        Places, and where what belongs there is now.
    summary : Summary
    """
    sums = {str(place.resolve()): file_sha256(part) for place, part in files.items()}
    content = {"screen": screen, "files": sums, "summary": asdict(summary)}
    write_atomic(note, json.dumps(content).encode())


def finished(note: Path, screen: str) -> Summary | None:
    """What became of the rows of a screen, if it is finished and its files are in their places."""
    try:
        found = read_json(note)
        written = all(file_sha256(Path(path)) == sha for path, sha in found["files"].items())
        if found["screen"] != screen or not written:
            return None
        return Summary(**{**found["summary"], "before": True})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None

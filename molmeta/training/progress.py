"""How far a run has come: what a checkpoint says of it beside the tensors."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from torch import Tensor

from molmeta.errors import CheckpointError
from molmeta.files import parse_json, read_json
from molmeta.models import checked_tensors, read_safetensors, write_tensors
from molmeta.schema import matches

FILE = "checkpoint.safetensors"
ANEW = "delete the file to begin the run anew"
KINDS = {"step": int, "history": list[dict], "identity": dict, "seconds": float}


@dataclass(frozen=True)
class Progress:
    """How far a run has come.

    Attributes
    ----------
    step : int
        Meta-batches that were learned from.
    history : list of dict
        A row a look: its `step`, the mean `loss` since the last, and maybe the `score`.
    identity : dict
        What must be equal, as JSON, for a run to go on from here.
    seconds : float
        Of all sittings up to the last look.
    """

    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    identity: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0


def write_progress(path: Path, progress: Progress, tensors: dict[str, Tensor]) -> None:
    """Write progress and tensors as one file, with checksums of both, replaced at once."""
    header = {key: json.dumps(getattr(progress, key)) for key in KINDS}
    write_tensors(path, tensors, header)


def read_progress(path: Path) -> tuple[Progress, dict[str, Tensor]]:
    """What `write_progress` wrote.

    Raises
    ------
    CheckpointError
        The file is missing, or is not what was written.
    """
    tensors, found = read_safetensors(path)
    header = checked_tensors(path, tensors, found, ANEW)
    said = {
        key: parse_json(header.get(key, ""), f"{path}, {key}", CheckpointError) for key in KINDS
    }
    wrong = [key for key, kind in KINDS.items() if not matches(said[key], kind)]
    if wrong or not all(map(_is_look, said["history"])) or said["step"] < 0:
        what = ", ".join(wrong) or "step or history"
        raise CheckpointError(f"{path} has no {what} of a run; {ANEW}")
    return Progress(**said), tensors


def progress_of(folder: Path) -> Progress:
    """How far the run of a folder has come.

    A model that was published without its checkpoint has it from `history.csv` and
    `environment.json`; where there is nothing, no step was taken.

    Raises
    ------
    CheckpointError
        A file is not what was written.
    """
    if (folder / FILE).exists():
        return read_progress(folder / FILE)[0]
    history, seconds = folder / "history.csv", folder / "environment.json"
    looks = _looks(history) if history.exists() else []
    return Progress(
        step=max((int(row["step"]) for row in looks), default=0),
        history=looks,
        seconds=_seconds(seconds) if seconds.exists() else 0.0,
    )


def _looks(path: Path) -> list[dict[str, float]]:
    try:
        rows = pd.read_csv(path).to_dict("records")
    except (ValueError, OSError) as error:
        raise CheckpointError(f"{path} cannot be read as a table ({error}); get it again") from None
    if not all(map(_is_look, rows)):
        raise CheckpointError(
            f"{path} is no history of a run, with 'step' and 'loss'; get it again"
        )
    return rows  # type: ignore[return-value]


def _seconds(path: Path) -> float:
    found = read_json(path, CheckpointError)
    seconds: Any = found.get("training_seconds", 0.0) if isinstance(found, dict) else None
    if not matches(seconds, float):
        raise CheckpointError(f"{path} says no number of 'training_seconds'; get it again")
    return seconds


def _is_look(row: Mapping[Any, Any]) -> bool:
    """Whether a row is of numbers, a step and a loss among them; the score is finite."""
    numbers = all(isinstance(one, int | float) for one in row.values())
    return (
        numbers
        and {"step", "loss"} <= row.keys()
        and math.isfinite(row["step"])
        and math.isfinite(row.get("score", 0.0))
    )

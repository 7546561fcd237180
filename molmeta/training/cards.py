"""What is written beside a result: the machine and the versions, and a run's page."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

import torch

from molmeta.models import BaseModel
from molmeta.training.distributed import world_size

SHOWN = 10  # names of assays that are left out


def environment_json(extra: Mapping[str, Any] | None = None) -> str:
    """Versions, machine and processes, and what else is given, as JSON."""
    packages = ("molmeta", "torch", "torch-geometric", "rdkit", "scikit-learn", "numpy", "pandas")
    record = {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "threads": torch.get_num_threads(),
        "processes": world_size(),
        "packages": {name: metadata.version(name) for name in packages},
    }
    return json.dumps({**record, **(extra or {})}, indent=2) + "\n"


def listed(names: Sequence[str]) -> str:
    """Names, the first ten of many."""
    if len(names) > SHOWN:
        return f"{', '.join(names[:SHOWN])} and {len(names) - SHOWN} more"
    return ", ".join(names) or "none"


def model_card(
    model: BaseModel, history: Sequence[Mapping[str, float]], facts: Sequence[str]
) -> str:
    """What a person wants to know of a run, in Markdown; the last fact says what selected it."""
    experiment = model.experiment
    scores = [row for row in history if "score" in row]
    *facts, selected = facts
    lines = [
        f"learner: `{experiment.model.learner}` on the encoder `{experiment.model.encoder}`",
        f"predicts: {experiment.model.target}",
        *facts,
        f"weights: {sum(p.numel() for p in model.learner.parameters()):,} parameters, "
        f"sha256 of tensors {model.sha256}",
    ]
    if scores:
        best = max(scores, key=lambda row: row["score"])
        looks = f"{len(scores)} looks"
        lines.append(f"{selected}: {best['score']:.3f} at step {best['step']:.0f} ({looks})")
    return "\n".join([f"# {experiment.name}", "", *(f"- {line}" for line in lines)]) + "\n"

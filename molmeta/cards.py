"""What is written beside a result: the machine and the versions, and a run's page."""

from __future__ import annotations

import json
import os
import platform
from importlib import metadata

import torch

from molmeta.distributed import world_size
from molmeta.models import BaseModel


def environment_json() -> str:
    """Versions, machine and processes, as JSON."""
    packages = ("molmeta", "torch", "torch-geometric", "rdkit", "scikit-learn", "numpy", "pandas")
    record = {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "threads": torch.get_num_threads(),
        "processes": world_size(),
        "packages": {name: metadata.version(name) for name in packages},
    }
    return json.dumps(record, indent=2) + "\n"


def model_card(
    model: BaseModel, history: list[dict[str, float]], n_assays: int, left_out: list[str]
) -> str:
    """What a person wants to know of a run, in Markdown."""
    experiment = model.experiment
    scores = [row for row in history if "score" in row]
    best = max(scores, key=lambda row: row["score"]) if scores else None
    lines = [
        f"# {experiment.name}",
        "",
        f"- learner: `{experiment.model.learner}` on the encoder `{experiment.model.encoder}`",
        f"- predicts: {experiment.model.target}",
        f"- meta-trained on {n_assays} assays; seed {experiment.training.seed}",
        f"- left out, as of one class or too small for an episode: {', '.join(left_out) or 'none'}",
        f"- weights: {sum(p.numel() for p in model.learner.parameters()):,} parameters, "
        f"sha256 of tensors {model.sha256}",
    ]
    if best:
        lines.append(
            f"- selected at step {best['step']:.0f} by mean ΔAUPRC on validation assays: "
            f"{best['score']:.3f} ({len(scores)} looks)"
        )
    return "\n".join(lines) + "\n"

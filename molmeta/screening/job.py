"""What a screen is: the assays as files, and all that its output depends on."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from molmeta.files import file_sha256, write_atomic
from molmeta.models import (
    CHUNK,
    AdaptedAssay,
    from_pretrained,
    load_assay,
    save_assay,
    save_pretrained,
    tensors_sha256,
)
from molmeta.screening.libraries import Library
from molmeta.screening.scorer import added_columns
from molmeta.screening.supervisor import STALL
from molmeta.tasks import target_to_dict

FEATURES = "features-path"
SHARD = 8 * CHUNK  # rows that are scored and kept together


@dataclass(frozen=True)
class Job:
    """Assays that a library is to be scored by.

    Attributes
    ----------
    assays : sequence of AdaptedAssay
    library : Library
    stall : float
        Seconds after which a worker that does not answer is taken for stalled.
    features : Path, optional
        A folder where features are kept; on which the output does not depend.
    """

    assays: Sequence[AdaptedAssay]
    library: Library
    stall: float = STALL
    features: Path | None = None

    @property
    def columns(self) -> list[str]:
        """What is added to each row."""
        return added_columns(self.assays, self.library.kind)

    @property
    def device(self) -> str:
        """Where workers compute: where the assays do."""
        return str(self.assays[0].base.learner.device)

    def identity(self) -> dict[str, Any]:
        """All that the output depends on, as JSON."""
        base = self.assays[0].base
        identity = {
            "molmeta": metadata.version("molmeta"),
            "rdkit": metadata.version("rdkit"),
            "library": file_sha256(self.library.path),
            "header": self.library.header,
            "smiles column": self.library.smiles_column,
            "columns": self.columns,
            "kind": self.library.kind,
            "shard": SHARD,
            "chunk": CHUNK,
            "model": base.sha256,
            "experiment": base.experiment.to_dict(),
            "assays": [
                [assay.name, tensors_sha256(assay.state), target_to_dict(assay.target)]
                for assay in self.assays
            ],
            "torch": metadata.version("torch"),
            "device": self.device,
        }
        return json.loads(json.dumps(identity))


def save_assays(job: Job, folder: Path) -> None:
    """The model, the assays and where features are kept as files, for other processes."""
    base = job.assays[0].base
    save_pretrained(base.learner, base.experiment, folder / "model")
    saved = from_pretrained(folder / "model")  # its checksum is another, if it was of 16 bits
    for number, assay in enumerate(job.assays):
        save_assay(replace(assay, base=saved), folder / f"assay-{number:05d}.safetensors")
    kept = b"" if job.features is None else os.fsencode(job.features.resolve())
    write_atomic(folder / FEATURES, kept)


def load_features(folder: Path) -> Path | None:
    """Where features are kept, as `save_assays` wrote it."""
    kept = (folder / FEATURES).read_bytes()
    return Path(os.fsdecode(kept)) if kept else None


def load_assays(folder: Path, device: str = "cpu") -> list[AdaptedAssay]:
    """What `save_assays` wrote, in order."""
    base = from_pretrained(folder / "model", device)
    return [load_assay(path, base) for path in sorted(folder.glob("assay-*.safetensors"))]

"""What a screen is: the assays as files, and all that its output depends on."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from molmeta.files import file_sha256, json_sha256, write_atomic
from molmeta.models import (
    CHUNK,
    AdaptedAssay,
    BaseModel,
    Trusted,
    from_pretrained,
    load_assay,
    load_trusted,
    save_assay,
    save_pretrained,
    tensors_sha256,
)
from molmeta.screening.columns import adapted_assay, added_columns
from molmeta.screening.libraries import Library
from molmeta.screening.supervisor import STALL
from molmeta.tasks import target_to_dict

FEATURES, TRUSTED = "features-path", "trusted"
SHARD = 8 * CHUNK  # rows that are scored and kept together


@dataclass(frozen=True)
class Job:
    """Assays that a library is to be scored by.

    Attributes
    ----------
    assays : sequence of AdaptedAssay or Trusted
    library : Library
    stall : float
        Seconds after which a worker that does not answer is taken for stalled.
    features : Path, optional
        A folder where features are kept; on which the output does not depend.
    """

    assays: Sequence[AdaptedAssay | Trusted]
    library: Library
    stall: float = STALL
    features: Path | None = None

    @property
    def columns(self) -> list[str]:
        """What is added to each row."""
        return added_columns(self.assays, self.library.kind)

    @property
    def adapted(self) -> list[AdaptedAssay]:
        """The assays, without what is known of trust."""
        return [adapted_assay(one) for one in self.assays]

    @property
    def base(self) -> BaseModel:
        """The model of all of them."""
        return self.adapted[0].base

    @property
    def device(self) -> str:
        """Where workers compute: where the assays do."""
        return str(self.base.learner.device)

    def identity(self) -> dict[str, Any]:
        """All that the output depends on, as JSON."""
        base = self.base
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
                for assay in self.adapted
            ],
            "trust": [
                json_sha256(one.to_dict()) for one in self.assays if isinstance(one, Trusted)
            ],
            "torch": metadata.version("torch"),
            "device": self.device,
        }
        return json.loads(json.dumps(identity))


def save_assays(job: Job, folder: Path) -> None:
    """The model, the assays and where features are kept as files, for other processes."""
    base = job.base
    save_pretrained(base.learner, base.experiment, folder / "model")
    saved = from_pretrained(folder / "model")  # its checksum is another, if it was of 16 bits
    for number, (one, adapted) in enumerate(zip(job.assays, job.adapted, strict=True)):
        adapted = replace(adapted, base=saved)
        whole = replace(one, adapted=adapted) if isinstance(one, Trusted) else adapted
        save_assay(whole, folder / f"{_mark(one)}-{number:05d}.safetensors")
    kept = b"" if job.features is None else os.fsencode(job.features.resolve())
    write_atomic(folder / FEATURES, kept)


def load_features(folder: Path) -> Path | None:
    """Where features are kept, as `save_assays` wrote it."""
    kept = (folder / FEATURES).read_bytes()
    return Path(os.fsdecode(kept)) if kept else None


def load_assays(folder: Path, device: str = "cpu") -> list[AdaptedAssay | Trusted]:
    """What `save_assays` wrote, in order."""
    base = from_pretrained(folder / "model", device)
    paths = sorted(folder.glob("*-*.safetensors"))
    return [
        load_trusted(path, base) if path.name.startswith(TRUSTED) else load_assay(path, base)
        for path in paths
    ]


def _mark(one: AdaptedAssay | Trusted) -> str:
    """How the name of its file begins."""
    return TRUSTED if isinstance(one, Trusted) else "assay"

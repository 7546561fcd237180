"""Features of the rows of libraries on disk: a library that is screened again is not read again."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import rdkit
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from molmeta.featurizers import Policy
from molmeta.files import write_atomic
from molmeta.models import BaseModel
from molmeta.molecules import BLOCKS, Block, Molecules, made_by, put_together, taken_apart
from molmeta.screening import reading
from molmeta.screening.libraries import Kind
from molmeta.screening.reading import Ask

HEADER, DIGITS = "checksum and about", 64


@dataclass(frozen=True)
class Described:
    """Rows of a library, read and featurised.

    Attributes
    ----------
    places : sequence of int
        The rows that have a molecule.
    molecules : Molecules
        Theirs, with the blocks that a model reads.
    smiles : sequence of str
        Standardised, where they are shown (of an SDF); otherwise none.
    others : dict
        Status and reason of each other row.
    """

    places: Sequence[int]
    molecules: Molecules
    smiles: Sequence[str]
    others: dict[int, tuple[str, str]]


class FeatureStore:
    """A folder of features, a file for each 1,024 rows, of any number of libraries and models.

    A file is named by the checksum of all that its content depends on: the texts of the rows, the
    policy by which they are read, RDKit's version, and the code of the featurisers. So it is found
    by whoever has the same rows, whatever library they stand in, and by nobody else. It is whole or
    not there, memory-mapped, and has a checksum; a million molecules take about a gigabyte.

    Parameters
    ----------
    folder : Path
    policy : Policy
    kind : {"smiles", "molblock"}
    blocks : sequence of str
        That a model reads.
    """

    def __init__(self, folder: Path, policy: Policy, kind: Kind, blocks: Sequence[str]) -> None:
        self.folder, self.policy, self.kind, self.blocks = folder, policy, kind, tuple(blocks)

    @classmethod
    def of(cls, folder: Path, base: BaseModel, kind: Kind) -> FeatureStore:
        """For what a model reads."""
        return cls(folder, base.experiment.model.policy, kind, base.blocks)

    def told(self, rows: Sequence[Ask]) -> str:
        """What becomes of a library that begins with these rows."""
        path = self.path(rows)
        if path is None:
            return f"features were not kept in {self.folder}: this model reads none that can be"
        done = "were taken from" if path.is_file() else "were put into"
        return f"features {done} {self.folder}"

    @cached_property
    def _made_by(self) -> str | None:
        """What the rows are turned into features by, as text; None where it cannot be told."""
        codes = [made_by(name) for name in self.blocks]
        if not codes or None in codes:
            return None
        code = sha256(Path(str(reading.__file__)).read_bytes()).hexdigest()
        about = [self.kind, asdict(self.policy), rdkit.__version__, self.blocks, codes, code]
        return json.dumps(about)

    def path(self, rows: Sequence[Ask]) -> Path | None:
        """Where the features of these rows stand; None where no file can tell what made them."""
        if self._made_by is None:
            return None
        key = sha256(f"{self._made_by}\n{json.dumps(rows)}".encode(errors="surrogatepass"))
        name = key.hexdigest()[:40]
        return self.folder / name[:2] / f"{name}.safetensors"

    def read(self, rows: Sequence[Ask]) -> Described | None:
        """The features of these rows; None where they are not kept, or damaged."""
        path = self.path(rows)
        if path is None or not path.is_file():
            return None
        try:
            arrays, about = _read(path)
            blocks = {name: _block(name, arrays, about["blocks"][name]) for name in self.blocks}
            others = {int(place): (status, why) for place, status, why in about["others"]}
            places = [i for i in range(len(rows)) if i not in others]
            molecules = Molecules.of_blocks(blocks, len(places))
            return Described(places, molecules, about["smiles"], others)
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            warnings.warn(f"{path} is damaged ({error}) and is made again", stacklevel=2)
            return None

    def keep(self, rows: Sequence[Ask], found: Described) -> None:
        """Write the features of these rows; a folder that cannot be written to is warned of."""
        path = self.path(rows)
        made = {name: found.molecules.block(name) for name in self.blocks}
        if path is None or any(type(block) not in BLOCKS.values() for block in made.values()):
            return
        arrays: dict[str, np.ndarray] = {}
        about: dict[str, Any] = {"smiles": list(found.smiles), "blocks": {}}
        about["others"] = [[place, *why] for place, why in found.others.items()]
        for name, block in made.items():
            kind, parts, numbers = taken_apart(block)
            arrays |= {f"{name}.{key}": part for key, part in parts.items()}
            about["blocks"][name] = {"kind": kind, **numbers}
        text = json.dumps(about)
        try:
            write_atomic(path, save(arrays, {HEADER: _digest(arrays, text) + text}))
        except OSError as error:
            warnings.warn(f"{path} could not be kept: {error}", stacklevel=2)


def _read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    with safe_open(path, "np") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}
        header = file.metadata()[HEADER]
    digest, about = header[:DIGITS], header[DIGITS:]
    if _digest(arrays, about) != digest:
        raise ValueError("its checksum is wrong")
    return arrays, json.loads(about)


def _digest(arrays: dict[str, np.ndarray], about: str) -> str:
    content = sha256(about.encode())
    for name in sorted(arrays):
        content.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        content.update(np.ascontiguousarray(arrays[name]).data)
    return content.hexdigest()


def _block(name: str, arrays: dict[str, np.ndarray], about: dict[str, Any]) -> Block:
    """A block among the arrays of a file."""
    mark = f"{name}."
    own = {key.removeprefix(mark): part for key, part in arrays.items() if key.startswith(mark)}
    numbers = {key: part for key, part in about.items() if key != "kind"}
    return put_together(about["kind"], own, numbers)

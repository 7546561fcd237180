"""Features of the rows of libraries on disk: a library that is screened again is not read again."""

from __future__ import annotations

import inspect
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
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from torch import nn

from molmeta.encoders import Encoder, Whitened
from molmeta.featurizers import Policy
from molmeta.files import write_atomic
from molmeta.models import BaseModel, tensors_sha256
from molmeta.molecules import BLOCKS, Block, Dense, Molecules, made_by, put_together, taken_apart
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
    not there, memory-mapped, and has a checksum. A million molecules take 1.2 GB of fingerprints
    and descriptors, and 4 bytes for each number of a network's vectors: 2 GB more with `default`.

    Parameters
    ----------
    folder : Path
    policy : Policy
    kind : {"smiles", "molblock"}
    blocks : sequence of str
        That a model reads.
    networks : sequence of Encoder
        Of the model, that stay as they are: their vectors are kept, in place of what they read.
    """

    def __init__(
        self,
        folder: Path,
        policy: Policy,
        kind: Kind,
        blocks: Sequence[str],
        networks: Sequence[Encoder] = (),
    ) -> None:
        self.folder, self.policy, self.kind, self.blocks = folder, policy, kind, tuple(blocks)
        self.networks = {f"network{k}": network for k, network in enumerate(networks)}

    @classmethod
    def of(cls, folder: Path, base: BaseModel, kind: Kind) -> FeatureStore:
        """For what a model reads."""
        encoder, policy = getattr(base.learner, "encoder", None), base.experiment.model.policy
        if not isinstance(encoder, Encoder):
            return cls(folder, policy, kind, base.blocks)
        networks = [one for one in encoder.modules() if isinstance(one, Whitened) and not one.free]
        blocks = list(dict.fromkeys(read_beside(encoder, networks)))
        return cls(folder, policy, kind, blocks, networks)

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
        if None in codes or not (codes or self.networks):
            return None
        code = sha256(Path(str(reading.__file__)).read_bytes()).hexdigest()
        about = [self.kind, asdict(self.policy), rdkit.__version__, self.blocks, codes, code]
        networks = [_network_sha256(network) for network in self.networks.values()]
        return json.dumps([*about, networks])

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
            for name, network in self.networks.items():
                molecules.remember(network, Dense(arrays[name]))
            return Described(places, molecules, about["smiles"], others)
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            warnings.warn(f"{path} is damaged ({error}) and is made again", stacklevel=2)
            return None

    def ask(self, molecules: Molecules) -> None:
        """Let molecules remember what is to be kept of them."""
        for network in self.networks.values():
            molecules.remember(network)

    def keep(self, rows: Sequence[Ask], found: Described) -> None:
        """Write the features of these rows; a folder that cannot be written to is warned of."""
        path = self.path(rows)
        made = {name: found.molecules.block(name) for name in self.blocks}
        if path is None or any(type(block) not in BLOCKS.values() for block in made.values()):
            return
        vectors = {name: found.molecules.remembered(one) for name, one in self.networks.items()}
        arrays = {name: one.values for name, one in vectors.items() if one is not None}
        if len(arrays) < len(vectors):
            return
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


def read_beside(encoder: Encoder, networks: Sequence[nn.Module]) -> list[str]:
    """The blocks that an encoder reads beside what some of its networks read."""
    if encoder in networks:
        return []
    parts = [
        part
        for child in encoder.children()
        for part in (child if isinstance(child, nn.ModuleList) else [child])
        if isinstance(part, Encoder)
    ]
    own = getattr(encoder, "shown", ()) if parts else encoder.blocks
    return [*own, *(name for part in parts for name in read_beside(part, networks))]


def _network_sha256(network: nn.Module) -> str:
    """Checksum of all that a network's vectors depend on but the molecules."""
    files = {inspect.getfile(type(one)) for one in network.modules()}
    code = [sha256(Path(path).read_bytes()).hexdigest() for path in sorted(files)]
    weights = tensors_sha256(network.state_dict())
    blocks = [made_by(name) for name in getattr(network, "blocks", ())]
    told = [repr(network), weights, torch.__version__, *code, *map(str, blocks)]
    return sha256(json.dumps(told).encode()).hexdigest()


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

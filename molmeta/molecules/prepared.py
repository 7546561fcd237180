"""Feature blocks of many molecules on disk: computed once, opened in seconds ever after."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import rdkit

from molmeta import registry
from molmeta.files import keep_arrays, kept_arrays
from molmeta.molecules.blocks import Block, Counts, Dense, FeatureGraphs, Graphs
from molmeta.molecules.environments import Environments, Round

BLOCKS: dict[str, type[Block]] = {
    kind.__name__: kind for kind in (Dense, Counts, Graphs, FeatureGraphs)
}


def taken_apart(block: Block) -> tuple[str, dict[str, np.ndarray], dict[str, Any]]:
    """The kind of a block of this package's kinds, its arrays, and its numbers, for files."""
    parts = {field.name: getattr(block, field.name) for field in fields(block)}  # type: ignore[arg-type]
    arrays = {key: part for key, part in parts.items() if isinstance(part, np.ndarray)}
    numbers = {key: part for key, part in parts.items() if key not in arrays}
    return type(block).__name__, arrays, numbers


def put_together(kind: str, arrays: Mapping[str, np.ndarray], numbers: Mapping[str, Any]) -> Block:
    """The block that was `taken_apart`."""
    return BLOCKS[kind](**arrays, **numbers)


class Prepared:
    """A folder that has the blocks of one list of molecules, memory-mapped, with checksums.

    `<folder>/<checksum of the SMILES>/<block>-<checksum of what makes it>/`: the SMILES are
    standardised, so that their list stands for the policy as well; RDKit's version and the code
    of the featurisers stand in the second. What was made by other versions is left alone.

    Parameters
    ----------
    folder : Path
        Of any number of collections.
    smiles : sequence of str
        The molecules, in order.
    """

    def __init__(self, folder: Path, smiles: Sequence[str]) -> None:
        content = sha256("\n".join(smiles).encode()).hexdigest()
        self.folder = folder / content[:20]

    def block(self, name: str) -> Block | None:
        """The block of a name, if it is kept."""
        folder = self._of(name)
        found = folder and kept_arrays(folder)
        if not found:
            return None
        arrays, about = found
        return put_together(about["kind"], arrays, about["numbers"])

    def keep(self, name: str, block: Block) -> None:
        """Write a block of this package's kinds whose featuriser's code can be read."""
        folder = self._of(name)
        if folder is None or type(block) not in BLOCKS.values():
            return
        kind, arrays, numbers = taken_apart(block)
        keep_arrays(folder, arrays, {"kind": kind, "numbers": numbers})

    def environments(self, block: str, radius: int, typed: bool) -> Environments | None:
        """Environments of a block of graphs, if they are kept."""
        folder = self._of(block, f"environments-{radius}{'-typed' if typed else ''}")
        found = folder and kept_arrays(folder)
        if not found:
            return None
        arrays, _ = found
        names = [field.name for field in fields(Round)]
        rounds = [Round(*(arrays[f"{name}-{r}"] for name in names)) for r in range(radius)]
        return Environments(arrays["codes"], rounds, arrays["atoms"])

    def keep_environments(self, block: str, radius: int, typed: bool, found: Environments) -> None:
        """Write them."""
        folder = self._of(block, f"environments-{radius}{'-typed' if typed else ''}")
        if folder is None:
            return
        rounds = {
            f"{name}-{r}": array
            for r, part in enumerate(found.rounds)
            for name, array in vars(part).items()
        }
        keep_arrays(folder, {"codes": found.codes, "atoms": found.atoms, **rounds}, {})

    def _of(self, name: str, what: str = "") -> Path | None:
        code = made_by(name)
        parts = [part for part in (name, what, code) if part]
        return self.folder / "-".join(parts) if code else None


@cache
def made_by(name: str) -> str | None:
    """Checksum of all that a block depends on but the molecules; None where it cannot be told."""
    try:
        source = Path(inspect.getfile(registry.lookup("featurizer", name)))
    except (TypeError, OSError):  # written in a notebook
        return None
    here = Path(__file__).parent
    files = [*sorted(source.parent.glob("*.py")), here / "blocks.py", here / "environments.py"]
    code = [sha256(path.read_bytes()).hexdigest() for path in files]
    return sha256(json.dumps([name, rdkit.__version__, *code]).encode()).hexdigest()[:12]

"""Fingerprints, descriptors and graphs of many molecules in one compiled pass.

RDKit writes each molecule as bytes (`Mol.ToBinary`), and compiled code makes the blocks of these,
equal to what the featurisers ask RDKit for one by one. These stay the definition: whatever is not
known here, a molecule or a version of RDKit, is left to them, and so is everything where numba is
missing, cannot compile, or would need longer to be loaded than few molecules take.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from hashlib import sha256
from importlib import import_module, metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import rdkit
from rdkit import Chem

from molmeta.featurizers import fingerprint
from molmeta.featurizers.descriptors import Descriptors
from molmeta.featurizers.graph import GraphFeaturizer
from molmeta.files import cache_folder, write_atomic

SERVED: dict[str, Callable[[], Any]] = {
    "graph": GraphFeaturizer,
    "descriptors": Descriptors,
    "ecfp4": fingerprint.ecfp4,
    "ecfp6": fingerprint.ecfp6,
    "fcfp4": fingerprint.fcfp4,
    "torsion": fingerprint.torsion,
    "atom_pair": fingerprint.atom_pair,
}
TO_LOAD, TO_COMPILE = 500, 8000  # molecules that RDKit describes in the time that this takes
FILES = ("binary_molecules", "substructures", "atom_kinds", "compiled_pass")
FILES += ("compiled_descriptors", "compiled_fingerprints", "compiled_graph")

Served = tuple[dict[str, Any], np.ndarray]  # blocks, and which molecules have rows in them


class OnePass:
    """The compiled code of this process, loaded when enough molecules have come by."""

    def __init__(self) -> None:
        self._seen = 0
        self._module: ModuleType | None = None
        self._failed = False

    def __call__(
        self, mols: Sequence[Chem.Mol], featurizers: Mapping[str, Callable[[], Any]]
    ) -> Served:
        """The blocks that it serves, of featurisers by name, with the molecules that it knows.

        A featuriser that somebody registered under a name of `SERVED` is not served.
        """
        names = [name for name, made in featurizers.items() if SERVED.get(name) is made]
        self._seen += len(mols)
        if not names or not self._ready():
            return {}, np.zeros(len(mols), dtype=bool)
        assert self._module is not None
        return self._module.compiled_blocks(mols, names)

    def _ready(self) -> bool:
        """Whether it can be used, and is worth it; what goes wrong leaves all to RDKit."""
        if self._module is not None or self._failed:
            return self._module is not None
        if self._seen < TO_LOAD:
            return False
        stamp = cache_folder() / "compiled" / _version()
        if self._seen < TO_COMPILE and not stamp.exists():
            return False
        try:
            module = import_module("molmeta.featurizers.compiled_pass")
            module.check(SERVED)
            self._module = module
            write_atomic(stamp, b"")
        except Exception:
            self._failed = self._module is None
        return self._module is not None


one_pass = OnePass()


@cache
def _version() -> str:
    """Of all that the machine code in numba's cache depends on."""
    try:
        numba = metadata.version("numba")
    except metadata.PackageNotFoundError:
        numba = ""
    here = Path(__file__).parent
    code = b"".join((here / f"{name}.py").read_bytes() for name in FILES)
    about = f"{here} {numba} {rdkit.__version__} {np.__version__} {sys.version}"
    return sha256(about.encode() + code).hexdigest()[:20]

"""RDKit's own descriptors and fragment counts, some two hundred of them."""

from __future__ import annotations

import math

import numpy as np
from rdkit import Chem
from rdkit.Chem import Descriptors

from molmeta.molecules import Dense

# made of others, slow, or of a size that says nothing
LEFT_OUT = ("qed", "SPS", "Ipc", "AvgIpc", "BCUT2D")
FUNCTIONS = {
    name: function for name, function in Descriptors._descList if not name.startswith(LEFT_OUT)
}


class RDKitDescriptors:
    """The `rdkit_descriptors` block: sign(v) · log(1 + |v|) of each descriptor v, `[n, k]`.

    k is that of the RDKit that is installed, 205 or so. What is no number, such as a partial charge
    of an element without parameters, is 0. Four milliseconds a molecule: for pre-training a
    network, which learns to give them (`Imitation`).
    """

    def row(self, mol: Chem.Mol) -> list[float]:
        """The descriptors in their own units."""
        return [_number(function(mol)) for function in FUNCTIONS.values()]

    def collect(self, rows: list[list[float]]) -> Dense:
        """All rows."""
        values = np.array(rows, dtype=np.float64).reshape(-1, len(FUNCTIONS))
        return Dense((np.sign(values) * np.log1p(np.abs(values))).astype(np.float32))


def _number(value: float) -> float:
    return value if math.isfinite(value) else 0.0

"""MiniMol's vectors as an encoder."""

from __future__ import annotations

from torch import Tensor

from molmeta.encoders.base import Encoder
from molmeta.encoders.features import read_block
from molmeta.molecules import BLOCK_WIDTHS, Molecules

BLOCK = "minimol"


class MiniMol(Encoder):
    """The 512 numbers that MiniMol makes of a molecule, frozen (`featurizers/minimol.py`).

    Computed once for a molecule, at some 160 a second on one core, and kept with the other features
    of a collection; above it belongs a `whitened`.

    Returns
    -------
    Tensor
        `[n, 512]`.
    """

    blocks = (BLOCK,)
    dim = BLOCK_WIDTHS[BLOCK]

    def forward(self, x: Molecules) -> Tensor:
        """Look the vectors up: `[n, 512]`."""
        return read_block(x, BLOCK)

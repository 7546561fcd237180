"""Feature blocks as they are: nothing learned."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from molmeta.encoders.base import Encoder
from molmeta.errors import ConfigError
from molmeta.molecules import BLOCK_WIDTHS, Counts, Molecules
from molmeta.registry import nearest


def read_block(x: Molecules, name: str) -> Tensor:
    """One block of a view, dense: `[n, width]` float32."""
    return read_blocks(x, [name])


def read_blocks(x: Molecules, names: Sequence[str], more: int = 0) -> Tensor:
    """Blocks of a view side by side, dense, and `more` columns of zeros: `[n, width]` float32."""
    rows = np.zeros((len(x), sum(BLOCK_WIDTHS[name] for name in names) + more), dtype=np.float32)
    start = 0
    for name in names:
        block, place = x.block(name).take(x.index), slice(start, start + BLOCK_WIDTHS[name])
        if isinstance(block, Counts):
            block.write_into(rows[:, place])
        else:
            rows[:, place] = block.values
        start = place.stop
    return torch.from_numpy(rows)


class Features(Encoder):
    """Feature blocks side by side, without parameters: what a random forest reads.

    Parameters
    ----------
    blocks : sequence of str
        Names of blocks with rows of fixed width, such as `ecfp4` and `descriptors`.

    Attributes
    ----------
    columns : dict of slice
        Where each block stands in a row.

    Returns
    -------
    Tensor
        `[n, sum of widths]` float32.
    """

    def __init__(self, blocks: Sequence[str] = ("ecfp4", "descriptors")) -> None:
        super().__init__()
        for name in blocks:
            if name not in BLOCK_WIDTHS:
                raise ConfigError(
                    f"'{name}' has no rows of fixed width{nearest(name, list(BLOCK_WIDTHS))}"
                )
        self.blocks = tuple(blocks)
        ends = np.cumsum([BLOCK_WIDTHS[name] for name in blocks])
        self.columns = {
            name: slice(int(end) - BLOCK_WIDTHS[name], int(end))
            for name, end in zip(blocks, ends, strict=True)
        }
        self.dim = sum(BLOCK_WIDTHS[name] for name in blocks)

    def forward(self, x: Molecules) -> Tensor:
        """Look the blocks up: `[n, dim]`."""
        return read_blocks(x, self.blocks)

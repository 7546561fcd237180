"""A molecule by its labels in the training assays."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from molmeta.encoders.base import Encoder
from molmeta.encoders.features import Features, read_block
from molmeta.errors import ConfigError
from molmeta.molecules import Molecules
from molmeta.tasks import BLOCK, KnownLabels

READINGS = ("labels", "pattern", "both")


def read_labels(x: Molecules, read: str) -> Tensor:
    """One reading of the block `train_assay_labels` (see `TrainAssayLabels`).

    Raises
    ------
    ConfigError
        No benchmark gave the molecules their labels.
    """
    if BLOCK not in x.computed:
        raise ConfigError(
            "these molecules have no labels of training assays; `molmeta benchmark` gives them"
        )
    block: KnownLabels = x.block(BLOCK)
    rows = torch.from_numpy(block.flags.take(x.index).dense())
    inactive, active = rows[:, 0::2], rows[:, 1::2]
    known = inactive + active
    labels = 2 * (active - known * torch.from_numpy(block.active).to(rows))
    return {"labels": labels, "pattern": known - 0.5}.get(
        read, torch.cat([labels, known - 0.5], dim=1)
    )


class TrainAssayLabels(Encoder):
    """What is known of a molecule from other assays, and nothing of its structure.

    Where test molecules were measured in the training assays, as in the published few-shot
    protocols of Tox21 and SIDER, this tells how much of a score needs no chemistry.

    Parameters
    ----------
    read : str
        `labels`: 2 (y − mean of the assay), and 0 where the molecule was not measured, so that a
        missing label looks like an average one. `pattern`: ½ where it was measured, −½ where not.
        `both`, side by side.

    Returns
    -------
    Tensor
        `[n, T]`, or `[n, 2 T]` for `both`, of T known assays.

    Raises
    ------
    ConfigError
        There is no such reading.
    """

    blocks = (BLOCK,)

    def __init__(self, read: str = "both") -> None:
        super().__init__()
        if read not in READINGS:
            raise ConfigError(f"there is no reading '{read}'; there is: {', '.join(READINGS)}")
        self.read = read
        self.columns = {"labels": slice(0, None)}  # as many as there are assays, when it is used

    def forward(self, x: Molecules) -> Tensor:
        """Look the labels up."""
        return read_labels(x, self.read)


class FeaturesWithLabels(Features):
    """`Features`, the labels in the training assays, and what they let expect.

    Parameters
    ----------
    blocks : sequence of str
        Of `Features`.
    assays : int
        Number T of known assays.
    read : str
        Of `TrainAssayLabels`: with `labels`, the pattern of missing labels tells nothing.

    Returns
    -------
    Tensor
        `[n, sum of widths + T or 2 T + 1]`; the last column, `prior`, is the mean of the labels
        on the scale of √T, about one in spread.
    """

    def __init__(self, blocks: Sequence[str], assays: int, read: str = "both") -> None:
        super().__init__(blocks)
        self.shown, self.read, self.assays = self.blocks, read, assays
        self.blocks = (*self.shown, BLOCK)
        width = assays * (2 if read == "both" else 1)
        self.columns["labels"] = slice(self.dim, self.dim + width)
        self.columns["prior"] = slice(self.dim + width, self.dim + width + 1)
        self.dim += width + 1

    def forward(self, x: Molecules) -> Tensor:
        """Look the blocks and the labels up: `[n, dim]`."""
        labels = read_labels(x, self.read)
        expected = read_labels(x, "labels").sum(dim=1, keepdim=True) / self.assays**0.5
        rows = [read_block(x, name) for name in self.shown]
        return torch.cat([*rows, labels, expected], dim=1)

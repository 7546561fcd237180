"""Morgan environments with a learned weight each."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from molmeta.encoders.base import Encoder
from molmeta.encoders.features import read_block
from molmeta.molecules import BLOCK_WIDTHS, Molecules


class WeightedFingerprint(Encoder):
    r"""Presence of each Morgan environment times a learned weight, scaled to length √dim.

    .. math:: f_j(x) = \sqrt{d}\; w_j [c_j(x) > 0] \,/\, \lVert w \odot [c(x) > 0] \rVert

    Untrained, all weights are one. There is no bottleneck: a few-shot head sees every column, and
    what is learned from other assays is which environments matter.

    Returns
    -------
    Tensor
        `[n, 2048]`.
    """

    blocks = ("ecfp4",)

    def __init__(self) -> None:
        super().__init__()
        self.dim = BLOCK_WIDTHS["ecfp4"]
        self.log_weight = nn.Parameter(torch.zeros(self.dim))

    def forward(self, x: Molecules) -> Tensor:
        """Encode molecules: `[n, dim]`."""
        present = (read_block(x, "ecfp4") > 0).to(self.device, self.log_weight.dtype)
        return self.dim**0.5 * F.normalize(present * self.log_weight.exp(), dim=1)

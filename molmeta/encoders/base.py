"""What every encoder is."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn

from molmeta.tasks import Inputs


class Encoder(nn.Module):
    """Inputs `[n, ...]` to vectors `[n, dim]`.

    Attributes
    ----------
    dim : int
        Width of the output.
    shape : tuple of int, optional
        (C, H, W) with C · H · W = dim, where a learner may see the output as feature maps.
    blocks : tuple of str
        The feature blocks that it reads of `Molecules` (to compute them ahead).
    transductive : bool
        A row depends on the rows that are encoded with it.
    non_negative : bool
        Every entry of a vector is ≥ 0, and tells how much there is of something.
    """

    dim: int
    shape: tuple[int, int, int] | None = None
    blocks: tuple[str, ...] = ()
    transductive: bool = False
    non_negative: bool = False

    @abstractmethod
    def forward(self, x: Inputs) -> Tensor:
        """Encode `n` inputs: `[n, dim]`."""

    @property
    def fixed_below(self) -> tuple[Encoder, nn.Module] | None:
        """What training leaves as it is, and what is trained on the vectors of that; or none.

        Vectors of the first are computed once, before training.
        """
        return None

    def begin_with(self, *encoders: nn.Module) -> None:
        """Take the weights of an encoder of the same kind and sizes.

        One that is `joined` of several takes those of as many, where more than one is given.

        Raises
        ------
        RuntimeError
            The sizes, or the numbers of encoders, differ.
        """
        if len(encoders) != 1:
            raise RuntimeError(f"one encoder cannot begin with {len(encoders)}")
        self.load_state_dict(encoders[0].state_dict())

    @property
    def device(self) -> torch.device:
        """Where the parameters are (the CPU if there are none)."""
        return next((p.device for p in self.parameters()), torch.device("cpu"))

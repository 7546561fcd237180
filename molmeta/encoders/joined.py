"""Several encoders side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from molmeta import registry
from molmeta.encoders.base import Encoder
from molmeta.errors import ConfigError
from molmeta.tasks import Inputs


class Joined(Encoder):
    """The vectors of several encoders, laid end to end.

    Parameters
    ----------
    parts : sequence of mapping
        Each encoder's registered name and options. One whose width is known only when it is used
        (`train_assay_labels`) comes last; one at most has a network that `encoder_from` gives.

    Attributes
    ----------
    columns : dict of slice
        Where each part's blocks, its `vector` or its `labels` stand in a row.

    Returns
    -------
    Tensor
        `[n, sum of widths]`.

    Raises
    ------
    ConfigError
        Two parts have columns of one name.
    """

    def __init__(self, parts: Sequence[Mapping[str, Any]]) -> None:
        super().__init__()
        specs = [dict(part) for part in parts]
        built = [registry.lookup("encoder", one.pop("name"))(**one) for one in specs]
        self.parts = nn.ModuleList(built)
        self.blocks = tuple(dict.fromkeys(name for part in built for name in part.blocks))
        self.columns: dict[str, slice] = {}
        self.dim = 0
        for part in built:
            for name, place in part.columns.items():
                if name in self.columns:
                    raise ConfigError(f"two parts of 'joined' have '{name}'; leave one out")
                stop = None if place.stop is None else self.dim + place.stop
                self.columns[name] = slice(self.dim + place.start, stop)
            self.dim += getattr(part, "dim", 0)

    def forward(self, x: Inputs) -> Tensor:
        """Encode inputs: `[n, sum of widths]`."""
        return torch.cat([part(x) for part in self.parts], dim=1)

    def begin_with(self, encoder: nn.Module) -> None:
        """Give the part that has weights those of an encoder of the same sizes."""
        for part in self.parts:
            if list(part.parameters()):
                part.begin_with(encoder)  # type: ignore[operator]

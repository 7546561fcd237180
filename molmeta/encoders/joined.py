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

VECTOR = "vector"  # what a network makes of a molecule


class Joined(Encoder):
    """The vectors of several encoders, laid end to end.

    Parameters
    ----------
    parts : sequence of mapping
        Each encoder's registered name and options. One whose width is known only when it is used
        (`train_assay_labels`) comes last. An `encoder_from` gives the weights of the one part that
        has some, or, if it is joined of the same parts, of all.

    Attributes
    ----------
    columns : dict of slice
        Where each part's blocks, its `labels`, or its `vector` stand in a row; vectors side by side
        are one.

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
        built: list[Encoder] = [registry.make("encoder", part) for part in parts]
        self.parts = nn.ModuleList(built)
        self.blocks = tuple(dict.fromkeys(name for part in built for name in part.blocks))
        self.columns: dict[str, slice] = {}
        self.dim = 0
        for part in built:
            self._place(getattr(part, "columns", None) or {VECTOR: slice(0, part.dim)})
            self.dim += getattr(part, "dim", 0)

    def _place(self, columns: Mapping[str, slice]) -> None:
        """Note where the columns of the next part stand."""
        for name, place in columns.items():
            start, known = self.dim + place.start, self.columns.get(name)
            if known is not None and (name != VECTOR or known.stop != start):
                raise ConfigError(f"two parts of 'joined' have '{name}'; leave one out")
            stop = None if place.stop is None else self.dim + place.stop
            self.columns[name] = slice(known.start if known else start, stop)

    def forward(self, x: Inputs) -> Tensor:
        """Encode inputs: `[n, sum of widths]`."""
        return torch.cat([part(x) for part in self.parts], dim=1)

    def begin_with(self, *encoders: nn.Module) -> None:
        """Take the weights of one of the same parts; else, of one for each part that has some."""
        if len(encoders) == 1 and isinstance(encoders[0], Joined):
            return super().begin_with(*encoders)
        learned = [part for part in self.parts if list(part.parameters())]
        if len(encoders) not in (1, len(learned)):
            raise RuntimeError(f"{len(learned)} parts cannot begin with {len(encoders)} encoders")
        for k, part in enumerate(learned):
            part.begin_with(encoders[k % len(encoders)])  # type: ignore[operator]

"""One more layer on an encoder that stays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from molmeta import registry
from molmeta.encoders.base import Encoder
from molmeta.tasks import Inputs


class Stacked(Encoder):
    """A linear layer A on the vectors h of a network: z = A h.

    A starts as the identity, so that a network which was pre-trained is read as it is at first.
    MAML, FOMAML and Reptile move A and the head in their inner loops, and leave the network; for
    other learners A is a metric that training tasks choose.

    Parameters
    ----------
    network : mapping
        The network's registered name and options, such as those of a `whitened`.

    Returns
    -------
    Tensor
        `[n, dim]`, with the network's width.
    """

    def __init__(self, network: Mapping[str, Any]) -> None:
        super().__init__()
        self.network: Encoder = registry.make("encoder", network)
        self.dim, self.blocks = self.network.dim, self.network.blocks
        self.layer = nn.Linear(self.dim, self.dim, bias=False)
        nn.init.eye_(self.layer.weight)

    def forward(self, x: Inputs) -> Tensor:
        """Encode inputs: `[n, dim]`."""
        return self.layer(self.network(x))

    @property
    def fixed_below(self) -> tuple[Encoder, nn.Module] | None:
        """The network, where it is fixed, and the layer."""
        below = self.network.fixed_below
        fixed = below is not None and below[0] is self.network
        return (self.network, self.layer) if fixed else None

    def begin_with(self, *encoders: nn.Module) -> None:
        """Take the weights of the network from encoders of the same sizes."""
        self.network.begin_with(*encoders)

"""Vectors of a frozen network, in coordinates that no few of them rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from molmeta import registry
from molmeta.encoders.base import Encoder
from molmeta.errors import ConfigError
from molmeta.molecules import Molecules
from molmeta.tasks import Inputs

NOTHING = 1e-12  # of the largest variance: a direction in which nothing varies


class Whitened(Encoder):
    r"""Principal coordinates of a network's vectors h, each over a power of its variance.

    .. math:: z = \big(\Lambda + r \bar\lambda I\big)^{-p}\, U^\top (h - \mu), \qquad
              \mathrm{Cov}(h) = U \Lambda U^\top

    Mean and covariance are those of training molecules; they are found once, before a learner on
    top is trained, and kept with the weights. The network itself is not trained, or is `free` to
    be, below coordinates that stay; an inner loop may move it in either case. p = ½ is
    whitening (Kessy, Lewin, Strimmer: *Optimal Whitening and Decorrelation*, 2018, PCA), p = 0 a
    rotation; between, directions that vary much keep a part of their say.

    Parameters
    ----------
    network : mapping
        The network's registered name and options, such as `{"name": "gin", "width": 128}`.
    power : float
        p.
    ridge : float
        r, in mean variances: what keeps directions that hardly vary from being blown up.
    width : int
        Number of coordinates k, those that vary most; 0 for all.
    unit : bool
        A molecule's z is scaled to length √k, so that distances go by the angle.
    free : bool
        The network is trained with the learner.

    Returns
    -------
    Tensor
        `[n, dim]`, of `width`, or the network's.

    Raises
    ------
    ConfigError
        The network has fewer coordinates than `width`.
    """

    mean: Tensor
    factor: Tensor

    def __init__(
        self,
        network: Mapping[str, Any],
        power: float = 0.25,
        ridge: float = 1e-3,
        free: bool = False,
        width: int = 0,
        unit: bool = False,
    ) -> None:
        super().__init__()
        self.network: Encoder = registry.make("encoder", network)
        self.network.requires_grad_(free).eval()
        self.power, self.ridge, self.free, self.unit = power, ridge, free, unit
        if width > self.network.dim:
            raise ConfigError(
                f"width = {width} of 'whitened' is more than the {self.network.dim} of its network"
            )
        self.dim, self.blocks = width or self.network.dim, self.network.blocks
        self.columns = {"vector": slice(0, self.dim)}
        self.register_buffer("mean", torch.zeros(self.network.dim))
        self.register_buffer("factor", torch.eye(self.network.dim)[:, -self.dim :])

    def forward(self, x: Inputs) -> Tensor:
        """Encode inputs: `[n, dim]`; molecules may remember what stays as it is."""
        if self.free or not isinstance(x, Molecules):
            return self._coordinates(x)
        return x.vectors(self, self._coordinates).to(self.mean)

    def _coordinates(self, x: Inputs) -> Tensor:
        z = (self.network(x) - self.mean) @ self.factor
        return F.normalize(z, dim=1) * self.dim**0.5 if self.unit else z

    def train(self, mode: bool = True) -> Whitened:
        """As every module, but a network that stays keeps its dropout off."""
        super().train(mode)
        self.network.train(mode and self.free)
        return self

    @property
    def fixed_below(self) -> tuple[Encoder, nn.Module] | None:
        """All of it is fixed, where the network is not free."""
        return None if self.free else (self, nn.Identity())

    def begin_with(self, *encoders: nn.Module) -> None:
        """Take the weights of the network from encoders of the same sizes."""
        self.network.begin_with(*encoders)

    @torch.no_grad()
    def fit(self, vectors: Tensor) -> None:
        """Find mean and covariance of the network's vectors `[n, dim]` of training molecules."""
        mean, factor = principal_coordinates(vectors, self.power, self.ridge)
        self.mean.copy_(mean)
        self.factor.copy_(factor[:, -self.dim :])


def principal_coordinates(vectors: Tensor, power: float, ridge: float) -> tuple[Tensor, Tensor]:
    """Mean `[k]` and factor `[k, k]` of vectors `[n, k]`, as `Whitened` has them, in float64.

    Coordinates come in the order of their variances, the largest last.
    """
    h = vectors.double()
    mean = h.mean(dim=0)
    variances, directions = torch.linalg.eigh((h - mean).T @ (h - mean) / len(h))
    variances = variances.clamp(min=0)
    held_up = variances + ridge * variances.mean()
    scale = torch.where(held_up > NOTHING * held_up.max(), held_up**-power, 0.0)
    return mean, directions * scale

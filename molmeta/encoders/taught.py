"""A fast network, read in the coordinates of a slower one that taught it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from molmeta.encoders.whitened import Whitened, principal_coordinates
from molmeta.molecules import BLOCK_WIDTHS


class Taught(Whitened):
    r"""What a linear function of a network's vector h says of a teacher's whitened vector t.

    .. math:: z = W (h - \mu_h), \qquad W = \arg\min_W \sum \lVert W (h - \mu_h) -
              \Lambda_t^{-p}\, U_t^\top (t - \mu_t) \rVert^2 + \lambda \lVert W \rVert^2

    over training molecules (distillation, Hinton, Vinyals, Dean 2015, of vectors in place of
    classes). Directions of h that say nothing of the teacher have no say, unlike in `Whitened`.
    The teacher is needed to train, and never again.

    Parameters
    ----------
    network : mapping
        The network's registered name and options, such as `{"name": "gin", "width": 128}`.
    teacher : str
        A feature block of numbers, such as `minimol`.
    power, ridge : float
        Of the teacher's coordinates, as for `Whitened`.
    unit : bool
        A molecule's z is scaled to length √k.

    Attributes
    ----------
    shrinkage : float
        λ, in mean variances of h.

    Returns
    -------
    Tensor
        `[n, k]`, of the teacher's k numbers.
    """

    shrinkage = 1e-4

    def __init__(
        self,
        network: Mapping[str, Any],
        teacher: str,
        power: float = 0.25,
        ridge: float = 1e-3,
        unit: bool = False,
    ) -> None:
        super().__init__(network, power, ridge, unit=unit)
        self.teacher, self.dim = teacher, BLOCK_WIDTHS[teacher]
        self.columns = {"vector": slice(0, self.dim)}
        self.register_buffer("factor", torch.zeros(self.network.dim, self.dim))

    @torch.no_grad()
    def fit_to(self, vectors: Tensor, taught: Tensor) -> None:
        """Find W by the vectors `[n, dim]` of network and teacher for training molecules."""
        h = vectors.double()
        mean = h.mean(dim=0)
        center, factor = principal_coordinates(taught, self.power, self.ridge)
        z = (taught.double() - center) @ factor
        among = (h - mean).T @ (h - mean)
        held_up = among + self.shrinkage * among.diagonal().mean() * torch.eye(len(among)).to(among)
        self.mean.copy_(mean)
        self.factor.copy_(torch.linalg.solve(held_up, (h - mean).T @ z))

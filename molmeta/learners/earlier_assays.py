"""What earlier assays say of a new one: one Gaussian process for all, as far as they agree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

RELATIONS = (0.0, 0.3, 0.6, 0.8, 0.95)  # ρ that are tried
DOUBT = 2.0  # how much likelier, as a logarithm, labels must be with an earlier assay than without
MOST = 1000  # molecules of an earlier assay that are asked: the nearest to the new one's


class Rows(NamedTuple):
    """Molecules with labels, as a Gaussian process takes them.

    Attributes
    ----------
    x, y, noise : Tensor
        `[n, d]`; labels less their mean, `[n, c]`; the variance of each, `[n]`.
    censor : Tensor, optional
        `[n]` in {−1, 0, 1}, as of `Examples`.
    between : Tensor, optional
        `[n, n]`: what the kernel is multiplied by, where the rows are of several assays.
    """

    x: Tensor
    y: Tensor
    noise: Tensor
    censor: Tensor | None = None
    between: Tensor | None = None

    def take(self, index: Tensor) -> Rows:
        """Some of them."""
        return Rows(*(None if part is None else part[index] for part in self[:4]))  # type: ignore[arg-type]

    def centred(self, width: int) -> Rows:
        """Labels less their own mean, in as many columns: of two, with opposite signs."""
        active = self.y[:, -1:] - self.y[:, -1:].mean()
        return self._replace(y=active if width == 1 else torch.cat([-active, active], dim=1))


def inverse_of(among: Tensor, variances: Tensor) -> Tensor:
    """Of a kernel with noise, `[n, n]`."""
    lower = torch.linalg.cholesky(among + torch.diag(variances))
    return torch.cholesky_inverse(lower).contiguous()


def log_evidence(inverse: Tensor, y: Tensor) -> Tensor:
    """Log-density of labels `[n, c]`, less a constant; of several columns, the mean."""
    fit = torch.einsum("nc,nm,mc->c", y, inverse, y).mean()
    return (torch.linalg.slogdet(inverse).logabsdet - fit) / 2


def with_earlier(
    rows: Rows, earlier: Sequence[Rows], kernel: Callable[[Tensor, Tensor], Tensor]
) -> tuple[Rows, Tensor]:
    r"""The rows of a support and of earlier assays, and how far each goes with the support's.

    Bonilla, Chai, Williams: *Multi-task Gaussian Process Prediction* (NeurIPS 2007), equation 1:
    the covariance of molecule a in assay s and b in assay t is :math:`B_{st}\, k(a, b)`. With
    :math:`\rho_t` for how far assay t goes with the new one (whose ρ is 1),

    .. math:: B_{st} = \rho_s \rho_t \quad (s \ne t), \qquad B_{ss} = 1

    so that a molecule's label in an assay that goes with the new one nearly is its label there, and
    an assay with ρ = 0 says nothing. ρ is one of `RELATIONS`, found for each assay alone by the
    evidence of all labels, which must be `DOUBT` more than without it.

    Returns
    -------
    Rows, Tensor
        Those of assays of ρ = 0 left out; and ρ of each row, `[n]`.
    """
    found, relations = [rows], [1.0]
    for one in earlier:
        near = kernel(one.x, rows.x).amax(dim=1)
        nearest = one.take(near.argsort(descending=True, stable=True)[:MOST])
        relation = _relation(rows, nearest, kernel)
        if relation:
            found.append(nearest)
            relations.append(relation)
    return _joined(found, rows.y.new_tensor(relations))


def _relation(new: Rows, one: Rows, kernel: Callable[[Tensor, Tensor], Tensor]) -> float:
    """ρ of one earlier assay; bounds are taken as values."""
    x = torch.cat([new.x, one.x])
    among, tried = kernel(x, x), []
    for relation in RELATIONS:
        both, _ = _joined([new, one], new.y.new_tensor([1.0, relation]))
        inverse = inverse_of(among * both.between, both.noise)  # type: ignore[operator]
        tried.append(float(log_evidence(inverse, both.y)))
    best = max(range(len(RELATIONS)), key=tried.__getitem__)
    return RELATIONS[best] if tried[best] > tried[0] + DOUBT else 0.0


def _joined(parts: Sequence[Rows], relations: Tensor) -> tuple[Rows, Tensor]:
    x, y, noise = (torch.cat([part[k] for part in parts]) for k in range(3))  # type: ignore[arg-type]
    sizes = torch.tensor([len(part.y) for part in parts])
    assay = torch.repeat_interleave(torch.arange(len(parts)), sizes).to(x.device)
    between = relations[:, None] * relations
    between = between + torch.diag(1 - between.diagonal())
    censor = None
    if any(part.censor is not None for part in parts):
        none = [torch.zeros(len(part.y)).to(x) for part in parts]
        each = [zeros if part.censor is None else part.censor.to(x)
                for part, zeros in zip(parts, none, strict=True)]  # fmt: skip
        censor = torch.cat(each)
    return Rows(x, y, noise, censor, between[assay[:, None], assay]), relations[assay]

"""Kernels between molecules that are rows of feature blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from molmeta.errors import ConfigError
from molmeta.learners.count_tables import tables_of
from molmeta.learners.functional import tanimoto
from molmeta.learners.head import UnitLength
from molmeta.molecules import FINGERPRINTS

MANY = 256  # rows, for which compiled code is worth loading
FEW = 64  # rows, of which a processor keeps what they are to others at hand


class Kernel(nn.Module):
    """How alike the rows of two sets are."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """`[n, d]` and `[m, d]` to `[n, m]`."""
        raise NotImplementedError

    def against(self, b: Tensor) -> Callable[[Tensor], Tensor]:
        """The function of `a` for the same rows `b` again and again, without a gradient."""
        return lambda a: self(a, b)


def gaussian(a: Tensor, b: Tensor, length: float) -> Tensor:
    r""":math:`e^{-\lVert a - b \rVert^2 / 2\ell^2}`: `[n, d]` and `[m, d]` to `[n, m]`."""
    return torch.exp(-torch.cdist(a, b).square() / (2 * length**2))


class FingerprintKernel(Kernel):
    r"""Mean of min–max kernels on counts, times how alike the descriptors are.

    .. math:: k(a, b) = \frac{1}{F} \sum_f \frac{\sum_j \min(a^f_j, b^f_j)}{\sum_j
              \max(a^f_j, b^f_j)} \cdot \Big(1 - w + w\, e^{-\lVert d_a - d_b \rVert^2 / 2\ell^2}
              \Big)

    The min–max kernel is positive definite (Ralaivola, Swamidass, Saigo, Baldi 2005), products and
    means of kernels are. k(a, a) = 1, unless a molecule has none of the counts.

    Parameters
    ----------
    fingerprints : sequence of slice
        Where each block of counts stands in a row.
    descriptors : slice, optional
        Where the descriptors stand.

    Attributes
    ----------
    weight : float
        w, the share that needs like descriptors; 0 where there are none.
    length : float
        ℓ, a typical distance of two molecules of ChEMBL in the scaled descriptors.
    """

    weight = 0.7
    length = 4.2

    def __init__(self, fingerprints: Sequence[slice], descriptors: slice | None = None) -> None:
        super().__init__()
        self.fingerprints, self.descriptors = fingerprints, descriptors

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """`[n, d]` and `[m, d]` to `[n, m]`."""
        alike = [tanimoto(a[:, part], b[:, part]) for part in self.fingerprints]
        return self._where_near(torch.stack(alike).mean(dim=0), a, b)

    def _where_near(self, alike: Tensor, a: Tensor, b: Tensor) -> Tensor:
        """The mean of the min–max kernels, less where the descriptors are far."""
        if self.descriptors is None:
            return alike
        near = gaussian(a[:, self.descriptors], b[:, self.descriptors], self.length)
        return alike * (1 - self.weight + self.weight * near)

    def _scaled(self, alike: Tensor, a: Tensor, b: Tensor) -> Tensor:
        """`_where_near` in place and without a gradient, a few rows at a time."""
        if self.descriptors is None:
            return alike
        distance = torch.cdist(a[:, self.descriptors], b[:, self.descriptors])
        for mean, near in zip(alike.split(FEW), distance.split(FEW), strict=True):
            near.square_().div_(-2 * self.length**2).exp_()
            mean.mul_(near.mul_(self.weight).add_(1 - self.weight))
        return alike

    def against(self, b: Tensor) -> Callable[[Tensor], Tensor]:
        """For many rows in compiled code, where that is to be had: the same, bit for bit."""
        find = cache(lambda: tables_of(b, self.fingerprints))

        def with_b(a: Tensor) -> Tensor:
            tables = find() if len(a) >= MANY else None
            rows = tables.rows(a) if tables and a.dtype == b.dtype else None
            if tables is None or rows is None:
                return self(a, b)
            tiles = [
                self._scaled(torch.from_numpy(tables.similarity(rows, tile)), a, some)
                for tile, some in enumerate(b.split(tables.width))
            ]
            return tiles[0] if len(tiles) == 1 else torch.cat(tiles, dim=1)

        return with_b


def fingerprint_kernel(columns: Mapping[str, slice]) -> FingerprintKernel:
    """`FingerprintKernel` on rows with these blocks of `Features`."""
    counts = [place for name, place in columns.items() if name in FINGERPRINTS]
    return FingerprintKernel(counts, columns.get("descriptors"))


class CosineKernel(Kernel):
    r"""Cosine of two vectors: :math:`a \cdot b / (\lVert a \rVert \lVert b \rVert)`.

    A vector of zeros, such as that of a molecule without a known label, is like nothing.

    Parameters
    ----------
    columns : slice
        Where the vector stands in a row.
    """

    def __init__(self, columns: slice) -> None:
        super().__init__()
        self.columns = columns

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """`[n, d]` and `[m, d]` to `[n, m]`."""
        unit = (F.normalize(rows[:, self.columns], dim=1) for rows in (a, b))
        return next(unit) @ next(unit).T


class DirectionKernel(Kernel):
    r"""A Gaussian kernel of length ℓ on the directions of two vectors.

    .. math:: k(a, b) = e^{-\lVert a' - b' \rVert^2 / 2\ell^2} = e^{(\cos(a, b) - 1) / \ell^2},
              \qquad a' = a / \lVert a \rVert

    Unlike the cosine it is never negative, and falls off fastest where two vectors are near.

    Parameters
    ----------
    columns : slice
        Where the vector stands in a row.
    length : float
        ℓ; two vectors at right angles are √2 apart.
    """

    def __init__(self, columns: slice, length: float) -> None:
        super().__init__()
        self.cosine, self.length = CosineKernel(columns), length

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """`[n, d]` and `[m, d]` to `[n, m]`."""
        return torch.exp((self.cosine(a, b) - 1) / self.length**2)


class SumOfKernels(Kernel):
    """Kernels, each with its weight: what is like in one of several ways is like.

    Parameters
    ----------
    kernels : sequence of Kernel
    weights : sequence of float
        Of sum one, so that k(a, a) = 1.
    """

    def __init__(self, kernels: Sequence[Kernel], weights: Sequence[float]) -> None:
        super().__init__()
        self.kernels, self.weights = nn.ModuleList(kernels), list(weights)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """`[n, d]` and `[m, d]` to `[n, m]`."""
        parts = zip(self.kernels, self.weights, strict=True)
        return torch.stack([weight * kernel(a, b) for kernel, weight in parts]).sum(dim=0)

    def against(self, b: Tensor) -> Callable[[Tensor], Tensor]:
        """Each with its own way."""
        parts = [kernel.against(b) for kernel in self.kernels]  # type: ignore[operator]

        def with_b(a: Tensor) -> Tensor:
            known = zip(parts, self.weights, strict=True)
            return torch.stack([weight * part(a) for part, weight in known]).sum(dim=0)

        return with_b


def kernel_of(
    columns: Mapping[str, slice],
    weights: Mapping[str, float] | None,
    length: float | None = None,
) -> Kernel:
    """The kernel for rows with these columns: of fingerprints, of a `vector`, of `labels`.

    Parameters
    ----------
    weights : mapping, optional
        Of `fingerprints`, `vector` and `labels`; equal by default. They are scaled to a sum of one.
    length : float, optional
        Of a `DirectionKernel` on `vector`, in place of a `CosineKernel`.

    Raises
    ------
    ConfigError
        A weight is of something that the rows have not, or is missing; or there is nothing.
    """
    kernels = {
        name: CosineKernel(columns[name]) for name in ("vector", "labels") if name in columns
    }
    known: dict[str, Kernel] = dict(kernels)
    if length and "vector" in columns:
        known["vector"] = DirectionKernel(columns["vector"], length)
    if set(columns) & set(FINGERPRINTS):
        known["fingerprints"] = fingerprint_kernel(columns)
    given = dict.fromkeys(known, 1.0) if weights is None else dict(weights)
    if set(given) != set(known) or not known:
        raise ConfigError(
            f"the encoder gives a kernel {' and '.join(sorted(known)) or 'nothing'} to compare by; "
            f"weights has {', '.join(sorted(given)) or 'nothing'}"
        )
    if len(known) == 1:
        return next(iter(known.values()))
    total = sum(given.values())
    return SumOfKernels(list(known.values()), [given[name] / total for name in known])


class KnownKernel(Kernel):
    """A kernel that was computed before, among some rows that are now known by their number.

    Parameters
    ----------
    known : Tensor
        `[n, n]`, or `[ways, n, n]` for several ways of comparing.
    """

    def __init__(self, known: Tensor) -> None:
        super().__init__()
        self.known = known

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Rows whose first column is their number, `[n, d]`, `[m, d]`, to `[n, m]` of `known`."""
        return self.known[..., a[:, 0].long()[:, None], b[:, 0].long()]


def row_numbers(rows: Tensor) -> Tensor:
    """What `KnownKernel` knows rows by: `[n, 1]`."""
    return torch.arange(len(rows)).to(rows).unsqueeze(1)


class LearnedRBF(Kernel):
    r"""A Gaussian kernel of a learned length on vectors of length one.

    .. math:: k(a, b) = e^{-\lVert a' - b' \rVert^2 / 2\ell^2}, \qquad a' = \frac{a - \bar a}
              {\lVert a - \bar a \rVert}

    Parameters
    ----------
    length : float
        ℓ before training.
    """

    def __init__(self, length: float = 1.0) -> None:
        super().__init__()
        self.unit = UnitLength()
        self.log_length = nn.Parameter(torch.tensor(length).log())

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """`[n, d]` and `[m, d]` to `[n, m]`."""
        squared = 2 - 2 * self.unit(a) @ self.unit(b).T
        return torch.exp(-squared / (2 * (2 * self.log_length).exp()))


class WithLabels(Kernel):
    r"""Half of it another kernel, half how alike two molecules are in known labels.

    .. math:: k(a, b) = \tfrac12 k'(a, b) + \tfrac12 e^{-\lVert l_a - l_b \rVert^2 / 2\ell^2}

    Parameters
    ----------
    kernel : Kernel
        k′.
    labels : slice
        Where the labels l stand in a row.

    Attributes
    ----------
    length : float
        ℓ: labels are within −2 to 2.
    """

    length = 2.0

    def __init__(self, kernel: Kernel, labels: slice) -> None:
        super().__init__()
        self.kernel, self.labels = kernel, labels

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """`[n, d]` and `[m, d]` to `[n, m]`."""
        return self._with_labels(self.kernel(a, b), a, b)

    def _with_labels(self, alike: Tensor, a: Tensor, b: Tensor) -> Tensor:
        return (alike + gaussian(a[:, self.labels], b[:, self.labels], self.length)) / 2

    def against(self, b: Tensor) -> Callable[[Tensor], Tensor]:
        """The other kernel in its own way."""
        known = self.kernel.against(b)
        return lambda a: self._with_labels(known(a), a, b)

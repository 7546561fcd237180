"""A learner that sees similarities and labels, and never a molecule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from molmeta.learners.base import Embedded, Learner, State
from molmeta.learners.gaussian_process import LARGEST_KERNEL
from molmeta.learners.kernels import KnownKernel, row_numbers
from molmeta.learners.similarities import Similarities, log_size
from molmeta.tasks import Classification, Examples, Target

NOISES = (0.1, 0.4, 1.6)  # of the regressions that every way of comparing has
SHARPNESS = (5.0, 20.0)  # of the averages over like molecules
LENGTH = 1.0  # of the kernel on descriptors, in their spread


class SimilarityNetwork(Learner):
    r"""Opinions that similarities give of a query, weighed by how alike it is to the support.

    Every way j of comparing molecules gives opinions of a query q from the labels y (±1, less
    their mean) of the support: kernel ridge regressions, averages over like molecules, and the
    label of the nearest one,

    .. math:: \phi_{j\sigma} = k^j_{qs} (K^j_{ss} + \sigma^2 I)^{-1} y, \qquad
              \phi_{j\beta} = \sum_i \operatorname{softmax}_i(\beta\, k^j_{qi})\, y_i, \qquad
              \phi_{j} = y_{\arg\max_i k^j_{qi}}

    A small network reads what does not depend on labels, the size of the support and the largest
    and mean similarities of q, and gives each opinion its weight:

    .. math:: f = \sum_m \big(w_m + g_m(u_q)\big)\, \phi_m + \bar y

    It is equivariant to the order of the support (Zaheer et al., *Deep Sets*, NeurIPS 2017) and
    to the names of the classes; the Gaussian process, nearest neighbours and the attention of
    matching networks (Vinyals et al. 2016) are among what it can be. Since it has never seen a
    molecule, what it learns is how to compare, on molecules of any kind.

    State
    -----
    x : Tensor
        The support, `[n, d]`.
    y : Tensor
        ±1 less `mean`, `[n, n_way]`.
    mean : Tensor
        `[n_way]`.
    dual : Tensor
        :math:`(K^j_{ss} + \sigma^2 I)^{-1} y`, `[ways, noises, n, n_way]`.

    Parameters
    ----------
    columns : mapping of slice
        Of a row, for `Similarities`.
    hidden : int
        Width of the network's one hidden layer.
    """

    targets = (Classification,)
    trains_inputs = False

    def __init__(self, columns: Mapping[str, slice], hidden: int = 32) -> None:
        super().__init__()
        self.similarities: nn.Module = Similarities(columns)
        self.described = "descriptors" in columns
        ways = len(self.similarities.names) + (3 if self.described else 1)  # see `kernels`
        opinions = ways * (len(NOISES) + len(SHARPNESS) + 1)
        start = torch.zeros(ways, len(NOISES) + len(SHARPNESS) + 1)
        start[:, 1] = 1 / ways  # the mean of plain regressions
        self.weight = nn.Parameter(start.flatten())
        self.gate = nn.Sequential(
            nn.Linear(2 * ways + 2, hidden), nn.SiLU(), nn.Linear(hidden, opinions)
        )
        for parameter in self.gate[-1].parameters():  # starts with hardly a say
            nn.init.normal_(parameter, std=1e-3)

    def kernels(self, similarities: Tensor) -> Tensor:
        """`[ways, n, m]` with k(a, a) = 1: each similarity, descriptors, and all of it together."""
        if not self.described:
            mean = similarities.mean(dim=0, keepdim=True)
            return torch.cat([similarities, mean])
        ways, d2 = similarities[:-1], similarities[-1:]
        near, mean = torch.exp(-d2 / (2 * LENGTH**2)), ways.mean(dim=0, keepdim=True)
        return torch.cat([ways, near, mean, mean * near])

    def adapt(self, support: Examples) -> State:
        """Solve the regressions."""
        self.check(support)
        x = support.x.flatten(1)
        y = 2 * support.target.encode(support.y).to(x.dtype) - 1
        mean = y.mean(dim=0)
        among = self.kernels(self.similarities(x, x)).unsqueeze(1)
        noise = torch.tensor(NOISES).to(x)[:, None, None] * torch.eye(len(x)).to(x)
        dual = torch.cholesky_solve(y - mean, torch.linalg.cholesky(among + noise)).contiguous()
        return {"x": x, "y": y - mean, "mean": mean, "dual": dual}

    def forward(self, x: Tensor, state: State) -> Tensor:
        """Scores `[n, n_way]`."""
        return self._judge(self.kernels(self.similarities(x.flatten(1), state["x"])), state)

    def for_tasks(self, x: Tensor, states: Sequence[State]) -> Sequence[Tensor]:
        """`forward` for each of many tasks, with one comparison of the rows and all supports."""
        sizes = [len(state["x"]) for state in states]
        every = torch.cat([state["x"] for state in states])
        parts = self.kernels(self.similarities(x.flatten(1), every)).split(sizes, dim=2)
        return [self._judge(known, state) for known, state in zip(parts, states, strict=True)]

    @torch.no_grad()
    def among(self, x: Tensor) -> tuple[Learner, Tensor]:
        """With the similarities among the rows computed once, where they are of reasonable size."""
        if len(x) > LARGEST_KERNEL // 3:
            return self, x
        rows = x.flatten(1)
        known = KnownKernel(self.similarities(rows, rows))
        return self.with_parts(similarities=known), row_numbers(rows)

    def _judge(self, known: Tensor, state: State) -> Tensor:
        """Opinions `[m, n, n_way]` by their weights `[n, m]`."""
        opinions = self._opinions(known, state)
        size = torch.full((known.shape[1], 1), log_size(known.shape[2])).to(known)
        balance = state["mean"].abs().mean().expand_as(size)
        alike = [known.amax(dim=2).T, known.mean(dim=2).T]
        weight = self.weight + self.gate(torch.cat([*alike, size, balance], dim=1))
        return torch.einsum("qm,mqc->qc", weight, opinions) + state["mean"]

    def _opinions(self, known: Tensor, state: State) -> Tensor:
        y = state["y"]
        solved = torch.einsum("kqi,ksic->kqsc", known, state["dual"])
        sharp = torch.tensor(SHARPNESS).to(known)[:, None, None, None]
        averaged = torch.einsum("bkqi,ic->kqbc", F.softmax(sharp * known, dim=3), y)
        nearest = y[known.argmax(dim=2)].unsqueeze(2)
        return torch.cat([solved, averaged, nearest], dim=2).transpose(1, 2).flatten(0, 1)


def similarity_network(encoder: nn.Module, target: Target, **options: int) -> Embedded:
    """`SimilarityNetwork` on the blocks of an encoder: `features`, `whitened`, or both, `joined`.

    Raises
    ------
    ConfigError
        The encoder has nothing to compare by.
    """
    return Embedded(encoder, SimilarityNetwork(getattr(encoder, "columns", {}), **options))

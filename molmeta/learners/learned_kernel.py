"""A Gaussian process whose kernel, and nothing else, is learned from other assays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from molmeta.learners.base import Embedded, Learner, State
from molmeta.learners.gaussian_process import LARGEST_KERNEL, GaussianProcess
from molmeta.learners.kernels import Kernel, KnownKernel, row_numbers
from molmeta.learners.similarities import Similarities, log_size
from molmeta.tasks import Regression, Target


class Mixture(nn.Module):
    r"""A weighted sum of similarities, each alone and where the descriptors are alike too.

    .. math:: k = \sum_j w_j\, s_j + \sum_j u_j\, s_j\, e^{-d^2 / 2\ell^2}
                  + v\, e^{-d^2 / 2 m^2}, \qquad
              (w, u, v) = \operatorname{softmax}\big(\alpha + \beta \log_4 \tfrac{n}{64}\big)

    with n measurements in the support, so that k(a, a) = 1 where every s is.

    Parameters
    ----------
    names : sequence of str
        Of the similarities, the squared distance of descriptors left out.
    described : bool
        It is there, as the last.
    """

    def __init__(self, names: Sequence[str], described: bool) -> None:
        super().__init__()
        self.described = described
        ways = 2 * len(names) + 1 if described else len(names)
        start = torch.zeros(ways)
        if described:  # as FingerprintKernel: .3 alone, .7 with descriptors, and little of these
            start[: len(names)], start[len(names) : -1], start[-1] = 0.3, 0.7, 0.05
            start = (start / len(names)).log()
        self.weight = nn.Parameter(start)
        self.slope = nn.Parameter(torch.zeros(ways))
        self.log_length = nn.Parameter(torch.zeros(2 if described else 0))

    def forward(self, similarities: Tensor, n: int) -> Tensor:
        """`[ways, n, m]` of a support of `n` to `[n, m]`."""
        w = F.softmax(self.weight + self.slope * log_size(n), dim=0)
        if not self.described:
            return torch.einsum("k,kij->ij", w, similarities)
        ways, d2 = similarities[:-1], similarities[-1]
        near, near_alone = (torch.exp(-d2 / (2 * (2 * one).exp())) for one in self.log_length)
        alone, both, last = w[: len(ways)], w[len(ways) : -1], w[-1]
        mixed = torch.einsum("k,kij->ij", alone, ways)
        return mixed + torch.einsum("k,kij->ij", both, ways) * near + last * near_alone


class LearnedKernel(GaussianProcess):
    r"""Weights, lengths and noise of a Gaussian process, by what it predicts in training tasks.

    Rasmussen, Williams: *Gaussian Processes for Machine Learning* (MIT Press 2006), chapter 5, with
    many tasks in place of one, as in Minka, Picard: *Learning How to Learn is Learning with Point
    Sets* (1997). The kernel is a `Mixture` of fixed `Similarities`; its few dozen numbers, which
    change with the size of the support, cannot know a molecule. Loss of a task: that of its query,
    given its support.

    .. math:: f = K_{qs} (K_{ss} + \sigma_n^2 I)^{-1} (y - \bar y) + \bar y, \qquad
              \log \sigma_n^2 = \gamma + \delta \log_4 \tfrac{n}{64}

    State
    -----
    As of `GaussianProcess`.

    Parameters
    ----------
    columns : mapping of slice
        Of a row, for `Similarities`.
    noise : float
        σ² for classes, before training.
    real_noise : float
        How many times that measured values have.

    Differences from the book
    -------------------------
    The predictive loss of a held-out query takes the place of the marginal likelihood, which cares
    for the noise of ±1 labels more than for their order.
    """

    serves_all_targets = True
    ranking = Learner.ranking  # a kernel for each size of support
    kernel: OfSupport

    def __init__(
        self, columns: Mapping[str, slice], noise: float = 0.4, real_noise: float = 0.5
    ) -> None:
        similarities = Similarities(columns)
        mixture = Mixture(similarities.names, similarities.descriptors is not None)
        super().__init__(OfSupport(similarities, mixture), noise, real_noise)
        self.log_noise = nn.Parameter(torch.tensor(noise).log())
        self.noise_slope = nn.Parameter(torch.zeros(()))

    def noise_of(self, target: Target, n: int) -> Tensor:
        """σ² of this kind of label, in a support of `n`."""
        noise = (self.log_noise + self.noise_slope * log_size(n)).exp()
        return noise * (self.real_noise if isinstance(target, Regression) else 1)

    def _known(self, x: Tensor, support: Tensor) -> Tensor:
        """Of several supports together, which `_predict` mixes by the size of each."""
        return self.kernel.similarities(x, support)

    def _predict(self, x: Tensor, known: Tensor, state: State) -> Tensor:
        return super()._predict(x, self.kernel.mixture(known, len(state["x"])), state)

    @torch.no_grad()
    def among(self, x: Tensor) -> tuple[Learner, Tensor]:
        """With the similarities among the rows computed once, where they are of reasonable size."""
        if len(x) > LARGEST_KERNEL // 3:
            return self, x
        rows = x.flatten(1)
        known = KnownKernel(self.kernel.similarities(rows, rows))
        return self.with_parts(kernel=OfSupport(known, self.kernel.mixture)), row_numbers(rows)


class OfSupport(Kernel):
    """A kernel whose second set of rows is a support, by the size of which it is mixed."""

    def __init__(self, similarities: nn.Module, mixture: Mixture) -> None:
        super().__init__()
        self.similarities, self.mixture = similarities, mixture

    def forward(self, a: Tensor, support: Tensor) -> Tensor:
        """`[n, d]` and `[m, d]` to `[n, m]`."""
        return self.mixture(self.similarities(a, support), len(support))


def learned_kernel(encoder: nn.Module, target: Target, **options: float) -> Embedded:
    """`LearnedKernel` on the blocks of an encoder: `features`, `whitened`, or both, `joined`.

    Raises
    ------
    ConfigError
        The encoder has nothing to compare by.
    """
    return Embedded(encoder, LearnedKernel(getattr(encoder, "columns", {}), **options))

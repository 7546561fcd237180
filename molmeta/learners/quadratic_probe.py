"""A probe with a metric of its own for each class."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from molmeta.learners.base import Embedded, Learner, State
from molmeta.learners.functional import class_means
from molmeta.learners.head import UnitLength
from molmeta.learners.multi_task import PreTrained
from molmeta.tasks import Classification, Examples, Target


class QuadraticProbe(Learner):
    r"""Mahalanobis distance to a centre, with a precision matrix for each class.

    Formont, Jeannin, Piantanida, Ben Ayed: *A Strong Baseline for Molecular Few-Shot Learning*
    (2024), https://arxiv.org/abs/2404.02314:

    .. math:: p(y = k \mid z) = \mathrm{softmax}_k\big(-\tfrac12 (z - w_k)^\top M_k (z - w_k)\big)

    by block-coordinate descent: gradient steps of the cross-entropy on the centres w, then the
    precisions in closed form,

    .. math:: M_k = \Big(\lambda I + \frac{1}{|S_k|} \sum_{i \in S_k} (z_i - w_k)(z_i - w_k)^\top
              \Big)^{-1},

    which keeps them from growing without end, as gradient descent would let them. Vectors z have
    length √d. By the matrix inversion lemma a precision takes a support's size squared, not d².

    State
    -----
    centres : Tensor
        w, `[n_way, d]`.
    spread : Tensor
        Deviations of the support from its class's centre over √|S_k|, zero for other classes:
        `[n_way, n, d]`.
    inner : Tensor
        :math:`(\lambda I + D_k D_k^\top)^{-1}` of those deviations D, `[n_way, n, n]`.

    Parameters
    ----------
    shrinkage : float
        λ, where a coordinate has spread one.
    rounds : int
        Times that both blocks are solved.
    steps : int
        Gradient steps on the centres a round.
    lr : float
        Their rate, times d.

    Differences from the paper
    --------------------------
    Written from its description: its closed-form update weighs examples by their surrogate loss,
    ours takes the labels as they are. The cross-entropy that moves the centres is of scores over
    d: in many dimensions a softmax of distances is else all or nothing.
    """

    targets = (Classification,)

    def __init__(
        self, shrinkage: float = 1.0, rounds: int = 5, steps: int = 5, lr: float = 0.1
    ) -> None:
        super().__init__()
        self.shrinkage, self.rounds, self.steps, self.lr = shrinkage, rounds, steps, lr
        self.unit = UnitLength()

    def adapt(self, support: Examples) -> State:
        """Block-coordinate descent from the means of the classes."""
        self.check(support)
        z = self._rows(support.x)
        onehot = support.target.encode(support.y).to(z)
        state = self._precisions(z, onehot, class_means(z, onehot))
        for _ in range(self.rounds):
            state = self._precisions(z, onehot, self._centres(z, onehot, state))
        return state

    def forward(self, x: Tensor, state: State) -> Tensor:
        """Scores `[n, n_way]`: minus half the squared distances."""
        return self._scores(self._rows(x), state)

    def _rows(self, x: Tensor) -> Tensor:
        return self.unit(x.flatten(1)) * x[0].numel() ** 0.5

    def _precisions(self, z: Tensor, onehot: Tensor, centres: Tensor) -> State:
        """The closed form, kept as its parts."""
        weights = (onehot / onehot.sum(dim=0)).T.sqrt().unsqueeze(2)  # [n_way, n, 1]
        spread = (weights * (z - centres.unsqueeze(1))).contiguous()
        among = spread @ spread.transpose(1, 2)
        eye = self.shrinkage * torch.eye(len(z)).to(z)
        inner = torch.linalg.inv(among + eye).contiguous()
        return {"centres": centres, "spread": spread, "inner": inner}

    def _centres(self, z: Tensor, onehot: Tensor, state: State) -> Tensor:
        """Gradient steps on the cross-entropy, in the metric of the precisions as they are."""

        def loss(centres: Tensor) -> Tensor:
            scores = self._scores(z, {**state, "centres": centres})
            return -(onehot * F.log_softmax(scores / z.shape[1], dim=1)).sum(dim=1).mean()

        centres = state["centres"]
        for _ in range(self.steps):
            centres = centres - self.lr * z.shape[1] * torch.func.grad(loss)(centres)
        return centres

    def _scores(self, z: Tensor, state: State) -> Tensor:
        """By M = (I − Dᵀ (λI + D Dᵀ)⁻¹ D) / λ."""
        away = z - state["centres"].unsqueeze(1)  # [n_way, n, d]
        along = away @ state["spread"].transpose(1, 2)
        explained = ((along @ state["inner"]) * along).sum(dim=2)
        return -(away.square().sum(dim=2) - explained).T / (2 * self.shrinkage)


def quadratic_probe(encoder: nn.Module, target: Target, **options: float) -> Embedded:
    """`QuadraticProbe` on the vectors of an encoder that `MultiTask` trains."""
    return PreTrained(encoder, QuadraticProbe(**options))  # type: ignore[arg-type]

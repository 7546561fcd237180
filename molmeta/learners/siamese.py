"""Siamese networks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from molmeta.learners.base import Embedded, Learner, State
from molmeta.tasks import Classification, Episode, Examples, Target


class Siamese(Learner):
    r"""Two inputs are of one class where their vectors are near; learned on pairs.

    Koch, Zemel, Salakhutdinov: *Siamese Neural Networks for One-shot Image Recognition* (ICML deep
    learning workshop 2015), section 3.1:

    .. math:: p(x_1, x_2) = \sigma\Big(b - \sum_j \alpha_j \,\lvert f_j(x_1) - f_j(x_2) \rvert\Big)

    Trained by the cross-entropy of "the same class" over all pairs of an episode's inputs
    (verification). A query's class is that of the support which it is most surely like
    (section 3.4); with several shots, of the class with the highest mean: outputs are
    :math:`\log \bar p_k`, up to a constant that makes them log-probabilities.

    State
    -----
    x, y : Tensor
        The support's vectors `[n, d]` and one-hot labels `[n, n_way]`.

    Differences from the paper
    --------------------------
    α ≥ 0, written as an exponential, so that a difference never speaks for likeness; a bias b, as
    the distance alone has no sign. Pairs of one class and pairs of two have equal weight in the
    loss, as the paper's mini-batches have them in equal number. All pairs of an episode are used.

    Parameters
    ----------
    dim : int
        Width d of the vectors; α starts at 1/d.
    """

    targets = (Classification,)

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.log_alpha = nn.Parameter(torch.full((dim,), -float(torch.tensor(dim).log())))
        self.bias = nn.Parameter(torch.tensor(1.0))

    def adapt(self, support: Examples) -> State:
        """Keep the support."""
        self.check(support)
        return {"x": support.x, "y": support.target.encode(support.y).to(support.x.dtype)}

    def forward(self, x: Tensor, state: State) -> Tensor:
        """Log-probabilities `[n, n_way]`: the mean likeness of each class, normalised."""
        log_p = F.logsigmoid(self.verify(x, state["x"]))  # [n, support]
        by_class = log_p.unsqueeze(2).masked_fill(state["y"] == 0, -torch.inf)
        mean = by_class.logsumexp(dim=1) - state["y"].sum(dim=0).log()
        return mean.log_softmax(dim=1)

    def verify(self, a: Tensor, b: Tensor) -> Tensor:
        """Logits of "the same class" for all pairs of `[n, d]` and `[m, d]`: `[n, m]`."""
        alpha = self.log_alpha.exp()
        return self.bias - torch.stack([(alpha * (a - row).abs()).sum(dim=1) for row in b], dim=1)

    def loss(self, episode: Episode) -> Tensor:
        """Cross-entropy of verification, pairs of one class and of two weighing the same."""
        self.check(episode.support)
        x = torch.cat([episode.support.x, episode.query.x])
        y = torch.cat([episode.support.y, episode.query.y])
        first, second = torch.triu_indices(len(y), len(y), offset=1, device=y.device)
        logits = self.verify(x, x)[first, second]
        same = (y[first] == y[second]).to(logits.dtype)
        share = same.mean()
        weight = torch.where(same > 0, 0.5 / share.clamp(min=1e-6), 0.5 / (1 - share))
        return F.binary_cross_entropy_with_logits(logits, same, weight)


def siamese(encoder: nn.Module, target: Target) -> Embedded:
    """`Siamese` on an encoder (with its width `dim`)."""
    return Embedded(encoder, Siamese(encoder.dim))  # type: ignore[arg-type]

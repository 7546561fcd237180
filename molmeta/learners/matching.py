"""Matching Networks, simple and with full context embeddings."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from molmeta.learners.base import Embedded, Learner, State, label_scale, scaled, unscaled
from molmeta.learners.distance import Cosine, SquaredEuclidean
from molmeta.tasks import Classification, Examples, Regression, Target


class Matching(Learner):
    r"""A query has the labels of the support, weighted by attention.

    Vinyals, Blundell, Lillicrap, Kavukcuoglu, Wierstra: *Matching Networks for One Shot Learning*
    (NeurIPS 2016), https://arxiv.org/abs/1606.04080, equation 1 and section 2.1.1:

    .. math:: p(y \mid x) = \sum_i a(x, x_i)\, y_i, \qquad
              a(x, x_i) = \mathrm{softmax}_i\big(\tau \cos(f(x), g(x_i))\big)

    With real y it is kernel regression: the attention's mean and variance of the labels, scaled
    by the support's own mean and spread; 10⁻⁴ is added to the variance on that scale.

    State
    -----
    x, y : Tensor
        The support's vectors `[n, d]` and encoded labels `[n, W or 1]`; for a regression also
        `label.mean` and `label.spread`.

    Differences from the paper
    --------------------------
    A learned scale τ, which starts at 10: the paper's τ = 1 cannot tell a near neighbour from a
    far one by more than a factor e². Another distance than 1 − cosine may stand in its place.

    Parameters
    ----------
    metric : nn.Module
        A distance; attention is the softmax of −τ times it.
    scale : float
        Where τ starts; 1 is the paper's.
    """

    targets = (Classification, Regression)

    def __init__(self, metric: SquaredEuclidean | None = None, scale: float = 10.0) -> None:
        super().__init__()
        self.metric = metric or Cosine()
        self.log_scale = nn.Parameter(torch.tensor(float(scale)).log())

    def adapt(self, support: Examples) -> State:
        """Keep the support."""
        self.check(support)
        scale = label_scale(support)
        y = support.target.encode(scaled(support.y, scale)).to(support.x.dtype)
        return {"x": self.metric.domain(support.x), "y": y, **scale}

    def forward(self, x: Tensor, state: State) -> Tensor:
        """Log-probabilities `[n, n_way]`, or mean and log-variance `[n, 2]`."""
        distances = self.metric(self.metric.domain(x), state["x"])
        log_attention = (-self.log_scale.exp() * distances).log_softmax(dim=1)
        if state["y"].shape[1] > 1:
            by_class = log_attention.unsqueeze(2).masked_fill(state["y"] == 0, -torch.inf)
            return by_class.logsumexp(dim=1)
        attention, y = log_attention.exp(), state["y"].T
        mean = attention @ state["y"]
        variance = (attention * (y - mean).square()).sum(dim=1, keepdim=True)
        return unscaled(torch.cat([mean, torch.log(variance + 1e-4)], dim=1), state)


class FullContext(Matching):
    r"""Matching with vectors that depend on the whole support.

    The same paper, appendix A.1 and A.2. The support is read in both directions by LSTMs,

    .. math:: g(x_i) = \overrightarrow{h}_i + \overleftarrow{h}_i + g'(x_i),

    and a query looks at it K times: with c_0 = h_0 = 0,

    .. math:: \hat h_k, c_k = \mathrm{LSTM}(f'(x), [h_{k-1}, r_{k-1}], c_{k-1}), \qquad
              h_k = \hat h_k + f'(x), \qquad
              r_{k-1} = \sum_i \mathrm{softmax}_i(h_{k-1}^\top g(x_i))\, g(x_i)

    The prediction compares f(x) = h_K with g(x_i) as `Matching` does.

    The order of the support matters, as the LSTMs read it in turn.

    Differences from the paper
    --------------------------
    The start h_0 is not given there; with 0 the first look is the mean of the support.

    Parameters
    ----------
    dim : int
        Width d of the vectors.
    looks : int
        Number K of reads of a query; a parameter of its own, not the size of the support.
    """

    ordered = True

    def __init__(self, dim: int, looks: int = 3, scale: float = 10.0) -> None:
        super().__init__(Cosine(), scale)
        self.looks = looks
        self.forwards, self.backwards = nn.LSTMCell(dim, dim), nn.LSTMCell(dim, dim)
        self.look = nn.LSTMCell(2 * dim, dim)  # gates of [f′(x), r] and of h: a sum of all three

    def adapt(self, support: Examples) -> State:
        """Read the support in both directions."""
        state = super().adapt(support)
        x = state["x"]
        context = read(self.forwards, x) + read(self.backwards, x.flip(0)).flip(0)
        return {**state, "x": context + x}

    def forward(self, x: Tensor, state: State) -> Tensor:
        """Look at the support K times, then match."""
        return super().forward(self.attend(x, state["x"]), state)

    def attend(self, x: Tensor, g: Tensor) -> Tensor:
        """f(x) `[n, d]` of vectors `[n, d]`, in the context of g `[m, d]`."""
        h, c = torch.zeros_like(x), torch.zeros_like(x)
        for _ in range(self.looks):
            r = (h @ g.T).softmax(dim=1) @ g
            h_hat, c = self.look(torch.cat([x, r], dim=1), (h, c))
            h = h_hat + x
        return h


def matching(encoder: nn.Module, target: Target, scale: float = 10.0) -> Embedded:
    """`Matching` on an encoder."""
    return Embedded(encoder, Matching(scale=scale))


def matching_fce(
    encoder: nn.Module, target: Target, looks: int = 3, scale: float = 10.0
) -> Embedded:
    """`FullContext` on an encoder (with its width `dim`)."""
    return Embedded(encoder, FullContext(encoder.dim, looks, scale))  # type: ignore[arg-type]


def read(cell: nn.LSTMCell, x: Tensor) -> Tensor:
    """The hidden states of an LSTM over the rows of `x [n, d]`: `[n, hidden]`."""
    h = c = x.new_zeros(1, cell.hidden_size)
    states = []
    for row in x.split(1):
        h, c = cell(row, (h, c))
        states.append(h)
    return torch.cat(states)

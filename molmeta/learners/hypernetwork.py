"""A network whose weights another network makes from the support."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from molmeta.learners.base import Embedded, Learner, State
from molmeta.learners.functional import class_means
from molmeta.tasks import Classification, Examples, Target


class HyperNetwork(Learner):
    r"""The support is embedded; from that, weights of a hidden layer and the classifier are made.

    Ha, Dai, Le: *HyperNetworks* (ICLR 2017), https://arxiv.org/abs/1609.09106, with the embedding
    z of a layer (section 3.1) in the place of which stands the embedding of a task. The hidden
    layer's kernel is made by the paper's two linear layers (equation 2), the second shared by all
    rows i:

    .. math:: a_i = W_i z + B_i, \qquad K_i = W_{out}\, a_i + B_{out}

    With u a linear layer and LayerNorm that are learned as usual, e_k the mean of u(x) over a
    class k, and z the mean of e_k over classes, the generated network is

    .. math:: h(x) = \mathrm{LN}\big(\mathrm{ReLU}(K(z)\, x + b(z))\big), \qquad
              o_k(x) = w(e_k)^\top h(x) + \beta(e_k)

    with w and β linear, without a constant (which would be the same for all classes).

    State
    -----
    kernel, bias : Tensor
        K `[hidden, d]` and b `[hidden]` of the hidden layer.
    weights, offsets : Tensor
        w `[n_way, hidden]` and β `[n_way]` of the classifier.

    Differences from the paper
    --------------------------
    The paper has no few-shot form and gives no few-shot result: this is ours. LayerNorm keeps a
    generated layer on scale. It starts as a comparison, from which training tasks lead on: u and K
    as the same projection with orthogonal rows, w as the identity, so that o_k is large where x is
    like class k. From random weights 532 assays teach next to nothing that holds for others. (The
    paper's own static form, one embedding a layer, is an encoder:
    `molmeta.encoders.static_hypernetwork`.)

    Parameters
    ----------
    dim : int
        Width d of the vectors.
    hidden, embedding, rank : int
        Units of the generated layer, width of e and z, width of a.
    """

    targets = (Classification,)

    def __init__(self, dim: int, hidden: int = 64, embedding: int = 64, rank: int = 64) -> None:
        super().__init__()
        self.hidden, self.rank = hidden, rank
        project = nn.Linear(dim, embedding)
        self.embed = nn.Sequential(project, nn.LayerNorm(embedding))
        self.rows = nn.Linear(embedding, hidden * rank)  # W_i and B_i of all rows
        self.kernel = nn.Linear(rank, dim)  # W_out and B_out
        self.bias = nn.Linear(embedding, hidden)
        self.norm = nn.LayerNorm(hidden)
        self.weights = nn.Linear(embedding, hidden, bias=False)
        self.offset = nn.Linear(embedding, 1, bias=False)
        self._start_as_a_comparison(project)

    @torch.no_grad()
    def _start_as_a_comparison(self, project: nn.Linear) -> None:
        both = min(self.rank, project.out_features)
        nn.init.orthogonal_(project.weight)
        nn.init.zeros_(project.bias)
        self.kernel.weight[:, :both] = project.weight[:both].T
        nn.init.zeros_(self.kernel.bias)
        self.rows.weight.mul_(0.1)
        self.rows.bias.copy_(torch.eye(self.hidden, self.rank).flatten())
        nn.init.eye_(self.weights.weight).div_(self.hidden**0.5)

    def adapt(self, support: Examples) -> State:
        """Make the weights."""
        self.check(support)
        y = support.target.encode(support.y)
        classes = class_means(self.embed(support.x), y)
        task = classes.mean(dim=0)
        return {
            "kernel": self.kernel(self.rows(task).view(self.hidden, self.rank)),
            "bias": self.bias(task),
            "weights": self.weights(classes),
            "offsets": self.offset(classes).squeeze(1),
        }

    def forward(self, x: Tensor, state: State) -> Tensor:
        """The generated network: scores `[n, n_way]`."""
        hidden = self.norm(F.relu(F.linear(x, state["kernel"], state["bias"])))
        return F.linear(hidden, state["weights"], state["offsets"])


def hypernetwork(encoder: nn.Module, target: Target, **options: int) -> Embedded:
    """`HyperNetwork` on an encoder (with its width `dim`)."""
    return Embedded(encoder, HyperNetwork(encoder.dim, **options))  # type: ignore[arg-type]

"""Few-shot learning with a graph network over the support and the query."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from molmeta.learners.base import Embedded, Learner, State
from molmeta.tasks import Classification, Examples, Target

START = 4.0  # a class's score, where all neighbours are of it
CELLS = 1 << 14  # pairs of nodes that are compared at once: what a cache holds


class FewShotGNN(Learner):
    r"""Messages between the support and a query along learned similarities.

    Garcia, Bruna: *Few-Shot Learning with Graph Neural Networks* (ICLR 2018),
    https://arxiv.org/abs/1711.04043, sections 4.1 to 4.3. Each query makes a graph with the
    support; its nodes begin as the vector joined with the label, one-hot, or uniform for the
    query. A layer learns the adjacency anew and uses it beside the identity:

    .. math:: A_{ij} = \mathrm{softmax}_{j \ne i}\,
              \mathrm{MLP}\big(\lvert x_i - x_j \rvert\big), \qquad
              x' = \big[x,\ \rho\big(x\,\theta_I + A\,x\,\theta_A\big)\big]

    (dense: each layer's output is joined to its input), and the last layer reads the class off
    the query's node.

    State
    -----
    x, y : Tensor
        The support's vectors `[n, d]` and one-hot labels `[n, n_way]`.

    Differences from the paper
    --------------------------
    LayerNorm (before ρ, the leaky ReLU of slope 0.01) in place of BatchNorm, so that queries do
    not depend on each other. The MLP has one hidden layer and no norm (released code: four); its
    last weights start negative, so that the nearer node is the more similar (from both signs the
    adjacency starts uniform, and a few assays did not teach it to compare). The last layer starts
    by reading the labels of the nodes around the query alone, so that all of it starts as
    attention to what is near; from random weights 532 assays taught nothing. Its weights for
    the label columns differ by class, so relabelling the classes does not only permute the
    outputs; training draws the order anew (of assays with `shuffle_classes`).

    Parameters
    ----------
    dim, n_way : int
        Width of a vector, number of classes.
    width : int
        Channels that a layer adds.
    layers : int
        Number of layers before the one that reads out.
    hidden : int
        Of the MLP that compares two nodes.
    """

    targets = (Classification,)
    class_symmetric = False

    def __init__(
        self, dim: int, n_way: int, width: int = 48, layers: int = 2, hidden: int = 32
    ) -> None:
        super().__init__()
        sizes = [dim + n_way + i * width for i in range(layers + 1)]
        self.compare = nn.ModuleList(_Similarity(size, hidden) for size in sizes)
        self.mix = nn.ModuleList(
            nn.Linear(2 * size, out)
            for size, out in zip(sizes, [width] * layers + [n_way], strict=True)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
        _read_labels(self.mix[-1], sizes[-1] + dim)  # type: ignore[arg-type]

    def adapt(self, support: Examples) -> State:
        """Keep the support."""
        self.check(support)
        return {"x": support.x, "y": support.target.encode(support.y).to(support.x.dtype)}

    def forward(self, x: Tensor, state: State) -> Tensor:
        """Scores `[n, n_way]`; queries in blocks, as a graph of S nodes has S² pairs."""
        block = max(1, CELLS // (len(state["y"]) + 1) ** 2)
        return torch.cat([self.read(rows, state) for rows in x.split(block)])

    def read(self, x: Tensor, state: State) -> Tensor:
        """One graph a query, `[n, S + 1, ·]`; the query is its last node."""
        n_way = state["y"].shape[1]
        support = torch.cat([state["x"], state["y"]], dim=1).expand(len(x), -1, -1)
        query = torch.cat([x, x.new_full((len(x), n_way), 1 / n_way)], dim=1)
        nodes = torch.cat([support, query.unsqueeze(1)], dim=1)
        for compare, mix, norm in zip(self.compare, self.mix, self.norms, strict=False):
            messages = torch.cat([nodes, compare(nodes) @ nodes], dim=2)
            nodes = torch.cat([nodes, F.leaky_relu(norm(mix(messages)))], dim=2)
        last = self.compare[-1](nodes)[:, -1:] @ nodes
        return self.mix[-1](torch.cat([nodes[:, -1:], last], dim=2)).squeeze(1)


@torch.no_grad()
def _read_labels(mix: nn.Linear, place: int) -> None:
    """Scores are the neighbours' labels, which stand from `place` on, times `START`."""
    nn.init.zeros_(mix.weight)
    nn.init.zeros_(mix.bias)
    nn.init.eye_(mix.weight[:, place : place + mix.out_features]).mul_(START)


class _Similarity(nn.Module):
    """The adjacency of a layer: rows sum to one, nothing on the diagonal."""

    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        first, last = nn.Linear(size, hidden), nn.Linear(hidden, 1, bias=False)
        with torch.no_grad():
            last.weight.abs_().neg_()
        self.mlp = nn.Sequential(first, nn.LeakyReLU(), last)

    def forward(self, nodes: Tensor) -> Tensor:
        """`[n, S, size]` to `[n, S, S]`."""
        pairs = (nodes.unsqueeze(2) - nodes.unsqueeze(1)).abs()
        itself = torch.eye(nodes.shape[1], dtype=torch.bool, device=nodes.device)
        return self.mlp(pairs).squeeze(3).masked_fill(itself, -torch.inf).softmax(dim=2)


def few_shot_gnn(encoder: nn.Module, target: Target, **options: int) -> Embedded:
    """`FewShotGNN` on an encoder (with its width `dim`)."""
    return Embedded(encoder, FewShotGNN(encoder.dim, target.width, **options))  # type: ignore[arg-type]

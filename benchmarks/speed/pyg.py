"""The peer for training: the same network of torch_geometric's layers, and loops over tasks."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import torch
import torch.nn.functional as F
from common import assays
from torch import Tensor, nn
from torch.func import functional_call

from molmeta.encoders import GIN
from molmeta.molecules import Molecules
from molmeta.tasks import Episode

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its import uses a part of torch that is going away
    from torch_geometric.data import Batch, Data
    from torch_geometric.nn import GINConv, global_add_pool


class PygGIN(nn.Module):
    """`GIN` of torch_geometric's `GINConv`, with a copy of the weights."""

    def __init__(self, gin: GIN) -> None:
        super().__init__()
        width = gin.embed.out_features
        self.embed = nn.Linear(gin.embed.in_features, width)
        self.convolutions = nn.ModuleList(
            GINConv(
                nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width)),
                train_eps=True,
            )
            for _ in gin.mlps
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in gin.norms)
        self.embed.load_state_dict(gin.embed.state_dict())
        with torch.no_grad():
            for ours, theirs in zip(gin.eps, self.convolutions, strict=True):
                theirs.eps.copy_(ours)
        for ours, theirs in zip(gin.mlps, self.convolutions, strict=True):
            theirs.nn.load_state_dict(ours.state_dict())
        self.norms.load_state_dict(gin.norms.state_dict())

    def in_our_order(self) -> list[nn.Parameter]:
        """The weights as `GIN.parameters()` lists its own."""
        eps = [convolution.eps for convolution in self.convolutions]
        mlps = [w for convolution in self.convolutions for w in convolution.nn.parameters()]
        return [*self.embed.parameters(), *eps, *mlps, *self.norms.parameters()]

    def forward(self, molecules: Molecules) -> Tensor:
        """Collate the molecules' graphs and encode them: `[n, (layers + 1) · width]`."""
        batch = Batch.from_data_list([graphs()[i] for i in molecules.index])
        h = F.relu(self.embed(batch.x.to(self.embed.weight.dtype)))
        states = [h]
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            h = F.relu(norm(convolution(h, batch.edge_index)))
            states.append(h)
        pooled = [global_add_pool(h, batch.batch, len(molecules)) for h in states]
        return torch.log1p(torch.cat(pooled, dim=1))


@cache
def graphs() -> list[Data]:
    """The store of the benchmark's assays as torch_geometric has it, made ahead of time."""
    parts = [graph for assay in assays() for graph in assay.molecules.to_pyg_list()]
    for graph in parts:
        del graph.smiles, graph.edge_attr
    return parts


def encode(encoder: nn.Module, task: Episode) -> Episode:
    """A task with vectors in place of molecules, from two passes."""
    support, query = (replace(part, x=encoder(part.x)) for part in (task.support, task.query))
    return replace(task, support=support, query=query)


def maml_loss(network: nn.Module, tasks: Sequence[Episode], lr: float, steps: int = 1) -> Tensor:
    """Second-order MAML by clones of the weights that are updated, a task at a time."""
    losses = []
    for task in tasks:
        weights = {name: w.clone() for name, w in network.named_parameters()}
        for _ in range(steps):
            outputs = functional_call(network, weights, task.support.x)
            loss = F.cross_entropy(outputs, task.support.y, reduction="mean")
            grads = torch.autograd.grad(loss, list(weights.values()), create_graph=True)
            weights = {
                name: w - lr * g for (name, w), g in zip(weights.items(), grads, strict=True)
            }
        outputs = functional_call(network, weights, task.query.x)
        losses.append(F.cross_entropy(outputs, task.query.y))
    return torch.stack(losses).mean()

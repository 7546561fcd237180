"""A network that learns to give what is known of molecules without any assay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from molmeta.learners.base import Embedded, Learner, State
from molmeta.tasks import Examples, Inputs, cat


@dataclass(frozen=True)
class KnownVectors:
    """Part of a batch of molecules, with the vectors that a network shall give.

    Attributes
    ----------
    x : Inputs
        n molecules.
    vectors : dict of Tensor
        By the name of a feature block, `[n, k]`, each column of spread one or so.
    mean_size : float
        Molecules of the whole batch, over the number of its parts.
    """

    x: Inputs
    vectors: dict[str, Tensor]
    mean_size: float

    def to(self, device: torch.device) -> KnownVectors:
        """Vectors on a device; molecules move when they are collated."""
        return replace(self, vectors={name: t.to(device) for name, t in self.vectors.items()})


class Imitation(Learner):
    r"""Trains a learner's encoder to give other features t of a molecule from its own vector h.

    .. math:: \frac{1}{n} \sum_{i=1}^n \sum_t \frac{1}{k_t} \lVert W_t h_i + b_t - t_i \rVert^2

    With computed descriptors it is the pre-training of Fabian et al., *Molecular Representation
    Learning with Language Models and Domain-Relevant Auxiliary Tasks* (2020),
    https://arxiv.org/abs/2011.13230; with the vectors of a larger network, distillation (Hinton,
    Vinyals, Dean 2015, https://arxiv.org/abs/1503.02531) by its vectors (FitNets: Romero et al.
    2015, https://arxiv.org/abs/1412.6550). No label of an assay is used.

    Parameters
    ----------
    model : Embedded
        What is used afterwards.
    widths : dict of int
        k of each target, by the name of its feature block.
    """

    def __init__(self, model: Embedded, widths: Mapping[str, int]) -> None:
        super().__init__()
        self.model = model
        dim: int = model.encoder.dim  # type: ignore[assignment]
        self.heads = nn.ModuleDict({name: nn.Linear(dim, k) for name, k in widths.items()})
        self.targets = model.targets  # type: ignore[misc]

    def meta_loss(self, episodes: Sequence[KnownVectors]) -> Tensor:  # type: ignore[override]
        """Over these parts of a batch; the mean over all parts is the batch's."""
        h = self.model.encoder(cat([part.x for part in episodes]))
        total = h.new_zeros(())
        for name, head in self.heads.items():
            known = torch.cat([part.vectors[name] for part in episodes])
            total = total + (head(h) - known).square().mean(dim=1).sum()
        return total / (episodes[0].mean_size * len(episodes))

    def for_use(self) -> Learner:
        """The model."""
        return self.model

    def adapt(self, support: Examples) -> State:
        """As the model."""
        return self.model.adapt(support)

    def forward(self, x: Inputs, state: State) -> Tensor:
        """As the model."""
        return self.model(x, state)

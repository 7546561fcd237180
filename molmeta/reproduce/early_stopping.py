"""How Nguyen et al. 2020 use an initialisation: fine-tuning with early stopping."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor, nn
from torch.func import functional_call

from molmeta import metrics
from molmeta.datasets import SplitAssay
from molmeta.learners import Learner, LogitHead, adam_until, weighted_loss
from molmeta.models import encode_all
from molmeta.seeds import torch_seeded
from molmeta.tasks import Classification, Examples

NEIGHBOURS = 3


@dataclass(frozen=True)
class FineTuning:
    """Adam on the whole support, stopped by the task's validation part.

    Attributes
    ----------
    lr : float
        Rate of Adam (β = .9, .999).
    epochs : int
        Most steps: a support is one batch, as in the release.
    patience : int
        Steps in a row whose validation loss is above the lowest before it stops.
    """

    lr: float = 0.005
    epochs: int = 200
    patience: int = 10

    def __call__(
        self,
        network: nn.Module,
        support: Examples,
        watched: Examples,
        positive_weight: float,
    ) -> dict[str, Tensor]:
        """The parameters of a network with the lowest loss on `watched`; the network stays."""

        def loss(parameters: dict[str, Tensor], part: Examples = support) -> Tensor:
            outputs = functional_call(network, parameters, part.x)
            return weighted_loss(outputs, part.y, positive_weight)

        def loss_watched(parameters: dict[str, Tensor]) -> float:
            with torch.no_grad():
                return float(loss(parameters, watched))

        start: dict[str, Tensor] = dict(network.named_parameters())
        return adam_until(loss, loss_watched, start, self.lr, self.epochs, self.patience)


@dataclass(frozen=True)
class Task:
    """A split assay as a method reads it: as molecules, or as the vectors of a frozen encoder."""

    split: SplitAssay
    all: Examples

    @classmethod
    def of(cls, split: SplitAssay, device: torch.device, encoder: nn.Module | None = None) -> Task:
        """With the molecules; or, given an encoder, with their vectors."""
        examples = split.assay.examples()
        if encoder is not None:
            vectors = encode_all(encoder, split.assay.molecules)
            examples = Examples(vectors, examples.y, examples.target)
        return cls(split, examples.to(device))

    def part(self, positions: np.ndarray) -> Examples:
        """Some of the measurements."""
        index = torch.from_numpy(positions).to(self.all.y.device)
        return Examples(self.all.x[index], self.all.y[index], self.all.target)


def scores_of(outputs: Tensor, part: Examples) -> Iterator[tuple[str, float]]:
    """(metric, value) of outputs `[n, 2]` for a part."""
    active, score = part.y.cpu().numpy(), part.target.score(outputs).cpu().numpy()
    yield "auprc", metrics.auprc(active, score)
    yield "roc_auc", metrics.roc_auc(active, score)


def balance(support: Examples) -> float:
    """Inactives over actives: the weight that the release gives actives in the test."""
    ones = float(support.y.sum())
    return (len(support) - ones) / ones


def tuned_outputs(
    settings: FineTuning,
    weighted: bool,
    network: nn.Module,
    task: Task,
    support: Examples,
    judged: Examples,
) -> Tensor:
    """Fine-tune on a support, actives `weighted` or not, and predict `judged`: `[n, 2]`."""
    weight = balance(support) if weighted else 1.0
    tuned = settings(network, support, task.part(task.split.validation), weight)
    with torch.no_grad():
        return functional_call(network, tuned, judged.x)


def neighbours_outputs(support: Examples, judged: Examples) -> Tensor:
    """Log-probabilities of the three nearest neighbours, by Euclidean distance."""
    model = KNeighborsClassifier(n_neighbors=min(NEIGHBOURS, len(support)))
    model.fit(support.x.cpu().numpy(), support.y.cpu().numpy())
    shares = torch.from_numpy(model.predict_proba(judged.x.cpu().numpy()))
    return shares.clamp(min=1e-6).log()


def new_head(dim: int, seed: int) -> LogitHead:
    """A head whose weights depend on the seed alone."""
    with torch_seeded("new head", seed):
        return LogitHead(dim)


def learner_outputs(learner: Learner, support: Examples, judged: Examples) -> Tensor:
    """Adapt a learner to a support, and predict."""
    assert isinstance(support.target, Classification)
    with torch.no_grad():
        return learner(judged.x, learner.adapt(support))

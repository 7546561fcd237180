"""A network trained on many assays at once, then fine-tuned on the new one."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.func import functional_call

from molmeta.baselines.logistic_regression import LogisticRegression
from molmeta.learners import (
    Embedded,
    GradientBased,
    Learner,
    MultiTask,
    PreTrained,
    State,
    adam_steps,
    linear_head,
)
from molmeta.tasks import Inputs, Target


class FineTuning(GradientBased):
    """Steps of Adam on the whole support, from weights that other assays taught.

    The multi-task baselines of Nguyen et al.: *Meta-Learning Initializations for Low-Resource Drug
    Discovery* (2020), https://arxiv.org/abs/2003.05996, and of FS-Mol (Stanley et al. 2021): an
    encoder trained by many assays at once (`MultiTask`), a new head on it, and the head alone
    (Finetune-Top) or all weights (Finetune-All) trained for the new assay. Finetune-Top is
    `PreTrained(encoder, FineTuning(head))`.

    State
    -----
    parameters : Tensor
        The tuned value of every parameter, under its name in the network; for a regression also
        `label.mean` and `label.spread` of the support, in the labels' unit.

    Parameters
    ----------
    network : nn.Module
        Inputs to outputs `[n, target.width]`.
    lr : float
        Rate of Adam (Kingma, Ba 2015; β = .9, .999).
    steps : int
        Number of steps.

    Differences from the paper
    --------------------------
    A fixed number of steps, chosen on validation assays, in place of stopping early by a part of
    the support; dropout is off; the head's inputs have length one.
    """

    def __init__(self, network: nn.Module, lr: float = 1e-3, steps: int = 50) -> None:
        super().__init__(network)
        self.lr, self.steps = lr, steps

    def descend(self, x: Inputs, y: Tensor, target: Target) -> State:
        """The weights after the last step; to the first order in what they start from."""

        def loss(parameters: State) -> Tensor:
            return target.inner_loss(functional_call(self.network, parameters, x), y)

        start: State = dict(self.network.named_parameters())
        return adam_steps(loss, start, self.lr, self.steps)


class FineTuneAll(FineTuning):
    """`FineTuning` of an encoder, which `MultiTask` trains, and a head."""

    def __init__(self, encoder: nn.Module, head: nn.Module, **options: float) -> None:
        super().__init__(nn.Sequential(encoder, head), **options)  # type: ignore[arg-type]

    def for_training(self, names: Sequence[str]) -> Learner:
        """All assays at once."""
        return MultiTask(self, self.network[0], names)  # type: ignore[index]


def fine_tune_all(encoder: nn.Module, target: Target, **options: float) -> FineTuneAll:
    """Finetune-All."""
    return FineTuneAll(encoder, linear_head(encoder, target), **options)


def fine_tune_top(encoder: nn.Module, target: Target, **options: float) -> Embedded:
    """Finetune-Top."""
    return PreTrained(encoder, FineTuning(linear_head(encoder, target), **options))  # type: ignore[arg-type]


def linear_probe(encoder: nn.Module, target: Target, c: float = 1.0) -> Embedded:
    """`LogisticRegression` on the vectors of an encoder that `MultiTask` trains."""
    return PreTrained(encoder, LogisticRegression(c))

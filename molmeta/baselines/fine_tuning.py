"""A network trained on many assays at once, then fine-tuned on the new one."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.func import functional_call

from molmeta.baselines.logistic_regression import LogisticRegression
from molmeta.learners import (
    Embedded,
    Learner,
    MultiTask,
    PreTrained,
    State,
    adam_steps,
    label_scale,
    linear_head,
    predict,
    predict_for_tasks,
    scaled,
)
from molmeta.tasks import Classification, Examples, Inputs, Regression, Target


class FineTuning(Learner):
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

    targets = (Classification, Regression)
    class_symmetric = False

    def __init__(self, network: nn.Module, lr: float = 1e-3, steps: int = 50) -> None:
        super().__init__()
        self.network = network
        self.lr, self.steps = lr, steps

    def adapt(self, support: Examples) -> State:
        """The weights after the last step; to the first order in what they start from."""
        self.check(support)
        scale = label_scale(support)
        y = scaled(support.y, scale)

        def loss(parameters: dict[str, Tensor]) -> Tensor:
            outputs = functional_call(self.network, parameters, support.x)
            return support.target.inner_loss(outputs, y)

        start: dict[str, Tensor] = dict(self.network.named_parameters())
        return adam_steps(loss, start, self.lr, self.steps) | scale

    def forward(self, x: Inputs, state: State) -> Tensor:
        """The network with the tuned weights: `[n, target.width]`."""
        return predict(self.network, x, state)

    def for_tasks(self, x: Inputs, states: Sequence[State]) -> Sequence[Tensor]:
        """`forward` for each of many tasks; at once, where the network is a linear head."""
        return predict_for_tasks(self, x, states)


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

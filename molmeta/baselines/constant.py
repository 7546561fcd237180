"""A score that is the same for every molecule."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from molmeta.learners import Learner, State
from molmeta.tasks import Classification, Examples, Inputs, Regression, Target


class Constant(Learner):
    """The support's class frequencies, or mean and log-variance, whatever the input.

    ΔAUPRC 0, ROC-AUC ½, accuracy 1 / n_way: what a learner must beat to have learned anything.

    State
    -----
    outputs : Tensor
        `[target.width]`.
    """

    targets = (Classification, Regression)

    def adapt(self, support: Examples) -> State:
        """Count the classes, or take the mean and the variance."""
        self.check(support)
        if isinstance(support.target, Classification):
            return {"outputs": support.target.encode(support.y).mean(dim=0).log()}
        mean, spread = support.target.scale(support.y)
        return {"outputs": torch.stack([mean, 2 * spread.log()])}

    def forward(self, x: Inputs, state: State) -> Tensor:
        """The same row for each input: `[n, target.width]`."""
        return state["outputs"].expand(len(x), -1)


def constant(encoder: nn.Module, target: Target) -> Constant:
    """`Constant`; the encoder is not used."""
    return Constant()

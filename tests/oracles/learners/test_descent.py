"""Descent with early stopping: the step that is kept, and the step after which it ends."""

from __future__ import annotations

from itertools import islice
from math import nan

import pytest
import torch
from torch import Tensor

from molmeta.learners.descent import adam_path, adam_until

START, LR = {"w": torch.tensor([3.0, -2.0])}, 0.1


def loss(parameters: dict[str, Tensor]) -> Tensor:
    return parameters["w"].square().sum()


@pytest.mark.parametrize(
    ("watched", "kept", "asked"),
    [
        ([3, 2, 5, 4, 1], 2, 4),  # two in a row above the lowest
        ([3, 4, 2, 5, 4, 1], 3, 5),  # a lower one begins the count anew
        ([3, 2, 5, 2, 5, 4], 4, 6),  # of equals the last
        ([3, 2, 1, 0.5, 0.4, 0.3], 6, 6),  # never worse
        ([nan, nan, 1], 0, 2),  # no number is no improvement
    ],
)
def test_the_lowest_is_kept_and_patience_is_for_steps_in_a_row(
    watched: list[float], kept: int, asked: int
) -> None:
    left = iter(watched)
    found = adam_until(loss, lambda _: next(left), START, LR, steps=6, patience=2)
    path = [START, *islice(adam_path(loss, START, LR), kept)]
    assert torch.equal(found["w"], path[-1]["w"])
    assert len(watched) - len(list(left)) == asked

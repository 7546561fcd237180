"""What stands on vectors of length one sees the direction of a centred row, and never its size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.preprocessing import normalize
from torch import Tensor, nn

from molmeta.learners.head import UnitLength, linear_head
from molmeta.registry import lookup
from molmeta.tasks.episode import Examples
from molmeta.tasks.targets import Classification

TARGET = Classification(2)


class AsGiven(nn.Identity):
    """Eight columns, as they are."""

    dim = 8


def rows(n: int) -> Tensor:
    return 5 + 3 * torch.randn(n, 8, dtype=torch.float64)


def unit(x: Tensor) -> np.ndarray:
    """Centred and scaled as scikit-learn does it."""
    return normalize(x.numpy() - x.numpy().mean(axis=1, keepdims=True))


def test_a_row_is_centred_and_of_length_one() -> None:
    x = rows(6)
    np.testing.assert_allclose(UnitLength()(x), unit(x), atol=1e-5)


def test_the_head_is_a_linear_layer_on_such_rows() -> None:
    head, x = linear_head(AsGiven(), TARGET).double(), rows(6)
    weight, bias = (p.detach().numpy() for p in head.parameters())
    found = head(x).detach(), *head.for_tasks(x, [dict(head.state_dict())])
    for outputs in found:
        np.testing.assert_allclose(outputs, unit(x) @ weight.T + bias, atol=1e-4)


@pytest.mark.parametrize(
    "name", ["maml", "fomaml", "anil", "reptile", "deep_kernel", "quadratic_probe"]
)
def test_learners_do_not_see_how_long_a_row_is(name: str) -> None:
    learner = lookup("learner", name)(AsGiven(), TARGET).double().eval()
    x, query = rows(10), rows(4)
    scales = torch.linspace(1, 100, 10, dtype=torch.float64).unsqueeze(1)

    def predicted(support: Tensor, asked: Tensor) -> Tensor:
        state = learner.adapt(Examples(support, torch.arange(10) % 2, TARGET))
        return learner(asked, state).detach()

    plain = predicted(x, query)
    torch.testing.assert_close(predicted(scales * x, 9 * query), plain, rtol=1e-3, atol=1e-3)
    assert plain.std(dim=0).min() > 1e-2

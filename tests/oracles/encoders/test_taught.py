"""A network that was taught gives what scikit-learn's ridge regression says of its teacher."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge

from molmeta.encoders.taught import Taught
from molmeta.molecules.blocks import BLOCK_WIDTHS
from molmeta.molecules.molecules import Molecules

NETWORK = {"name": "fingerprint", "hidden": 16, "dim": 8}


@pytest.fixture
def taught(drugs: Molecules) -> tuple[Taught, np.ndarray, np.ndarray]:
    """Fitted, with the vectors of its network, and of a teacher whom these hardly follow."""
    torch.manual_seed(0)
    encoder = Taught(NETWORK, teacher="descriptors", power=0.5, ridge=0.0).eval()
    with torch.no_grad():
        vectors = encoder.network(drugs)
    teacher = torch.randn(len(drugs), BLOCK_WIDTHS["descriptors"]) + vectors[:, :1]
    encoder.fit_to(vectors, teacher)
    return encoder, vectors.double().numpy(), teacher.double().numpy()


def test_it_is_ridge_regression_on_the_teachers_whitened_vector(taught, drugs: Molecules) -> None:
    encoder, h, teacher = taught
    whitened = PCA(whiten=True).fit_transform(teacher)[:, ::-1] * (len(h) / (len(h) - 1)) ** 0.5
    shrinkage = encoder.shrinkage * (len(h) * h.var(axis=0)).mean()
    expected = Ridge(alpha=shrinkage).fit(h, whitened).predict(h)
    found = encoder(drugs).detach().numpy()
    signs = np.sign((found * expected).sum(axis=0))  # of a principal axis, anybody's choice
    np.testing.assert_allclose(found, expected * signs, atol=1e-4)


def test_its_teacher_is_no_part_of_it(taught) -> None:
    encoder, *_ = taught
    assert encoder.dim == BLOCK_WIDTHS["descriptors"] == encoder.columns["vector"].stop
    assert set(encoder.state_dict()) - set(encoder.network.state_dict(prefix="network.")) == {
        "mean",
        "factor",
    }
    assert not any(parameter.requires_grad for parameter in encoder.parameters())

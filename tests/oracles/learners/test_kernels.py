"""Kernels of several parts are the weighted sum of kernels that are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics.pairwise import cosine_similarity, rbf_kernel
from sklearn.preprocessing import normalize

from molmeta.encoders.joined import Joined
from molmeta.errors import ConfigError
from molmeta.learners.gaussian_process import gaussian_process
from molmeta.learners.kernels import CosineKernel, DirectionKernel, fingerprint_kernel, kernel_of
from molmeta.molecules.molecules import Molecules
from molmeta.tasks.targets import Classification

PARTS = [
    {"name": "features", "blocks": ["ecfp4", "torsion", "descriptors"]},
    {"name": "whitened", "network": {"name": "fingerprint", "hidden": 16, "dim": 8}},
]


def test_cosine_is_scikit_learns_and_nothing_is_like_nothing() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(5, 7)), rng.normal(size=(4, 7))
    a[2, 1:4] = 0
    found = CosineKernel(slice(1, 4))(torch.tensor(a), torch.tensor(b))
    np.testing.assert_allclose(found, cosine_similarity(a[:, 1:4], b[:, 1:4]), atol=1e-12)
    assert not found[2].any()


def test_directions_have_scikit_learns_gaussian_kernel() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(5, 7)), rng.normal(size=(4, 7))
    found = DirectionKernel(slice(1, 4), length=0.7)(torch.tensor(a), torch.tensor(b))
    expected = rbf_kernel(*(normalize(rows[:, 1:4]) for rows in (a, b)), gamma=1 / (2 * 0.7**2))
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_a_length_makes_the_vectors_kernel_one_of_directions(drugs: Molecules) -> None:
    torch.manual_seed(0)
    encoder = Joined(PARTS)
    rows = encoder(drugs)
    kernel = kernel_of(encoder.columns, {"fingerprints": 3.0, "vector": 1.0}, length=1.0)
    expected = 0.75 * fingerprint_kernel(encoder.columns)(rows, rows)
    expected = expected + 0.25 * DirectionKernel(encoder.columns["vector"], 1.0)(rows, rows)
    torch.testing.assert_close(kernel(rows, rows), expected)


def test_a_sum_has_the_weights_that_are_given(drugs: Molecules) -> None:
    torch.manual_seed(0)
    encoder = Joined(PARTS)
    rows = encoder(drugs)
    kernel = kernel_of(encoder.columns, {"fingerprints": 1.0, "vector": 3.0})
    expected = 0.25 * fingerprint_kernel(encoder.columns)(rows, rows)
    expected = expected + 0.75 * CosineKernel(encoder.columns["vector"])(rows, rows)
    torch.testing.assert_close(kernel(rows, rows), expected)
    torch.testing.assert_close(kernel(rows, rows).diagonal(), torch.ones(len(drugs)))


@pytest.mark.parametrize("weights", [{"fingerprints": 1.0}, {"vector": 1.0, "labels": 1.0}])
def test_weights_of_other_parts_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="fingerprints and vector"):
        gaussian_process(Joined(PARTS), Classification(2), weights=weights)


def test_of_one_part_it_is_that_part() -> None:
    assert isinstance(kernel_of({"vector": slice(0, 3)}, None), CosineKernel)

"""Many supports at once in compiled code: the same similarities, and scores to float32 rounding."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from molmeta.learners import count_tables
from molmeta.learners.functional import tanimoto
from molmeta.learners.gaussian_process import GaussianProcess, PriorMean
from molmeta.learners.kernels import (
    MANY,
    CosineKernel,
    FingerprintKernel,
    Kernel,
    SumOfKernels,
    WithLabels,
)
from molmeta.tasks import Classification, Examples, Regression

pytest.importorskip("numba")

from molmeta.learners.compiled_similarity import TILE, Tables

BLOCKS = (slice(0, 70), slice(70, 133))
DESCRIPTORS, PRIOR, VECTOR = slice(133, 140), slice(140, 141), slice(141, 150)
WIDTH = 150


def rows(n: int, seed: int, largest: int = 6) -> torch.Tensor:
    """Sparse counts, most of them small, and real columns behind them."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, largest, (n, BLOCKS[-1].stop)) * (rng.random((n, 133)) < 0.3)
    real = rng.normal(size=(n, WIDTH - 133))
    return torch.from_numpy(np.concatenate([counts, real], axis=1).astype(np.float32))


def kernels() -> dict[str, Kernel]:
    """Those with a way of their own, and sums of them."""
    counts = FingerprintKernel(BLOCKS, DESCRIPTORS)
    return {
        "counts": FingerprintKernel(BLOCKS),
        "counts and descriptors": counts,
        "with vectors": SumOfKernels([counts, CosineKernel(VECTOR)], [0.6, 0.4]),
        "with labels": WithLabels(counts, VECTOR),
    }


@pytest.mark.parametrize("name", kernels())
@pytest.mark.parametrize("n", [3, MANY + 1])
def test_a_kernel_against_rows_is_the_kernel_bit_for_bit(name, n):
    kernel, a, b = kernels()[name], rows(n, 0), rows(90, 1)
    assert torch.equal(kernel.against(b)(a), kernel(a, b))


@pytest.mark.parametrize("largest", [2, 6, 256])
def test_compiled_similarities_are_those_of_tensors(largest):
    a, b = rows(40, 2, largest), rows(TILE + 100, 3, largest)
    a[0], b[0], a[1, BLOCKS[0]] = 0, 0, 255  # nothing at all; as much as there can be
    tables = Tables(b, BLOCKS)
    known = tables.rows(a)
    found = np.concatenate([tables.similarity(known, tile) for tile in range(2)], axis=1)
    expected = torch.stack([tanimoto(a[:, part], b[:, part]) for part in BLOCKS]).mean(dim=0)
    np.testing.assert_array_equal(found, expected.numpy())


def test_several_tiles_are_the_kernel_too():
    kernel, a, b = kernels()["counts and descriptors"], rows(MANY, 4), rows(TILE + 100, 5)
    torch.testing.assert_close(kernel.against(b)(a), kernel(a, b), atol=2e-7, rtol=1e-6)


@pytest.mark.parametrize("odd", [0.5, -1.0, 256.0, float("nan")])
def test_what_is_no_small_count_is_left_to_tensors(odd):
    a, b = rows(MANY, 6), rows(20, 7)
    assert Tables.fit(b, BLOCKS) and Tables(b, BLOCKS).rows(a) is not None
    a[5, 9] = odd
    assert Tables(b, BLOCKS).rows(a) is None
    assert not Tables.fit(a, BLOCKS)
    kernel = kernels()["counts and descriptors"]
    assert torch.equal(kernel.against(b)(a).nan_to_num(), kernel(a, b).nan_to_num())
    assert torch.equal(kernel.against(a)(a).nan_to_num(), kernel(a, a).nan_to_num())


def test_counts_that_add_up_to_more_than_the_tables_hold_are_left_to_tensors():
    wide = torch.full((1, 300), 255.0)
    assert not Tables.fit(wide, [slice(0, 300)])
    assert Tables(wide[:, :2], [slice(0, 2)]).rows(wide[:, :2]) is not None


@pytest.mark.parametrize("target", [Classification(), Regression()], ids=lambda t: t.kind)
@pytest.mark.parametrize("n", [7, MANY])
def test_ranking_many_tasks_is_scoring_each(target, n):
    kernel = kernels()["with vectors"]
    for learner in (GaussianProcess(kernel), PriorMean(kernel, PRIOR)):
        states = []
        for seed in range(5):
            x = rows(16 + seed, 10 + seed)
            y = x[:, 140] > x[:, 140].median() if target.kind == "classification" else 5 + x[:, 140]
            labels = y.long() if target.kind == "classification" else y
            states.append(learner.adapt(Examples(x, labels, target)))
        x = rows(n, 30)
        expected = torch.stack([target.score(learner(x, state)) for state in states], dim=1)
        found = learner.ranking(states, target)(x)
        torch.testing.assert_close(found, expected, atol=2e-6, rtol=1e-6)


def test_without_numba_tensors_do_all(monkeypatch):
    def refuse(_):
        raise ImportError("no numba")

    monkeypatch.setattr(count_tables, "import_module", refuse)
    count_tables._compiled.cache_clear()
    try:
        a, b, kernel = rows(MANY, 8), rows(20, 9), kernels()["counts"]
        assert count_tables.tables_of(b, BLOCKS) is None
        assert torch.equal(kernel.against(b)(a), kernel(a, b))
    finally:
        count_tables._compiled.cache_clear()

"""`neighbour_sum` is the product with a 0/1 matrix, differentiable any number of times."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from molmeta.molecules.graphs import Csr, neighbour_sum

SHAPES = [(5, 7), (6, 6), (1, 4), (4, 1)]


def sparse(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[Csr, Tensor]:
    """A random matrix with an empty row and column where there is room, sparse and dense."""
    dense = rng.random(shape) < 0.5
    dense[-1, :] &= shape[0] == 1
    dense[:, 0] &= shape[1] == 1
    csr = Csr.from_rows(dense.nonzero()[1], np.append(0, dense.sum(axis=1).cumsum()), shape[1])
    return csr, torch.from_numpy(dense.astype(float))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_it_equals_the_dense_product(rng, shape):
    csr, dense = sparse(rng, shape)
    h = torch.randn(shape[1], 3, dtype=torch.float64)
    torch.testing.assert_close(neighbour_sum(h, csr), dense @ h, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_first_and_second_derivatives_pass_gradcheck(rng, shape):
    csr, _ = sparse(rng, shape)
    h = torch.randn(shape[1], 2, dtype=torch.float64, requires_grad=True)

    def nonlinear(h: Tensor) -> Tensor:
        return torch.tanh(neighbour_sum(h.square(), csr))

    assert torch.autograd.gradcheck(nonlinear, (h,))
    assert torch.autograd.gradgradcheck(nonlinear, (h,))


def test_gradients_that_are_expanded_or_strided_are_right(rng):
    csr, dense = sparse(rng, (5, 7))
    for reduce in (lambda out: out.sum(), lambda out: (out.T @ torch.ones(5, 4).double()).sum()):
        h = torch.randn(7, 3, dtype=torch.float64, requires_grad=True)
        (sparse_grad,) = torch.autograd.grad(reduce(neighbour_sum(h, csr)), h)
        (dense_grad,) = torch.autograd.grad(reduce(dense @ h), h)
        torch.testing.assert_close(sparse_grad, dense_grad, rtol=1e-12, atol=1e-12)
    wide = torch.randn(3, 7, dtype=torch.float64)
    torch.testing.assert_close(neighbour_sum(wide.T, csr), dense @ wide.T)


def test_grad_of_grad_by_torch_func_equals_the_dense_product(rng):
    csr, dense = sparse(rng, (6, 6))
    h = torch.randn(6, 2, dtype=torch.float64)

    def through(product):
        def inner(h: Tensor) -> Tensor:
            return torch.tanh(product(torch.tanh(product(h)))).square().sum()

        def outer(h: Tensor) -> Tensor:
            return inner(h - 0.3 * torch.func.grad(inner)(h))

        return torch.func.grad(outer)(h)

    ours = through(lambda h: neighbour_sum(h, csr))
    torch.testing.assert_close(ours, through(lambda h: dense @ h), rtol=1e-10, atol=1e-10)
    with torch.no_grad():
        assert torch.equal(through(lambda h: neighbour_sum(h, csr)), ours)


def test_without_edges_the_sum_is_zero_and_so_is_its_gradient():
    csr = Csr.from_rows(np.zeros(0, dtype=np.int64), np.zeros(4, dtype=np.int64), 4)
    h = torch.randn(4, 2, dtype=torch.float64, requires_grad=True)
    out = neighbour_sum(h, csr)
    assert torch.equal(out, torch.zeros(3, 2, dtype=torch.float64))
    (grad,) = torch.autograd.grad(out.sum(), h)
    assert torch.equal(grad, torch.zeros_like(h))
    assert torch.autograd.gradgradcheck(lambda h: neighbour_sum(h.square(), csr), (h,))

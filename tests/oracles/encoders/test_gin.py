"""Our GIN equals a stack of torch_geometric's GINConv with the same weights."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from molmeta.encoders.gin import GIN
from molmeta.molecules.molecules import Molecules

PRECISION = [(torch.float32, 1e-5), (torch.float64, 1e-10)]


def with_other_eps(gin: GIN) -> GIN:
    """The encoder away from its start, where every eps is zero and every norm plain."""
    with torch.no_grad():
        for parameter in [*gin.eps, *gin.norms.parameters()]:
            parameter.add_(0.3 * torch.randn_like(parameter))
    return gin


def stacked(gin: GIN, x: Molecules, pyg) -> Tensor:
    """The encoder's formula with GINConv and global_add_pool in place of `neighbour_sum`."""
    data = x.to_pyg()
    dtype = gin.embed.weight.dtype
    h = torch.relu(gin.embed(data.x.to(dtype)))
    pooled = [pyg.nn.global_add_pool(h, data.batch)]
    for eps, mlp, norm in zip(gin.eps, gin.mlps, gin.norms, strict=True):
        conv = pyg.nn.GINConv(nn.Identity(), train_eps=True).to(dtype)
        del conv.eps
        conv.eps = eps
        h = torch.relu(norm(mlp(conv(h, data.edge_index))))
        pooled.append(pyg.nn.global_add_pool(h, data.batch))
    return torch.log1p(torch.cat(pooled, dim=1))


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISION, ids=str)
def test_forward_and_gradient_equal_those_of_ginconv(molecules, pyg, dtype, tolerance):
    gin = with_other_eps(GIN(width=8, layers=3).to(dtype))
    weights = torch.randn(len(molecules), gin.dim, dtype=dtype)
    ours, theirs = gin(molecules), stacked(gin, molecules, pyg)
    torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)
    parameters = dict(gin.named_parameters())
    grads = [
        torch.autograd.grad((out * weights).mean(), list(parameters.values()))
        for out in (ours, theirs)
    ]
    for name, mine, other in zip(parameters, *grads, strict=True):
        assert other.abs().max() > 0, name
        torch.testing.assert_close(mine, other, rtol=tolerance, atol=tolerance, msg=name)


def test_single_atoms_have_no_neighbours_and_work(pyg):
    x = Molecules(["C", "[Na+]", "O"])
    gin = with_other_eps(GIN(width=8, layers=2).double())
    torch.testing.assert_close(gin(x), stacked(gin, x, pyg), rtol=1e-10, atol=1e-10)


def test_the_order_of_the_atoms_does_not_matter():
    gin = GIN(width=8, layers=3).double()
    one, other = gin(Molecules(["OC(=O)c1ccccc1N"])), gin(Molecules(["Nc1ccccc1C(O)=O"]))
    torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)

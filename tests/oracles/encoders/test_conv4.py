"""Conv4 and Residual equal their formulas written out, for values and both derivatives."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from molmeta.encoders.base import Encoder
from molmeta.encoders.conv4 import Conv4
from molmeta.encoders.residual import Residual
from molmeta.errors import ConfigError, DataError
from molmeta.learners.descent import gradient_steps
from molmeta.molecules.molecules import Molecules

TIGHT = {"rtol": 1e-9, "atol": 1e-9}
SMALL = {"width": 16, "size": 20, "in_channels": 2}
ENCODERS = {
    "conv4": lambda: Conv4(**SMALL),
    "conv4, two pools": lambda: Conv4(**SMALL, pools=2),
    "conv4, batch": lambda: Conv4(**SMALL, norm="batch"),
    "residual": lambda: Residual((8, 16), in_channels=2, size=20),
    "residual, maps": lambda: Residual((8, 16, 16), in_channels=2, size=20, pooled=False),
}


def started(make) -> Encoder:
    """An encoder in float64, away from its start, where every norm is plain."""
    encoder = make().double()
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return encoder


@pytest.fixture(params=ENCODERS.values(), ids=ENCODERS)
def encoder(request) -> Encoder:
    """Each encoder of images."""
    return started(request.param)


def convolve(x: Tensor, weight: Tensor) -> Tensor:
    """A convolution that keeps the size, as a sum over shifted images."""
    n, _, height, width = x.shape
    kernel = weight.shape[2]
    padded = F.pad(x, [kernel // 2] * 4)
    out = x.new_zeros(n, len(weight), height, width)
    for i in range(kernel):
        for j in range(kernel):
            shifted = padded[:, :, i : i + height, j : j + width]
            out = out + torch.einsum("nchw,oc->nohw", shifted, weight[:, :, i, j])
    return out


def normalise(x: Tensor, norm: nn.Module) -> Tensor:
    """Group or batch normalisation from its definition."""
    if isinstance(norm, nn.GroupNorm):
        assert norm.num_groups == min(8, x.shape[1] // 2)
        parts = x.reshape(len(x), norm.num_groups, -1)
        centred = parts - parts.mean(dim=2, keepdim=True)
        scaled = centred / (centred.square().mean(dim=2, keepdim=True) + norm.eps).sqrt()
        scaled = scaled.reshape(x.shape)
    else:
        centred = x - x.mean(dim=(0, 2, 3), keepdim=True)
        scaled = centred / (centred.square().mean(dim=(0, 2, 3), keepdim=True) + 1e-5).sqrt()
    return scaled * norm.weight[:, None, None] + norm.bias[:, None, None]  # type: ignore[index]


def pool(x: Tensor) -> Tensor:
    """The largest of each 2 × 2 square; an odd last row or column is left out."""
    rows, columns = x.shape[2] // 2 * 2, x.shape[3] // 2 * 2
    corners = [x[:, :, i:rows:2, j:columns:2] for i in (0, 1) for j in (0, 1)]
    return torch.stack(corners).amax(dim=0)


def written_out(encoder: Encoder, x: Tensor) -> Tensor:
    """The encoder's formula, from the functions above."""
    if isinstance(encoder, Conv4):
        for i, (convolution, norm) in enumerate(
            zip(encoder.convolutions, encoder.norms, strict=True)
        ):
            x = normalise(convolve(x, convolution.weight), norm).clamp(min=0)
            x = pool(x) if i < encoder.pools else x
        return x.reshape(len(x), -1)
    assert isinstance(encoder, Residual)
    for stage in encoder.stages:
        first, second, shortcut = (
            lambda h, part=part: normalise(convolve(h, part[0].weight), part[1])
            for part in (stage.first, stage.second, stage.shortcut)
        )
        h = first(x)
        h = second(torch.where(h > 0, h, 0.1 * h)) + shortcut(x)
        x = pool(torch.where(h > 0, h, 0.1 * h))
    return x.mean(dim=(2, 3)) if encoder.pooled else x.reshape(len(x), -1)


def test_values_and_gradients_are_those_of_the_formula(encoder):
    x = torch.rand(5, 2, 20, 20, dtype=torch.float64)
    ours, by_hand = encoder(x), written_out(encoder, x)
    assert ours.shape == (5, encoder.dim)
    torch.testing.assert_close(ours, by_hand, **TIGHT)
    parameters = list(encoder.parameters())
    weights = torch.randn_like(ours)
    mine, others = (torch.autograd.grad((o * weights).sum(), parameters) for o in (ours, by_hand))
    for grad, other in zip(mine, others, strict=True):
        assert other.abs().max() > 1e-6  # every parameter matters
        torch.testing.assert_close(grad, other, **TIGHT)


def test_the_meta_gradient_through_inner_steps_is_that_of_the_formula(encoder):
    support, query = torch.rand(2, 4, 2, 20, 20, dtype=torch.float64)
    names = [name for name, _ in encoder.named_parameters()]

    def steps(parameters):
        rates = dict.fromkeys(names, torch.tensor(0.05, dtype=torch.float64))
        return gradient_steps(
            lambda p: functional_call(encoder, p, support).square().mean(),
            parameters,
            rates,
            2,
            first_order=False,
        )

    def steps_by_hand(parameters):
        for _ in range(2):
            loss = functional_call(Formula(encoder), prefixed(parameters), support).square().mean()
            grads = torch.autograd.grad(loss, list(parameters.values()), create_graph=True)
            parameters = {
                name: p - 0.05 * g for (name, p), g in zip(parameters.items(), grads, strict=True)
            }
        return parameters

    start = dict(encoder.named_parameters())
    ours = functional_call(encoder, steps(start), query)
    by_hand = functional_call(Formula(encoder), prefixed(steps_by_hand(start)), query)
    torch.testing.assert_close(ours, by_hand, **TIGHT)
    weights = torch.randn_like(ours)
    mine, others = (
        torch.autograd.grad((out * weights).sum(), list(start.values())) for out in (ours, by_hand)
    )
    for grad, other in zip(mine, others, strict=True):
        torch.testing.assert_close(grad, other, rtol=1e-7, atol=1e-8)
    with torch.no_grad():  # a learner adapts here, too
        torch.testing.assert_close(functional_call(encoder, steps(start), query), ours, **TIGHT)


class Formula(nn.Module):
    """`written_out` as a module, to be called with other parameters."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, x: Tensor) -> Tensor:
        return written_out(self.encoder, x)


def prefixed(parameters: dict[str, Tensor]) -> dict[str, Tensor]:
    """The names that the parameters have in `Formula`."""
    return {f"encoder.{name}": p for name, p in parameters.items()}


def test_a_row_depends_on_the_others_only_where_it_is_declared(encoder):
    x = torch.rand(6, 2, 20, 20, dtype=torch.float64)
    together, alone = encoder(x), torch.cat([encoder(row) for row in x.split(1)])
    if encoder.transductive:
        assert (together - alone).abs().max() > 0.01
    else:
        torch.testing.assert_close(together, alone, **TIGHT)
    assert encoder.transductive == any(isinstance(m, nn.BatchNorm2d) for m in encoder.modules())


def test_batch_statistics_are_never_remembered():
    encoder = Conv4(width=8, size=16, norm="batch")
    x = torch.rand(4, 1, 16, 16)
    before = encoder.eval()(x)
    encoder.train()(5 * torch.rand(9, 1, 16, 16))
    assert torch.equal(encoder.train()(x), before)
    assert torch.equal(encoder.eval()(x), before)
    assert not list(encoder.buffers())


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: Conv4(), (64, 1, 1)),
        (lambda: Conv4(width=32, size=84, in_channels=3), (32, 5, 5)),
        (lambda: Conv4(width=8, pools=2), (8, 7, 7)),
        (lambda: Conv4(width=6, pools=0, size=5), (6, 5, 5)),
        (lambda: Residual(in_channels=1, size=28, pooled=False), (128, 3, 3)),
        (lambda: Residual((8, 8), in_channels=1, size=28), None),
    ],
)
def test_the_shape_is_that_of_the_maps(make, shape):
    encoder = make()
    assert encoder.shape == shape
    assert encoder.dim == (shape[0] * shape[1] * shape[2] if shape else 8)
    assert encoder(torch.rand(2, *encoder.input_shape)).shape == (2, encoder.dim)
    assert encoder.blocks == ()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Conv4(size=8), "8 × 8 cannot be halved 4 times; use .* at least 16"),
        (lambda: Conv4(pools=5), "pools is 5"),
        (lambda: Conv4(width=0), "width is 0"),
        (lambda: Conv4(norm="layer"), "no norm 'layer'; there is: batch, group"),
        (lambda: Residual(()), "widths is empty"),
        (lambda: Residual((8, 0)), "width is 0"),
        (lambda: Residual(in_channels=0), "in_channels is 0"),
        (lambda: Residual((4,) * 4, size=15), "cannot be halved 4 times"),
    ],
)
def test_options_out_of_range_are_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


@pytest.mark.parametrize(
    ("x", "found"),
    [
        (torch.rand(5, 1, 20, 20), r"float32 \[5, 1, 20, 20\]"),
        (torch.rand(5, 2, 28, 28), r"\[5, 2, 28, 28\]"),
        (torch.rand(2, 20, 20), r"\[2, 20, 20\]"),
        (torch.zeros(5, 2, 20, 20, dtype=torch.uint8), "uint8"),
        (Molecules(["C"]), "found Molecules"),
    ],
)
def test_other_inputs_are_refused_with_what_was_found(encoder, x, found):
    with pytest.raises(DataError, match=found) as error:
        encoder(x)
    assert f"{type(encoder).__name__} reads images as floats [n, 2, 20, 20]" in str(error.value)

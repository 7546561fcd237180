"""The static hypernetwork equals its formula; encoders with its kernels are the plain ones."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from molmeta.encoders.base import Encoder
from molmeta.encoders.conv4 import Conv4
from molmeta.encoders.gin import GIN
from molmeta.encoders.static_hypernetwork import (
    GeneratedConvolution,
    GeneratedLinear,
    HyperConv4,
    HyperGIN,
    KernelGenerator,
)
from molmeta.errors import ConfigError
from molmeta.learners.maml import MAML
from molmeta.registry import lookup
from molmeta.tasks.episode import Examples
from molmeta.tasks.targets import Classification

EXACT = {"rtol": 1e-10, "atol": 1e-10}
SMALL = {"embedding": 4, "rank": 3}
CASES = ["hyper_conv4", "hyper_gin"]


def started(encoder: nn.Module) -> nn.Module:
    """In float64, away from the start, where biases are zero."""
    encoder = encoder.double()
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return encoder


@pytest.fixture(params=CASES)
def case(request, drugs):
    """An encoder, inputs for it, the plain encoder and its generated layers by name."""
    if request.param == "hyper_conv4":
        encoder, plain = HyperConv4(width=8, size=16, **SMALL), Conv4(width=8, size=16)
        inputs = torch.rand(6, 1, 16, 16, dtype=torch.float64)
        names = [f"convolutions.{i}" for i in (1, 2, 3)]
    else:
        encoder, plain = HyperGIN(width=8, layers=2, **SMALL), GIN(width=8, layers=2)
        inputs, names = drugs[:6], [f"mlps.{i}.{j}" for i in (0, 1) for j in (0, 2)]
    return started(encoder), inputs, plain.double(), names


def kernel_by_hand(generator: KernelGenerator, z: Tensor) -> Tensor:
    """Equation 2, a number at a time."""
    n, d, f = generator.channels, generator.rank, generator.kernel_size
    w, b = generator.rows.weight.view(n, d, -1), generator.rows.bias.view(n, d)
    w_out = generator.kernel.weight.view(n, f, f, d)
    b_out = generator.kernel.bias.view(n, f, f)
    kernel = z.new_zeros(n, n, f, f)
    for i in range(n):
        a = [sum(w[i, r, k] * z[k] for k in range(len(z))) + b[i, r] for r in range(d)]
        for o in range(n):
            for row in range(f):
                for column in range(f):
                    entry = b_out[o, row, column]
                    for r in range(d):
                        entry = entry + w_out[o, row, column, r] * a[r]
                    kernel[o, i, row, column] = entry
    return kernel


@pytest.mark.parametrize("kernel_size", [1, 3])
def test_a_kernel_is_that_of_the_formula(kernel_size):
    generator = started(KernelGenerator(5, kernel_size, embedding=4, rank=2))
    z = torch.randn(4, dtype=torch.float64)
    kernel = generator(z)
    torch.testing.assert_close(kernel, kernel_by_hand(generator, z), **EXACT)
    assert kernel.shape == (5, 5, kernel_size, kernel_size)  # out, in, f, f
    rows = kernel.transpose(0, 1).flatten(1)
    assert torch.linalg.matrix_rank(rows) == min(3, rows.shape[1])  # rank + 1


def test_an_encoder_is_the_plain_one_with_the_kernels_of_the_formula(case):
    encoder, inputs, plain, names = case
    weights = {n: p for n, p in encoder.named_parameters() if n in dict(plain.named_parameters())}
    for name in names:
        kernel = kernel_by_hand(encoder.generator, encoder.get_submodule(name).embedding)
        weights[f"{name}.weight"] = kernel if kernel.shape[2] == 3 else kernel[:, :, 0, 0]
    assert set(weights) == set(dict(plain.named_parameters()))
    expected = functional_call(plain, weights, (inputs,))
    torch.testing.assert_close(encoder(inputs), expected, **EXACT)
    assert expected.shape == (6, encoder.dim)


def test_one_generator_makes_the_different_kernels_of_all_layers(case):
    encoder, _, _, names = case
    generators = [m for m in encoder.modules() if isinstance(m, KernelGenerator)]
    assert generators == [encoder.generator]
    layers = [
        m for m in encoder.modules() if isinstance(m, (GeneratedConvolution, GeneratedLinear))
    ]
    assert layers == [encoder.get_submodule(name) for name in names]
    kernels = [layer.weight for layer in layers]
    for i, kernel in enumerate(kernels):
        assert all((kernel - other).abs().max() > 0.01 for other in kernels[:i])
    with torch.no_grad():
        encoder.generator.kernel.bias.add_(1)
    for layer, kernel in zip(layers, kernels, strict=True):
        torch.testing.assert_close(layer.weight, kernel + 1, **EXACT)


def test_each_parameter_is_listed_and_stored_once(case):
    encoder, _, plain, names = case
    listed = [name for name, _ in encoder.named_parameters()]
    assert listed == list(encoder.state_dict())
    usual = [n for n, _ in plain.named_parameters() if n.removesuffix(".weight") not in names]
    made = [f"{name}.embedding" for name in names]
    generator = [f"generator.{n}" for n, _ in encoder.generator.named_parameters()]
    assert sorted(listed) == sorted(usual + made + generator)


def test_a_copy_has_a_generator_of_its_own(case):
    encoder, inputs, _, _ = case
    before = encoder(inputs)
    copied = copy.deepcopy(encoder)
    with torch.no_grad():
        for parameter in copied.parameters():
            parameter.mul_(0.5)
        copied.generator.kernel.bias.add_(1)
    assert torch.equal(encoder(inputs), before)
    assert not torch.allclose(copied(inputs), before)
    copied.load_state_dict(encoder.state_dict())
    assert torch.equal(copied(inputs), before)


def test_gradients_reach_every_embedding_and_the_generator(case):
    encoder, inputs, _, _ = case
    outputs = encoder(inputs)
    (outputs * torch.randn_like(outputs)).sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 1e-8, name


def test_gradients_are_right_to_second_order_under_other_parameters(case):
    """Along random directions, against finite differences."""
    encoder, inputs, _, _ = case
    start = {n: p.detach().clone() for n, p in encoder.named_parameters()}
    target = torch.randn(6, encoder.dim, dtype=torch.float64)
    along = {n: torch.randn_like(p) for n, p in start.items()}

    def loss(p: dict[str, Tensor]) -> Tensor:
        return ((functional_call(encoder, p, (inputs,)) - target) ** 2).mean()

    def slope(p: dict[str, Tensor]) -> Tensor:
        grads = torch.func.grad(loss)(p)
        return sum((grads[n] * along[n]).sum() for n in p)  # type: ignore[return-value]

    def difference(f, p: dict[str, Tensor]) -> Tensor:
        step = 1e-6
        ahead, behind = ({n: p[n] + s * along[n] for n in p} for s in (step, -step))
        return (f(ahead) - f(behind)) / (2 * step)

    torch.testing.assert_close(slope(start), difference(loss, start), rtol=1e-4, atol=1e-6)
    curvature = torch.func.grad(slope)(start)
    assert curvature["generator.rows.weight"].abs().max() > 1e-8
    found = sum((curvature[n] * along[n]).sum() for n in start)
    torch.testing.assert_close(found, difference(slope, start), rtol=1e-4, atol=1e-6)


def test_maml_moves_embeddings_and_generator_and_leaves_the_encoder_as_it_was(case):
    encoder, inputs, _, names = case
    network = nn.Sequential(encoder, nn.Linear(encoder.dim, 2).double())
    before = {n: p.detach().clone() for n, p in network.named_parameters()}
    learner = MAML(network, 0.1, 2)
    state = learner.adapt(Examples(inputs, torch.arange(6) % 2, Classification(2)))
    for name in [f"{n}.embedding" for n in names] + ["generator.rows.weight"]:
        moved = next(p for key, p in state.items() if key.endswith(f"0.{name}"))
        assert not torch.equal(moved, before[f"0.{name}"]), name
    assert all(torch.equal(p, before[n]) for n, p in network.named_parameters())
    assert not torch.allclose(learner(inputs, state), network(inputs))


@pytest.mark.parametrize("kernel_size", [1, 3])
def test_kernels_start_at_the_scale_of_usual_ones(kernel_size):
    usual = nn.Conv2d(64, 64, kernel_size).weight.square().mean()
    squares = [
        generator(torch.randn(16)).square().mean()
        for generator in (KernelGenerator(64, kernel_size) for _ in range(20))
    ]
    assert 0.7 < torch.stack(squares).mean() / usual < 1.4


@pytest.mark.parametrize(("hyper", "plain"), [(HyperConv4, Conv4), (HyperGIN, GIN)])
def test_it_has_fewer_parameters_than_the_plain_encoder(hyper, plain):
    made, usual = (sum(p.numel() for p in e.parameters()) for e in (hyper(), plain()))
    assert hyper().dim == plain().dim
    assert made < usual / 1.4


@pytest.mark.parametrize("name", CASES)
def test_it_is_registered(name):
    encoder = lookup("encoder", name)(width=8, embedding=3, rank=2)
    assert isinstance(encoder, Encoder)
    assert encoder.generator.rows.weight.shape == (16, 3)


@pytest.mark.parametrize("option", ["embedding", "rank"])
@pytest.mark.parametrize("make", [HyperConv4, HyperGIN])
def test_numbers_below_one_are_refused(make, option):
    with pytest.raises(ConfigError, match=f"{option} is 0"):
        make(**{option: 0})

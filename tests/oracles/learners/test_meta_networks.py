"""Meta Networks equal slow code: loops over examples, coordinates and units, in float64."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from molmeta.learners.meta_networks import MetaNetworks, preprocess
from molmeta.tasks.episode import Episode, Examples
from molmeta.tasks.targets import Classification, Regression, Target

DIM, HIDDEN, UNITS = 3, 4, 5
EXACT = {"rtol": 1e-9, "atol": 1e-9}
TARGETS = [Classification(2), Classification(3), Regression()]


@pytest.fixture(params=TARGETS, ids=str)
def target(request) -> Target:
    return request.param


def examples(n: int, target: Target) -> Examples:
    if isinstance(target, Classification):
        y = torch.arange(n) % target.n_way
    else:
        y = 6 + 2 * torch.randn(n, dtype=torch.float64)
    return Examples(torch.randn(n, DIM, dtype=torch.float64), y, target)


def learner_for(target: Target, samples: int = 16) -> MetaNetworks:
    """A learner away from its start, where fast weights are small."""
    learner = MetaNetworks(DIM, target.width, HIDDEN, samples, UNITS).double()
    with torch.no_grad():
        learner.log_size.copy_(torch.tensor([-0.3, -0.7]))
        learner.log_strength.fill_(1.2)
    return learner


def loss_of_one(outputs: Tensor, y: Tensor, target: Target) -> Tensor:
    """The loss of one example, outputs `[width]`."""
    if isinstance(target, Classification):
        return outputs.exp().sum().log() - outputs[int(y)]
    return 0.5 * (outputs[1] + (y - outputs[0]) ** 2 / outputs[1].exp())


def scaled(y: Tensor, support: Examples) -> Tensor:
    if isinstance(support.target, Classification):
        return y
    return (y - support.y.mean()) / support.y.std(correction=0)


def gradients(layers: list[nn.Linear], support: Examples, order: list[int]) -> list[Tensor]:
    """Flat gradients of linear layers with ReLU between them, an example at a time."""
    parameters = [p for layer in layers for p in (layer.weight, layer.bias)]
    labels, found = scaled(support.y, support), []
    for i in order:
        h = support.x[i]
        for layer in layers[:-1]:
            h = (layer.weight @ h + layer.bias).clamp(min=0)
        outputs = layers[-1].weight @ h + layers[-1].bias
        grads = torch.autograd.grad(loss_of_one(outputs, labels[i], support.target), parameters)
        found.append(torch.cat([g.flatten() for g in grads]))
    return found


def seen(gradient: float) -> Tensor:
    """What d and m see of one coordinate."""
    if abs(gradient) >= math.exp(-7):
        pair = [math.log(abs(gradient)) / 7, math.copysign(1, gradient)]
    else:
        pair = [-1.0, math.exp(7) * gradient]
    return torch.tensor(pair, dtype=torch.float64)


def sized(flat: Tensor, log_size: Tensor) -> Tensor:
    """Mean 0 and standard deviation exp(log_size), but for 1e-12 that keeps the root from 0."""
    centred = flat - flat.sum() / len(flat)
    return log_size.exp() * centred / ((centred**2).sum() / len(flat) + 1e-12).sqrt()


def memory_by_hand(learner: MetaNetworks, support: Examples) -> Tensor:
    """m on every coordinate of every example's gradient by itself."""
    first, second, last = (learner.example_level[i] for i in (0, 2, 4))
    hidden, output = learner.base[0], learner.base[2]
    rows = []
    for gradient in gradients([hidden, output], support, list(range(len(support)))):  # type: ignore[list-item]
        made = []
        for coordinate in gradient.tolist():
            h = (first.weight @ seen(coordinate) + first.bias).clamp(min=0)
            h = (second.weight @ h + second.bias).clamp(min=0)
            made.append(last.weight[0] @ h)
        rows.append(sized(torch.stack(made), learner.log_size[1]))
    return torch.stack(rows)


def lstm_step(cell: nn.LSTMCell, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """One step for one coordinate: input, forget, cell and output gates."""
    gates = cell.weight_ih @ x + cell.bias_ih + cell.weight_hh @ h + cell.bias_hh
    i, f, g, o = gates.split(UNITS)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def fast_by_hand(learner: MetaNetworks, support: Examples, order: list[int]) -> Tensor:
    """Q*: d on every coordinate of u's gradient by itself, examples in this order."""
    reads = gradients([learner.represent, learner.read_out], support, order)
    made = []
    for coordinate in range((DIM + 1) * HIDDEN):  # of u alone, without the read-out
        h = c = torch.zeros(UNITS, dtype=torch.float64)
        for gradient in reads:
            h, c = lstm_step(learner.task_level, seen(gradient[coordinate].item()), h, c)
        made.append(learner.task_out.weight[0] @ h)
    return sized(torch.stack(made), learner.log_size[0])


def sorted_rows(support: Examples) -> list[int]:
    """Rows by label, then by the inputs."""
    return sorted(range(len(support)), key=lambda i: (float(support.y[i]), *support.x[i].tolist()))


def representation_by_hand(learner: MetaNetworks, x: Tensor, fast: Tensor) -> Tensor:
    """ReLU(Qx) + ReLU(Q*x), a unit at a time, for one input."""
    weight, bias = fast[: DIM * HIDDEN], fast[DIM * HIDDEN :]
    units = []
    for j in range(HIDDEN):
        slow = sum(learner.represent.weight[j, k] * x[k] for k in range(DIM))
        quick = sum(weight[j * DIM + k] * x[k] for k in range(DIM)) + bias[j]
        units.append((slow + learner.represent.bias[j]).clamp(min=0) + quick.clamp(min=0))
    return torch.stack(units)


def hidden_by_hand(learner: MetaNetworks, x: Tensor, fast: Tensor) -> Tensor:
    """ReLU(Wx) + ReLU(W*x) of the hidden layer of f, a unit at a time."""
    slow, units = learner.base[0], []
    for j in range(HIDDEN):
        one = sum(slow.weight[j, k] * x[k] for k in range(DIM)) + slow.bias[j]
        two = sum(fast[j * DIM + k] * x[k] for k in range(DIM)) + fast[HIDDEN * DIM + j]
        units.append(one.clamp(min=0) + two.clamp(min=0))
    return torch.stack(units)


def predicted_by_hand(learner: MetaNetworks, x: Tensor, state: dict[str, Tensor]) -> Tensor:
    """Read the memory and predict, for one input: outputs `[width]`."""
    r = representation_by_hand(learner, x, state["fast_representation"])
    strength = learner.log_strength.exp()
    powers = [(strength * (r @ key) / (r.norm() * key.norm())).exp() for key in state["keys"]]
    fast = sum(p / sum(powers) * row for p, row in zip(powers, state["memory"], strict=True))
    assert isinstance(fast, Tensor)
    h = hidden_by_hand(learner, x, fast)
    output = learner.base[2]
    width, start = len(output.bias), HIDDEN * (DIM + 1)
    outputs = []
    for k in range(width):
        slow = sum(output.weight[k, j] * h[j] for j in range(HIDDEN)) + output.bias[k]
        row = fast[start + k * HIDDEN : start + (k + 1) * HIDDEN]
        outputs.append(slow + row @ h + fast[start + width * HIDDEN + k])
    if "label.mean" in state:
        mean, spread = state["label.mean"], state["label.spread"]
        outputs = [mean + spread * outputs[0], outputs[1] + 2 * spread.log()]
    return torch.stack(outputs)


def test_preprocessing_by_hand_on_both_branches():
    edge = math.exp(-7)
    values = [3.0, -0.5, 1.001 * edge, -1.001 * edge, 0.999 * edge, -0.5 * edge, 1e-40, 0.0]
    found = preprocess(torch.tensor(values, dtype=torch.float64))
    torch.testing.assert_close(found, torch.stack([seen(v) for v in values]), **EXACT)
    assert (found[:4, 1].abs() == 1).all()
    assert (found[4:, 0] == -1).all()
    assert found.abs().max() <= 1.001
    assert preprocess(torch.ones(2, 3)).shape == (2, 3, 2)


def test_gradients_are_those_of_each_example_by_itself(target):
    learner, support = learner_for(target), examples(7, target)
    found = learner.gradients(learner.base, support.x, scaled(support.y, support), target)
    expected = gradients([learner.base[0], learner.base[2]], support, list(range(7)))  # type: ignore[list-item]
    assert not found.requires_grad  # constants of the meta-gradient
    torch.testing.assert_close(found, torch.stack(expected), **EXACT)


def test_the_memory_is_made_coordinate_by_coordinate(target):
    learner, support = learner_for(target), examples(6, target)
    memory = learner.adapt(support)["memory"]
    torch.testing.assert_close(memory, memory_by_hand(learner, support), **EXACT)
    width = target.width
    assert memory.shape == (6, HIDDEN * (DIM + 1) + width * (HIDDEN + 1))


def test_fast_weights_of_the_task_are_steps_of_an_lstm(target):
    learner, support = learner_for(target), examples(6, target)
    found = learner.adapt(support)["fast_representation"]
    expected = fast_by_hand(learner, support, sorted_rows(support))
    torch.testing.assert_close(found, expected, **EXACT)


def test_d_reads_at_most_t_examples_from_end_to_end():
    target = Classification(2)
    learner, support = learner_for(target, samples=3), examples(9, target)
    order = sorted_rows(support)
    expected = fast_by_hand(learner, support, [order[0], order[4], order[8]])
    torch.testing.assert_close(learner.adapt(support)["fast_representation"], expected, **EXACT)


def test_keys_are_the_augmented_representation(target):
    learner, support = learner_for(target), examples(6, target)
    state = learner.adapt(support)
    expected = [representation_by_hand(learner, x, state["fast_representation"]) for x in support.x]
    torch.testing.assert_close(state["keys"], torch.stack(expected), **EXACT)


def test_outputs_read_the_memory_and_add_slow_and_fast(target):
    learner, support = learner_for(target), examples(6, target)
    state, x = learner.adapt(support), examples(5, target).x
    expected = torch.stack([predicted_by_hand(learner, one, state) for one in x])
    torch.testing.assert_close(learner(x, state), expected, **EXACT)


def hidden_of(learner: MetaNetworks, x: Tensor, state: dict[str, Tensor]) -> Tensor:
    """What the output layer of f is given, caught on its way."""
    caught: list[Tensor] = []
    handle = learner.base[2].register_forward_hook(lambda _, given, __: caught.append(given[0]))
    learner(x, state)
    handle.remove()
    return caught[0]


def test_the_memory_acts_on_the_hidden_layer(target):
    learner, support = learner_for(target), examples(6, target)
    state, x = learner.adapt(support), examples(5, target).x
    before = hidden_of(learner, x, state)
    after = hidden_of(learner, x, state | {"memory": -2 * state["memory"]})
    assert ((before - after).abs().amax(dim=1) > 0.01).all()
    none = hidden_of(learner, x, state | {"memory": torch.zeros_like(state["memory"])})
    torch.testing.assert_close(none, F.relu(learner.base[0](x)), **EXACT)


def test_the_training_loss_is_that_of_the_query_and_of_its_representation(target):
    learner = learner_for(target)
    support, query = examples(6, target), examples(5, target)
    fast = fast_by_hand(learner, support, sorted_rows(support))
    state = {
        "fast_representation": fast,
        "memory": memory_by_hand(learner, support),
        "keys": torch.stack([representation_by_hand(learner, x, fast) for x in support.x]),
    }
    if isinstance(target, Regression):
        spread = support.y.std(correction=0)
        state |= {"label.mean": support.y.mean(), "label.spread": spread}
    total = torch.zeros((), dtype=torch.float64)
    for x, y, label in zip(query.x, query.y, scaled(query.y, support), strict=True):
        total = total + loss_of_one(predicted_by_hand(learner, x, state), y, target) / len(query)
        r = (learner.represent.weight @ x + learner.represent.bias).clamp(min=0)
        outputs = learner.read_out.weight @ r + learner.read_out.bias
        total = total + loss_of_one(outputs, label, target) / len(query)
    loss = learner.loss(Episode(support, query))
    torch.testing.assert_close(loss, total, **EXACT)
    parameters = list(learner.parameters())
    mine, others = (torch.autograd.grad(value, parameters) for value in (loss, total))
    names = [name for name, _ in learner.named_parameters()]
    for name, grad, other in zip(names, mine, others, strict=True):
        assert other.abs().max() > 1e-9, name  # every parameter learns
        torch.testing.assert_close(grad, other, rtol=1e-7, atol=1e-9, msg=name)


def test_it_starts_as_a_step_down_the_gradient() -> None:
    torch.manual_seed(0)
    learner = MetaNetworks(4, 2, hidden=8)
    gradients = torch.tensor([[2.0, -2.0, 0.01, -0.01, 0.5, -0.5]])
    made = learner.example_level(preprocess(gradients)).squeeze(2)
    assert torch.equal(made.sign(), -gradients.sign())

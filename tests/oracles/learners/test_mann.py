"""MANN equals a slow numpy MANN, step by step: reads, usage, writes, and delayed labels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from molmeta.learners.mann import MANN, least
from molmeta.tasks.episode import Episode, Examples
from molmeta.tasks.targets import Classification, Regression, Target

DIM, HIDDEN, WIDTH, HEADS = 3, 5, 4, 2
EXACT = {"rtol": 1e-9, "atol": 1e-9}
TARGETS = [Classification(2), Classification(3), Regression()]


def sigmoid(v: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-v))


class Slow:
    """One sequence, one head and one slot at a time; state by the names of the learner's."""

    def __init__(self, learner: MANN, steps: int, slots: int = 0) -> None:
        self.slots = max(slots, HEADS * steps)
        self.w = {name: p.detach().numpy() for name, p in learner.named_parameters()}
        self.memory = np.zeros((self.slots, WIDTH))
        self.read = np.zeros((HEADS, self.slots))
        self.found = np.zeros((HEADS, WIDTH))
        self.usage = np.zeros(self.slots)
        self.hidden = np.zeros(HIDDEN)
        self.cell = np.zeros(HIDDEN)
        self.before = np.zeros(learner.label_width)

    def lstm(self, x: np.ndarray) -> None:
        w = self.w
        total = w["controller.weight_ih"] @ x + w["controller.bias_ih"]
        total = total + w["controller.weight_hh"] @ self.hidden + w["controller.bias_hh"]
        i, f, g, o = total.reshape(4, HIDDEN)  # torch's order of gates
        self.cell = sigmoid(f) * self.cell + sigmoid(i) * np.tanh(g)
        self.hidden = sigmoid(o) * np.tanh(self.cell)

    def least_used(self) -> list[int]:
        """The R rows of least usage; the first of those that tie."""
        left, chosen = list(range(self.slots)), []
        for _ in range(HEADS):
            best = min(left, key=lambda row: (self.usage[row], row))
            chosen.append(best)
            left.remove(best)
        return chosen

    def step(self, x: np.ndarray) -> np.ndarray:
        """Read, then write; the output."""
        w = self.w
        standard = (x - x.mean()) / np.sqrt(x.var() + 1e-5)
        self.lstm(np.concatenate([standard, self.before, self.found.ravel()]))
        keys = np.tanh(w["key.weight"] @ self.hidden + w["key.bias"]).reshape(HEADS, WIDTH)
        gates = sigmoid(w["gate.weight"] @ self.hidden + w["gate.bias"])
        strength = np.exp(w["log_strength"])

        read = np.zeros((HEADS, self.slots))
        found = np.zeros((HEADS, WIDTH))
        for r in range(HEADS):
            cosine = np.zeros(self.slots)
            for i in range(self.slots):
                length = np.linalg.norm(keys[r]) * np.linalg.norm(self.memory[i])
                cosine[i] = keys[r] @ self.memory[i] / length if length else 0.0
            weights = np.exp(strength * cosine)
            read[r] = weights / weights.sum()
            for i in range(self.slots):
                found[r] += read[r, i] * self.memory[i]

        least_used = self.least_used()
        memory = self.memory.copy()
        memory[least_used] = 0
        usage = 0.95 * self.usage
        for r in range(HEADS):
            fresh = np.array([float(i == least_used[r]) for i in range(self.slots)])
            write = gates[r] * self.read[r] + (1 - gates[r]) * fresh
            for i in range(self.slots):
                memory[i] += write[i] * keys[r]
                usage[i] += read[r, i] + write[i]
        self.memory, self.usage, self.read, self.found = memory, usage, read, found
        seen = np.concatenate([self.hidden, found.ravel()])
        return w["output.weight"] @ seen + w["output.bias"]

    def run(self, x: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """A sequence; the label of an input is shown with the next input."""
        outputs = []
        for row, label in zip(x, labels, strict=True):
            outputs.append(self.step(row))
            self.before = label
        return np.stack(outputs)


def learner_for(target: Target, slots: int = 0) -> MANN:
    label_width = target.n_way if isinstance(target, Classification) else 1
    return MANN(DIM, target.width, label_width, HIDDEN, WIDTH, HEADS, slots).double()


def examples(n: int, target: Target) -> Examples:
    if isinstance(target, Classification):
        y = torch.arange(n) % target.n_way
    else:
        y = 6 + 2 * torch.randn(n, dtype=torch.float64)
    return Examples(torch.randn(n, DIM, dtype=torch.float64), y, target)


def shown(part: Examples, support: Examples) -> np.ndarray:
    """Labels as the controller reads them: one-hot, or on the support's scale."""
    if isinstance(part.target, Classification):
        return np.eye(part.target.n_way)[part.y.numpy()]
    known = support.y.numpy()
    return ((part.y.numpy() - known.mean()) / known.std())[:, None]


@pytest.fixture(params=TARGETS, ids=str)
def target(request) -> Target:
    return request.param


def test_state_after_every_step(target):
    learner, support = learner_for(target), examples(9, target)
    labels = shown(support, support)
    for length in range(len(labels) + 1):
        slow = Slow(learner, length)
        if length:
            slow.run(support.x.numpy()[:length], labels[:length])
        x, y = support.x[:length].unsqueeze(0), torch.from_numpy(labels[:length]).unsqueeze(0)
        state = learner.run(x, y)[1] if length else learner.start(1, 0)
        for name, tensor in state.items():
            expected = torch.from_numpy(np.asarray(getattr(slow, name)))
            torch.testing.assert_close(tensor[0].detach(), expected, **EXACT, msg=name)
    assert np.abs(slow.memory).sum(axis=1).min() > 0  # every row was written; none is empty


def test_queries_read_and_do_not_write(target):
    learner, support, query = learner_for(target), examples(9, target), examples(4, target)
    state = learner.adapt(support)
    kept = {name: tensor.clone() for name, tensor in state.items()}
    expected = []
    for x in query.x.numpy():  # each from the memory that the support left
        slow = Slow(learner, len(support))
        slow.run(support.x.numpy(), shown(support, support))
        expected.append(slow.step(x))
    expected = np.stack(expected)
    if isinstance(target, Regression):
        mean, spread = support.y.numpy().mean(), support.y.numpy().std()
        expected = expected * np.array([spread, 1]) + np.array([mean, 2 * np.log(spread)])
    found = learner(query.x, state)
    torch.testing.assert_close(found.detach(), torch.from_numpy(expected), **EXACT)
    for name, tensor in state.items():
        assert torch.equal(tensor, kept[name]), name


def test_the_loss_of_a_sequence(target):
    """All of support and query in one sequence, each step's loss, labels on one scale."""
    learner = learner_for(target)
    episode = Episode(examples(6, target), examples(3, target))
    slow, parts = Slow(learner, 9), (episode.support, episode.query)
    labels = np.concatenate([shown(part, episode.support) for part in parts])
    outputs = slow.run(np.concatenate([part.x.numpy() for part in parts]), labels)
    if isinstance(target, Classification):
        chosen = outputs[np.arange(len(labels)), labels.argmax(axis=1)]
        losses = np.log(np.exp(outputs).sum(axis=1)) - chosen
    else:
        mean, log_var = outputs.T
        losses = 0.5 * (log_var + (labels[:, 0] - mean) ** 2 / np.exp(log_var))
    found = float(learner.loss(episode).detach())
    assert found == pytest.approx(losses.mean(), abs=1e-9)
    other = Episode(examples(6, target), examples(3, target))
    both = float(learner.meta_loss([episode, other]).detach())
    assert both == pytest.approx((found + float(learner.loss(other).detach())) / 2, abs=1e-9)


def test_the_label_is_seen_one_step_late():
    """The output of a step does not change with its own label, and does with the one before."""
    learner = learner_for(Classification(2))
    x, y = torch.randn(1, 3, DIM).double(), torch.eye(2).double()[[0, 1, 0]].unsqueeze(0)
    outputs = learner.run(x, y)[0]
    flipped = y.clone()
    flipped[0, 1] = y[0, 0]
    again = learner.run(x, flipped)[0]
    torch.testing.assert_close(again[0, :2], outputs[0, :2], **EXACT)
    assert (again[0, 2] - outputs[0, 2]).abs().max() > 1e-4


def test_rows_that_tie_are_taken_by_index():
    usage = torch.tensor([[0.5, 0.0, 0.2, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0, 1.0]])
    assert least(usage, 2).tolist() == [
        [[0, 1, 0, 0, 0], [0, 0, 0, 1, 0]],
        [[1, 0, 0, 0, 0], [0, 1, 0, 0, 0]],
    ]


def test_rows_hold_one_key_each_and_none_is_taken_twice():
    """With the gate at zero, heads write to fresh rows alone: all keys are there at the end."""
    learner, support = learner_for(Classification(2)), examples(11, Classification(2))
    with torch.no_grad():
        learner.gate.weight.zero_()
        learner.gate.bias.fill_(-50)
    keys: list[torch.Tensor] = []
    learner.key.register_forward_hook(lambda *found: keys.append(torch.tanh(found[2].detach())))
    memory = learner.adapt(support)["memory"][0].detach()
    expected = torch.cat(keys).view(-1, WIDTH)
    assert memory.shape == expected.shape == (11 * HEADS, WIDTH)
    order = [torch.cdist(memory, expected).argmin(dim=1)]
    assert sorted(order[0].tolist()) == list(range(11 * HEADS))
    torch.testing.assert_close(memory, expected[order[0]], **EXACT)


@pytest.mark.parametrize("dim", [16, 14, 11])
def test_it_starts_as_one_that_recalls_the_labels_of_what_is_alike(dim: int) -> None:
    torch.manual_seed(0)
    learner = MANN(dim, 2, 2, hidden=40, width=20, heads=2)
    centres = torch.randn(2, dim)
    x, y = centres.repeat(8, 1) + 0.3 * torch.randn(16, dim), torch.arange(2).repeat(8)
    for labels in (y, 1 - y):
        state = learner.adapt(Examples(x, labels, Classification(2)))
        assert torch.equal(learner(centres, state).argmax(dim=1), labels[:2])

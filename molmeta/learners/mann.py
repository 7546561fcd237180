"""Memory-augmented neural networks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from molmeta.learners.base import Embedded, Learner, State, label_scale, scaled, unscaled
from molmeta.tasks import Classification, Episode, Examples, Regression, Target

GAMMA = 0.95  # decay of usage
OPEN = 4.0  # of a gate


class MANN(Learner):
    r"""A controller that writes what it saw, with the label that came after, to a memory.

    Santoro, Bartunov, Botvinick, Wierstra, Lillicrap: *One-shot Learning with Memory-Augmented
    Neural Networks* (ICML 2016), https://arxiv.org/abs/1605.06065, section 3. An LSTM reads
    x_t with the label y_{t−1} of the input before and what was read then, r_{t−1}; for each head
    h of R it gives a key k^h_t = tanh(W^h h_t) and a gate α^h_t. With the memory M (rows of width
    m) as it is before step t,

    .. math:: w^{r,h}_t = \mathrm{softmax}_i\big(\beta \cos(k^h_t, M_{t-1}(i))\big), \qquad
              r^h_t = \sum_i w^{r,h}_t(i)\, M_{t-1}(i)

    .. math:: w^{w,h}_t = \sigma(\alpha^h_t)\, w^{r,h}_{t-1}
              + (1 - \sigma(\alpha^h_t))\, w^{lu,h}_{t-1}, \qquad
              M_t(i) = M'_{t-1}(i) + \sum_h w^{w,h}_t(i)\, k^h_t

    .. math:: w^u_t = \gamma\, w^u_{t-1} + \sum_h w^{r,h}_t + \sum_h w^{w,h}_t

    (least recently used access): :math:`w^{lu,h}` is 1 for one row, that of the h-th least usage
    w^u, ties by index, and M′ is M with these R rows at zero. Memory, reads and usage start at
    zero; there are R rows for each step of a sequence, so that nothing need be forgotten. The
    output is linear in [h_t, r_t].

    Trained on the whole sequence, support and then query, each label shown one step late, by the
    loss of every step. At test a query takes one step from the memory that the support left,
    reads, and writes nothing; so queries do not depend on each other.

    The order of the support matters.

    State
    -----
    memory, read, found, usage, hidden, cell, before : Tensor
        `[1, N, m]`, w^r `[1, R, N]`, r `[1, R, m]`, `[1, N]`, `[1, H]` twice, and the last label
        `[1, W or 1]`, with N = R times the size of the support, or `slots`; for a regression also
        `label.mean` and `label.spread`.

    Differences from the paper
    --------------------------
    A learned strength β > 0 that starts at 10 (β = 1 there; a softmax of cosines over many rows is
    then nearly uniform). Each head has a fresh row of its own; in the paper every head writes to
    all R of them, and a row holds the sum of the keys. Memory is read before it is written, as a
    write with the key of the same step would be all that is found. Inputs are standardised, row by
    row. With two heads or more the controller starts as one that recalls: what it writes binds an
    input to its label, what it looks for is an input; from random weights 532 assays taught
    nothing. For a regression, labels are scaled by the support's mean and spread, which a sequence
    would not know before its end; the training loss is on that scale.

    Parameters
    ----------
    dim, target_width : int
        Width of a vector; number of outputs.
    label_width : int
        Columns of an encoded label.
    hidden, width, heads : int
        Units of the LSTM, columns m of the memory, read heads R.
    slots : int
        Rows N of the memory, if there are more than R for each step.
    """

    targets = (Classification, Regression)
    class_symmetric = False
    ordered = True

    def __init__(
        self,
        dim: int,
        target_width: int,
        label_width: int,
        hidden: int = 128,
        width: int = 40,
        heads: int = 4,
        slots: int = 0,
    ) -> None:
        super().__init__()
        self.slots, self.width, self.heads, self.label_width = slots, width, heads, label_width
        self.controller = nn.LSTMCell(dim + label_width + heads * width, hidden)
        self.key = nn.Linear(hidden, heads * width)
        self.gate = nn.Linear(hidden, heads)
        self.log_strength = nn.Parameter(torch.tensor(10.0).log())
        self.output = nn.Linear(hidden + heads * width, target_width)
        if heads > 1:
            self._start_as_recall(dim)

    @torch.no_grad()
    def _start_as_recall(self, dim: int) -> None:
        """One head looks for x_t, another keeps x_{t-1} with its label, which came a step late.

        The controller lets through a projection of x_t, that of the step before, and the label:
        its gates start open to what comes, closed to what was.
        """
        hidden, labels = self.key.in_features, self.label_width
        a = min((hidden - labels) // 2, self.width - labels, dim)
        for module in (self.controller, self.key, self.gate, self.output):
            for parameter in module.parameters():
                parameter.mul_(0.1)
        keep, forget, new, out = self.controller.bias_ih.split(hidden)
        for gate, start in ((keep, OPEN), (forget, -OPEN), (new, 0.0), (out, OPEN)):
            gate.fill_(start)
        given, past = (
            weight[2 * hidden : 3 * hidden]
            for weight in (self.controller.weight_ih, self.controller.weight_hh)
        )
        nn.init.orthogonal_(given[:a, :dim], 0.5)
        nn.init.eye_(past[a : 2 * a, :a]).mul_(1.5)
        nn.init.eye_(given[2 * a : 2 * a + labels, dim : dim + labels]).mul_(2)
        looks, keeps = self.key.weight[: self.width], self.key.weight[self.width : 2 * self.width]
        nn.init.eye_(looks[:a, :a]).mul_(1.5)
        nn.init.eye_(keeps[: a + labels, a : 2 * a + labels]).mul_(1.5)
        self.gate.bias.fill_(-OPEN)
        nn.init.zeros_(self.output.weight)
        nn.init.eye_(self.output.weight[:, hidden + a : hidden + a + labels]).mul_(OPEN)

    def start(self, batch: int, steps: int) -> State:
        """An empty memory for a sequence."""
        zeros, slots = self.output.weight.new_zeros, max(self.slots, self.heads * steps)
        return {
            "memory": zeros(batch, slots, self.width),
            "read": zeros(batch, self.heads, slots),
            "found": zeros(batch, self.heads, self.width),
            "usage": zeros(batch, slots),
            "hidden": zeros(batch, self.key.in_features),
            "cell": zeros(batch, self.key.in_features),
            "before": zeros(batch, self.label_width),
        }

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Inputs `[B, dim]` to outputs `[B, target_width]` and the state after reading and writing.

        The new state lacks the label of these inputs: its `before` is the old one.
        """
        x = F.layer_norm(x, x.shape[1:])
        seen = torch.cat([x, state["before"], state["found"].flatten(1)], dim=1)
        hidden, cell = self.controller(seen, (state["hidden"], state["cell"]))
        key = torch.tanh(self.key(hidden)).view(-1, self.heads, self.width)
        gate = torch.sigmoid(self.gate(hidden)).unsqueeze(2)
        memory, usage = state["memory"], state["usage"]

        cosine = F.normalize(key, dim=2) @ F.normalize(memory, dim=2).transpose(1, 2)
        read = (self.log_strength.exp() * cosine).softmax(dim=2)  # [B, R, N]
        found = read @ memory

        fresh = least(usage, self.heads)
        write = gate * state["read"] + (1 - gate) * fresh
        cleared = memory * (1 - fresh.sum(dim=1)).unsqueeze(2)
        after = {
            "memory": cleared + write.transpose(1, 2) @ key,
            "read": read,
            "found": found,
            "usage": GAMMA * usage + read.sum(dim=1) + write.sum(dim=1),
            "hidden": hidden,
            "cell": cell,
            "before": state["before"],
        }
        return self.output(torch.cat([hidden, found.flatten(1)], dim=1)), after

    def run(self, x: Tensor, y: Tensor) -> tuple[Tensor, State]:
        """Sequences `[B, T, dim]` and labels `[B, T, ·]`: outputs `[B, T, W]` and the state."""
        state, outputs = self.start(len(x), x.shape[1]), []
        for inputs, label in zip(x.unbind(1), y.unbind(1), strict=True):
            out, state = self.step(inputs, state)
            state["before"] = label
            outputs.append(out)
        return torch.stack(outputs, dim=1), state

    def adapt(self, support: Examples) -> State:
        """The memory after the support, in its order."""
        self.check(support)
        scale = label_scale(support)
        y = self._encode(support, scale)
        return {**self.run(support.x.unsqueeze(0), y.unsqueeze(0))[1], **scale}

    def forward(self, x: Tensor, state: State) -> Tensor:
        """Each query takes one step from the same state: `[n, target.width]`."""
        own = {name: t.expand(len(x), *t.shape[1:]) for name, t in state.items() if t.ndim}
        return unscaled(self.step(x, own)[0], state)

    def loss(self, episode: Episode) -> Tensor:
        """The mean loss over the whole sequence, support and query."""
        return self.meta_loss([episode])

    def meta_loss(self, episodes: Sequence[Episode]) -> Tensor:
        """All episodes in step, where they are of one length."""
        if len({(len(e.support), len(e.query)) for e in episodes}) > 1:
            return super().meta_loss(episodes)
        sequences = []
        for episode in episodes:
            self.check(episode.support)
            scale = label_scale(episode.support)
            parts = (episode.support, episode.query)
            x = torch.cat([part.x for part in parts])
            sequences.append((x, torch.cat([self._encode(part, scale) for part in parts])))
        outputs, _ = self.run(*(torch.stack(part) for part in zip(*sequences, strict=True)))
        losses = []
        for episode, out in zip(episodes, outputs, strict=True):
            y = torch.cat([episode.support.y, episode.query.y])
            losses.append(episode.target.loss(out, scaled(y, label_scale(episode.support))))
        return torch.stack(losses).mean()

    def _encode(self, part: Examples, scale: State) -> Tensor:
        return part.target.encode(scaled(part.y, scale)).to(self.output.weight.dtype)


def least(usage: Tensor, n: int) -> Tensor:
    """`[B, n, N]`: 1 for the h-th smallest of a row of `[B, N]`, ties by index; 0 elsewhere."""
    rows = usage.argsort(dim=1, stable=True)[:, :n]
    return F.one_hot(rows, usage.shape[1]).to(usage.dtype)


def mann(encoder: nn.Module, target: Target, **options: int) -> Embedded:
    """`MANN` on an encoder (with its width `dim`)."""
    label_width = target.n_way if isinstance(target, Classification) else 1
    dim: int = encoder.dim  # type: ignore[assignment]
    return Embedded(encoder, MANN(dim, target.width, label_width, **options))

"""Goals 1 and 2: a training step, collation and all, against a loop over tasks on PyG's layers."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from common import LAYERS, WIDTH, Row, episodes, main, measured, side_by_side
from pyg import PygGIN, encode, maml_loss
from torch import Tensor, nn

from molmeta.encoders import GIN
from molmeta.learners import Learner
from molmeta.registry import lookup
from molmeta.tasks import Classification, Episode

Loss = Callable[[list[Episode]], Tensor]
TARGET, INNER_LR = Classification(2), 0.1
maml, anil, prototypical = (lookup("learner", name) for name in ("maml", "anil", "prototypical"))


def encoders(precision: str) -> tuple[GIN, PygGIN]:
    """Ours and theirs, with the same weights."""
    torch.manual_seed(0)
    ours = GIN(WIDTH, LAYERS, precision=precision)
    return ours, PygGIN(ours)


def head_of(learner: nn.Module) -> nn.Module:
    """A copy of the head of one of our gradient-based learners."""
    ours = [m for m in learner.modules() if isinstance(m, nn.Sequential)][-1]
    copy = nn.Sequential(type(ours[0])(), nn.Linear(ours[1].in_features, ours[1].out_features))
    copy.load_state_dict(ours.state_dict())
    return copy


def step(module: nn.Module, loss: Loss) -> Callable[[int], object]:
    """The gradient of the meta-batch of a number."""
    sampler, weights = episodes(), list(module.parameters())
    return lambda number: torch.autograd.grad(loss(sampler.meta_batch(number)), weights)


def maml_pair(precision: str) -> tuple[Learner, nn.Module, Loss]:
    """MAML of one step by us, and its peer."""
    encoder, peer = encoders(precision)
    ours = maml(encoder, TARGET, inner_lr=INNER_LR, inner_steps=1)
    theirs = nn.Sequential(peer, head_of(ours.network[1]))
    return ours, theirs, lambda tasks: maml_loss(theirs, tasks, INNER_LR)


def anil_pair(precision: str) -> tuple[Learner, nn.Module, Loss]:
    """ANIL of five steps; its peer encodes a task at a time."""
    encoder, peer = encoders(precision)
    ours = anil(encoder, TARGET, inner_lr=INNER_LR, inner_steps=5)
    head = head_of(ours.learner)

    def loss(tasks: list[Episode]) -> Tensor:
        encoded = [encode(peer, task) for task in tasks]
        return maml_loss(head, encoded, INNER_LR, steps=5)

    return ours, nn.ModuleList([peer, head]), loss


def prototypical_pair(precision: str) -> tuple[Learner, nn.Module, Loss]:
    """Prototypical Networks; the peer encodes a task at a time."""
    encoder, peer = encoders(precision)
    ours = prototypical(encoder, TARGET)
    scale = nn.Parameter(ours.learner.log_scale.detach().clone())  # type: ignore[union-attr]

    def loss(tasks: list[Episode]) -> Tensor:
        losses = []
        for task in (encode(peer, task) for task in tasks):
            x, y = task.support.x, task.support.y
            means = torch.stack([x[y == k].mean(dim=0) for k in (0, 1)])
            distances = torch.cdist(task.query.x, means).square()
            losses.append(F.cross_entropy(-scale.exp() * distances, task.query.y))
        return torch.stack(losses).mean()

    module = nn.ModuleList([peer])
    module.register_parameter("scale", scale)
    return ours, module, loss


PAIRS = {"maml": maml_pair, "anil": anil_pair, "prototypical": prototypical_pair}
GOALS = {"maml": (3.0, 6.0), "anil": (6.0, 15.0), "prototypical": (6.0, 15.0)}


def differ(name: str) -> float:
    """How far a meta-gradient is from the peer's, relative to its largest entry, in float64."""
    ours, theirs, loss = PAIRS[name]("float32")
    ours.double(), theirs.double()
    tasks = episodes().meta_batch(0)
    encoder = next(module for module in theirs.modules() if isinstance(module, PygGIN))
    inside = set(encoder.parameters())
    weights = [*encoder.in_our_order(), *(w for w in theirs.parameters() if w not in inside)]
    mine = torch.autograd.grad(ours.meta_loss(tasks), list(ours.parameters()))
    peers = torch.autograd.grad(loss(tasks), weights)
    largest = max(float(g.abs().max()) for g in peers)
    return max(float((a - b).abs().max()) for a, b in zip(mine, peers, strict=True)) / largest


def rows() -> list[Row]:
    """Every learner, in both precisions."""
    found = []
    for name, pair in PAIRS.items():
        if (apart := differ(name)) > 1e-10:
            raise AssertionError(f"{name}: the gradients differ by {apart:.1e}")
        for precision, goal in zip(("float32", "bf16"), GOALS[name], strict=True):
            ours, theirs, loss = pair(precision)
            mine, peers = step(ours, ours.meta_loss), measured(step(theirs, loss))
            peer = "loop over tasks on PyG's GINConv"
            found.append(side_by_side(f"{name} step, {precision}", peer, mine, peers, goal))
    return found


if __name__ == "__main__":
    main(rows)

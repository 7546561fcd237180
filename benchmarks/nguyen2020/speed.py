"""How fast the paper's networks are trained: task-adaptations a second, and molecules.

    python benchmarks/nguyen2020/speed.py          -> ../results/nguyen2020-speed.{csv,md}

"Padded" is the same network, with the same weights, as the release computes it: every atom of every
molecule, padded to the largest of 32, neighbours by a product with the adjacency. "Distinct" is
ours: a layer once for each environment of an atom. Both give the same loss, which is looked at
first. One thread, in turn, CPU seconds; a step is forward, backward and Adam's, on embedded assays.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1] / "speed"))
from common import assays, measured, side_by_side

from molmeta.encoders import GGNN
from molmeta.evaluation import Results, write_tables
from molmeta.learners import Embedded, Learner, MultiTaskByMolecule
from molmeta.models import load_experiment, untrained
from molmeta.molecules import Graphs, Molecules
from molmeta.tasks import AssayEpisodes, at_random
from molmeta.training import MoleculeBatches

RESULTS = Path(__file__).parents[1] / "results"
META, MULTI_TASK = ("maml", "fomaml", "anil"), "multi_task"
BLOCK = GGNN.blocks[0]
TASKS, ROUNDS, BATCH, PADDED = 8, 5, 256, 32


class Padded(nn.Module):
    """A gated graph network on dense molecules, with the parameters of one of ours."""

    def __init__(self, network: GGNN) -> None:
        super().__init__()
        self.dim, self.layers, self.readout = network.dim, network.layers, network.readout
        self.dropout = network.dropout

    def forward(self, x: Molecules) -> Tensor:
        """Encode molecules: `[n, dim]`."""
        return torch.cat([self.encode(*part) for part in dense(x)])

    def encode(self, h: Tensor, adjacency: Tensor, there: Tensor) -> Tensor:
        """Those that are padded to one size."""
        for layer in self.layers:
            flat = layer(h.flatten(0, 1), torch.bmm(adjacency, h).flatten(0, 1))
            h = self.dropout(flat.view_as(h) * there)
        return self.dropout(torch.tanh(self.readout(h.sum(dim=1))))


def dense(x: Molecules) -> list[tuple[Tensor, Tensor, Tensor]]:
    """By 32 molecules, `_dense`; kept with the view."""
    if "dense" not in x.memo:
        parts = np.split(x.index, range(PADDED, len(x), PADDED))
        x.memo["dense"] = [_dense(x.block(BLOCK).take(part)) for part in parts]
    return x.memo["dense"]


def _dense(block: Graphs) -> tuple[Tensor, Tensor, Tensor]:
    """Atoms `[n, a, 75]`, adjacency `[n, a, a]`, and which atoms there are, `[n, a, 1]`."""
    states = torch.from_numpy(block.atom_features()[block.atom_code])
    sizes = torch.from_numpy(block.atom_offsets).diff()
    n, most = len(block), int(sizes.max())
    there = torch.arange(most) < sizes[:, None]
    features = torch.zeros(n, most, states.shape[1])
    features[there] = states
    molecule = torch.arange(n).repeat_interleave(torch.from_numpy(block.bond_offsets).diff())
    a, b = torch.from_numpy(block.bonds.astype("int64")).T
    adjacency = torch.zeros(n, most, most)
    adjacency[molecule, a, b] = adjacency[molecule, b, a] = 1
    return features, adjacency, there[..., None]


def padded(learner: Learner) -> Learner:
    """A copy of a learner that encodes with `Padded`."""
    copied = deepcopy(learner)
    if isinstance(copied, Embedded):
        return copied.with_parts(encoder=Padded(copied.encoder))
    if isinstance(copied, MultiTaskByMolecule):
        return copied.with_parts(network=Padded(copied.network))
    return copied.with_parts(network=nn.Sequential(Padded(copied.network[0]), copied.network[1]))


def trained(learner: Learner, steps: Sequence[Sequence[Any]]) -> Callable[[int], None]:
    """A step on the episodes of a round: forward, backward and Adam's."""
    optimiser = torch.optim.Adam(learner.parameters(), lr=1e-4)

    def step(number: int) -> None:
        optimiser.zero_grad()
        learner.meta_loss(steps[number]).backward()
        optimiser.step()

    return step


def row(kind: str) -> dict[str, Any]:
    """Of one kind of network: how many a second, padded and by distinct environments."""
    one = load_experiment(f"nguyen2020/{kind}")
    model = untrained(one).learner
    if kind == MULTI_TASK:
        sampler = MoleculeBatches.of(assays(), BATCH, 0)
        ours = MultiTaskByMolecule(model, model.encoder, [assay.name for assay in assays()])
        what, each = "molecules", BATCH
    else:
        drawn = one.episodes
        sampler = AssayEpisodes(
            *(assays(), drawn.support_sizes, drawn.query_size, TASKS, 0), draw_support=at_random
        )
        ours, what, each = model, "task-adaptations", TASKS
    ours = ours.eval()  # without dropout, which the two draw differently
    theirs = padded(ours)
    steps = [sampler.meta_batch(step) for step in range(ROUNDS + 1)]
    losses = [float(learner.meta_loss(steps[0]).detach()) for learner in (ours, theirs)]
    assert abs(losses[0] - losses[1]) < 1e-4 * abs(losses[0]), losses
    found = side_by_side(
        *(kind, "padded", trained(ours, steps), measured(trained(theirs, steps)), math.nan),
        rounds=ROUNDS,
    )
    return {
        "network": kind,
        "what": f"{what} a second",
        "padded": round(each / found.theirs, 2),
        "distinct": round(each / found.ours, 2),
        "ratio": round(found.ratio, 2),
    }


def main() -> None:
    """All kinds; a table."""
    for assay in assays():
        assay.molecules.compute(BLOCK)
    table = pd.DataFrame([row(kind) for kind in (*META, MULTI_TASK)])
    path = RESULTS / "nguyen2020-speed.csv"
    results = Results(table, pd.DataFrame())
    write_tables(results, path, "python benchmarks/nguyen2020/speed.py", page(table))
    print(page(table))


def page(table: pd.DataFrame) -> str:
    """The table in Markdown."""
    lines = [
        "One thread, CPU seconds.",
        "",
        "| network | what | padded | distinct environments | times |",
        "|---|---|---:|---:|---:|",
    ]
    cells = table.to_dict("records")
    lines += [
        f"| {c['network']} | {c['what']} | {c['padded']} | {c['distinct']} | {c['ratio']} |"
        for c in cells
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

"""Two training steps and some sums, as a script for one process or for torchrun's.

Each process writes what it has to `<folder>/<number>.safetensors`: gradients and loss of the first
step, weights after the second, in float64.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from molmeta.datasets.chembl import load_embedded
from molmeta.encoders.fingerprint_network import FingerprintNetwork
from molmeta.encoders.gin import GIN
from molmeta.learners.base import Learner
from molmeta.learners.maml import maml
from molmeta.learners.multi_task import MultiTaskByMolecule, PreTrained
from molmeta.learners.prototypical import prototypical
from molmeta.learners.quadratic_probe import QuadraticProbe
from molmeta.models.config import Training
from molmeta.molecules.molecules import Molecules
from molmeta.tasks.assay import Assay
from molmeta.tasks.sampling import AssayEpisodes
from molmeta.tasks.targets import Classification
from molmeta.training.distributed import (
    broadcast,
    processes,
    rank,
    same_as_first,
    sum_gradients,
    sum_number,
)
from molmeta.training.molecule_batches import MoleculeBatches
from molmeta.training.trainer import MetaTrainer, Sampler

EPISODES = 5  # shares of 3 and 2
UNCLIPPED = Training(lr=0.01, clip=1e9)


def steps(name: str) -> dict[str, Tensor]:
    """Two meta-batches of real assays on a small graph encoder."""
    torch.manual_seed(0)
    assays = [small(one) for one in list(load_embedded())[:EPISODES]]
    if name == "by_molecule":
        multi = PreTrained(FingerprintNetwork(8, 4), QuadraticProbe())
        training = multi.for_training([assay.name for assay in assays])
        learner: Learner = MultiTaskByMolecule.of(training, 0.5).double()
        sampler: Sampler = MoleculeBatches.of(assays, 50)  # type: ignore[assignment]
    else:
        factory = {"prototypical": prototypical, "maml": maml}[name]
        learner = factory(GIN(8, 2), Classification(2)).double()
        sampler = AssayEpisodes(assays, (8,), 8, EPISODES)
    trainer = MetaTrainer(learner, sampler, UNCLIPPED)
    found = {f"{name}.loss": torch.tensor(trainer.train_step(), dtype=torch.float64)}
    for key, p in learner.named_parameters():
        assert p.grad is not None, key
        found[f"{name}.gradient.{key}"] = p.grad.clone()
    trainer.train_step()
    return found | {f"{name}.weight.{key}": p.detach() for key, p in learner.named_parameters()}


def small(name: str) -> Assay:
    """40 molecules of an assay, in a store of their own."""
    part = load_embedded()[name].binarise().take(np.arange(40))
    return replace(part, molecules=Molecules(part.molecules.smiles))


def sums() -> dict[str, Tensor]:
    """Gradients that all processes have, the first alone, the last alone, and none."""
    everyone, first, last, frozen = (nn.Parameter(torch.zeros(2)) for _ in range(4))
    everyone.grad = torch.full((2,), rank() + 1.0)
    if rank() == 0:
        first.grad = torch.full((2,), 5.0)
    else:
        last.grad = torch.full((2,), 7.0)
    sum_gradients([everyone, first, last, frozen])
    assert frozen.grad is None
    assert same_as_first("equal")
    parts = {"everyone": everyone.grad, "first": first.grad, "last": last.grad}
    found = {f"sums.{key}": grad for key, grad in parts.items() if grad is not None}
    found["sums.number"] = torch.tensor(sum_number(rank() + 1.5))
    found["sums.broadcast"] = torch.tensor(broadcast(rank() + 3.25))
    found["sums.same"] = torch.tensor(float(same_as_first(f"of process {rank()}")))
    return found


def gloo_threads() -> int:
    """Threads of gloo in this process."""
    names = (path.read_text() for path in Path("/proc/self/task").glob("*/comm"))
    return sum("gloo" in name for name in names)


if __name__ == "__main__":
    torch.set_num_threads(1)
    with processes():
        tensors = steps("prototypical") | steps("maml") | steps("by_molecule") | sums()
        number = rank()
    tensors["threads"] = torch.tensor(gloo_threads())
    save_file(tensors, Path(sys.argv[1]) / f"{number}.safetensors")

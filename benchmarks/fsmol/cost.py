"""What FS-Mol costs: opening it, an epoch of multi-task training, and memory.

    python benchmarks/fsmol/cost.py FS-Mol/

The first time, features are computed and kept in the cache; give the command again for what opening
costs ever after. Seconds are CPU seconds of one process with one thread; those of an epoch are
those of some steps, times the steps of an epoch. Writes `benchmarks/results/fsmol-cost.csv`.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from molmeta import registry
from molmeta.datasets import read_fs_mol, split_assays
from molmeta.files import write_atomic
from molmeta.learners import MultiTaskByMolecule, PreTrained, QuadraticProbe
from molmeta.models import Training
from molmeta.tasks import Assay
from molmeta.training import MetaTrainer, MoleculeBatches, compute_features

RESULTS = Path(__file__).parents[1] / "results"
STEPS, WARM_UP = 20, 3
NETWORKS: dict[str, dict[str, Any]] = {
    "fingerprint 1024-512": {"name": "fingerprint", "hidden": 1024, "dim": 512},
    "fingerprint 2048-1024, three fingerprints": {
        "name": "fingerprint",
        "hidden": 2048,
        "dim": 1024,
        "blocks": ["ecfp6", "fcfp4", "torsion", "descriptors"],
    },
    "GIN 128 x 5, bonds": {"name": "gin", "width": 128, "layers": 5, "bonds": True},
}


def main() -> None:
    """Open, train some steps of each network, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data_path", help="the release's folder, or a table of it")
    parser.add_argument("--workers", type=int, default=1, help="processes that compute features")
    args = parser.parse_args()
    torch.set_num_threads(1)
    start = time.process_time()
    table, names = read_fs_mol(args.data_path, merge=False)
    train = list(split_assays(table.assays, names, "overlapping").train.values())
    rows = [_row("opening: assays", start)]
    for network, options in NETWORKS.items():
        start = time.process_time()
        learner = _learner(dict(options), train)
        compute_features(learner, train, args.workers)
        rows.append(_row(f"opening: features of {network}", start))
        rows.append(_epoch(network, learner, train))
    print(text := pd.DataFrame(rows).to_csv(index=False, lineterminator="\n"))
    write_atomic(RESULTS / "fsmol-cost.csv", text.encode())


def _learner(options: dict[str, Any], train: list[Assay]) -> MultiTaskByMolecule:
    torch.manual_seed(0)
    encoder = registry.lookup("encoder", options.pop("name"))(**options)
    multi = PreTrained(encoder, QuadraticProbe()).for_training([assay.name for assay in train])
    return MultiTaskByMolecule.of(multi, 0.5)


def _epoch(network: str, learner: MultiTaskByMolecule, train: list[Assay]) -> dict[str, Any]:
    batches = MoleculeBatches.of(train, 1024)
    trainer = MetaTrainer(learner, batches, Training(steps=1000))  # type: ignore[arg-type]
    for _ in range(WARM_UP):
        trainer.train_step()
    start = time.process_time()
    for _ in range(STEPS):
        trainer.train_step()
    row = _row(f"an epoch of {network}", start)
    return {**row, "cpu_seconds": round(row["cpu_seconds"] * batches.epoch / STEPS, 1)}


def _row(what: str, start: float) -> dict[str, Any]:
    """CPU seconds since `start`, and the most memory that the process has had, in GB."""
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    seconds = round(time.process_time() - start, 1)
    return {"what": what, "cpu_seconds": seconds, "peak_memory_gb": round(largest, 2)}


if __name__ == "__main__":
    main()

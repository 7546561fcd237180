"""What an epoch over molecules costs each kind of graph network: CPU seconds of one core.

    python benchmarks/encoder/epoch.py

Three batches of 1,024 of the embedded molecules, forwards, backwards and a step of AdamW, after one
that is not counted; an epoch is FS-Mol's 216,000. Writes `benchmarks/results/encoder-epoch.csv`.
"""

from __future__ import annotations

import time
from pathlib import Path

import pandas as pd
import torch
from torch import nn

from molmeta.datasets import load_embedded
from molmeta.encoders import Encoder
from molmeta.files import write_atomic
from molmeta.molecules import Molecules
from molmeta.registry import lookup

RESULT = Path(__file__).parents[1] / "results" / "encoder-epoch.csv"
BATCH, BATCHES, EPOCH = 1024, 3, 216_000
NETWORKS = {
    "GIN, 128 x 5 with bonds": {
        **{"name": "gin", "width": 128, "layers": 5},
        **{"bonds": True, "bottleneck": 256},
    },
    "GGNN, 75 x 7": {"name": "ggnn", "layers": 7, "dim": 1024},
    "torch_geometric's GAT, 128 x 5": {
        **{"name": "pyg", "model": "GAT", "dim": 128},
        **{"hidden_channels": 128, "num_layers": 5},
    },
    "torch_geometric's AttentiveFP, 128 x 5": {
        **{"name": "pyg", "model": "AttentiveFP", "dim": 128},
        **{"hidden_channels": 128, "num_layers": 5, "num_timesteps": 2},
    },
}


def main() -> None:
    """Time each, and write the table."""
    torch.set_num_threads(1)
    molecules = Molecules(sorted(load_embedded().smiles())[: BATCH * (BATCHES + 1)])
    molecules.compute("graph", "atoms75")
    rows = []
    for name, spec in NETWORKS.items():
        options = dict(spec)
        encoder = lookup("encoder", options.pop("name"))(**options)
        seconds = seconds_a_batch(encoder, molecules)
        rows.append((name, round(seconds, 2), round(seconds * EPOCH / BATCH)))
        print(*rows[-1], flush=True)
    table = pd.DataFrame(rows, columns=["network", "seconds_a_batch", "seconds_an_epoch"])
    write_atomic(RESULT, table.to_csv(index=False, lineterminator="\n").encode())


def seconds_a_batch(encoder: Encoder, molecules: Molecules) -> float:
    """CPU seconds of a training step."""
    network = nn.Sequential(encoder, nn.Linear(encoder.dim, 10))
    optimiser = torch.optim.AdamW(network.parameters())
    start = 0.0
    for k in range(BATCHES + 1):
        start = time.process_time() if k == 1 else start
        optimiser.zero_grad()
        network(molecules[k * BATCH : (k + 1) * BATCH]).square().mean().backward()
        optimiser.step()
    return (time.process_time() - start) / BATCHES


if __name__ == "__main__":
    main()

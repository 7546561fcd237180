"""Which assays the long run of Nguyen et al. 2020 learns from, selects by and is judged on.

    python benchmarks/nguyen2020/split.py fsmol_assays.csv.gz chembl_organism_assays.csv.gz

Numbers are the paper's (863 to learn from, 16 to select by) or more (40 tests in distribution,
where it has 20). As there, assays of the types A, P and T are in the test alone. Writes
`data/splits/nguyen2020.json`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pandas as pd

from molmeta.datasets import IN, OUT
from molmeta.files import write_atomic
from molmeta.seeds import generator

TRAIN, VALIDATION, TEST = 863, 16, 40
LEAST = 128  # measurements of an assay that is selected by or judged on
LEARNED = ("B", "F")  # binding, functional
ORGANISMS = "organisms"
PATH = Path(__file__).parents[2] / "data" / "splits" / "nguyen2020.json"


def main() -> None:
    """Draw, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("fs_mol", type=Path)
    parser.add_argument("organisms", type=Path)
    args = parser.parse_args()
    rows = pd.read_csv(args.fs_mol)
    tasks = rows.groupby("assay_id").agg(
        part=("split", "first"), kind=("assay_type", "first"), count=("smiles", "nunique")
    )
    learned, large = tasks["kind"].isin(LEARNED), tasks["count"] >= LEAST
    train = tasks[learned & (tasks["part"] == "train")].sort_values("count", kind="stable")
    selected = drawn(tasks[learned & large & (tasks["part"] == "valid")].index, VALIDATION)
    inside = drawn(tasks[learned & large & (tasks["part"] == "test")].index, TEST)
    outside = sorted(tasks[~learned & large].index)
    counts = pd.read_csv(args.organisms).groupby("assay_id")["smiles"].nunique()
    organisms = sorted(counts[counts >= LEAST].index)
    found = {
        "drawn": {"name": "nguyen2020", "seed": 0, "least": LEAST},
        "train": sorted(train.index[-TRAIN:]),
        "validation": selected,
        "test": [*inside, *outside, *organisms],
        "groups": {IN: inside, OUT: outside, ORGANISMS: organisms},
    }
    write_atomic(PATH, (json.dumps(found, indent=1) + "\n").encode())
    print({part: len(found[part]) for part in ("train", "validation", "test")})
    print(f"training assays have {train['count'].iloc[-TRAIN]} molecules and more")


def drawn(names: pd.Index, count: int) -> list[str]:
    """So many of some assays, by a seed and their names."""
    ordered = sorted(names)
    order = generator("nguyen2020", 0).permutation(len(ordered))
    return sorted(ordered[i] for i in order[:count])


if __name__ == "__main__":
    main()

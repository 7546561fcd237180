"""Train the model that is shipped, and look at the test assays once.

    python benchmarks/default/build.py --data-path chembl22_assays.csv.gz

Needs `molmeta[minimol]`, whose vectors the graph network is read by; what is shipped needs it no
more. Writes `molmeta/pretrained/default/` and `benchmarks/results/default*`. Models and scores are
kept below `--save-dir`, so that the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
from pathlib import Path

import numpy as np
import torch
from held_out import joined_split
from safetensors.torch import save as save_tensors

from molmeta.datasets import data_file
from molmeta.evaluation import (
    REFERENCE,
    Protocol,
    audited,
    prepared,
    run_benchmark,
    summarise,
    write_results,
)
from molmeta.files import write_atomic
from molmeta.metrics import Interval
from molmeta.models import DEFAULT, PRETRAINED, load_experiment, save_pretrained, tensors_sha256
from molmeta.molecules import molecule_numbers
from molmeta.tasks import Split
from molmeta.training import meta_train

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results"
SIZES = (16, 32, 64, 128, 256)
DRAWS = 5


def main() -> None:
    """Split, train, write, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-path", type=Path, required=True, help="ChEMBL-22: see data/README")
    parser.add_argument("--save-dir", type=Path, default=Path("molmeta-default"))
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    split = joined_split(args.data_path)
    learned = prepared(split, Protocol(measured=True))
    experiment = load_experiment(HERE / "default.toml")
    run = args.save_dir / "training"
    model = meta_train(
        experiment, learned.train, learned.validation, save_dir=run, workers=args.workers
    )
    folder = PRETRAINED / DEFAULT
    save_pretrained(model.learner.half(), experiment, folder)
    write_atomic(folder / "molecules.safetensors", seen(learned))
    for name in ("history.csv", "environment.json"):
        shutil.copy(run / name, folder / name)
    told = judge(split, folder, args)
    card = (run / "README.md").read_text() + "\n" + about(args.data_path) + told
    write_atomic(folder / "README.md", card.encode())


def seen(split: Split) -> bytes:
    """The molecules that training and selection saw, as sorted numbers: which of yours it knows."""
    smiles = sorted(split.train.smiles() | split.validation.smiles())
    numbers = np.unique(molecule_numbers(smiles))
    tensors = {"connectivity": torch.from_numpy(numbers)}
    return save_tensors(tensors, metadata={"sha256": tensors_sha256(tensors)})


def judge(split: Split, folder: Path, args: argparse.Namespace) -> str:
    """Score the test assays, by classes and by measured values, and say what came of it."""
    lines = [
        "",
        "## On 48 assays of targets and molecules that it never saw",
        "",
        f"ΔAUPRC ({DRAWS} supports of each size), and paired difference to a random forest of 500",
        "trees with its 95 % interval over assays.",
        "",
        "| learned from | " + " | ".join(map(str, SIZES)) + " |",
        "|---|" + "---|" * len(SIZES),
    ]
    for measured, name in ((False, "default"), (True, "default-measured")):
        protocol = Protocol(SIZES, DRAWS, measured=measured)
        learners = [str(folder), "gaussian_process", REFERENCE]
        results = run_benchmark(learners, split, protocol, args.save_dir, workers=args.workers)
        notes = audited(prepared(split, Protocol()), args.save_dir, args.workers)
        command = f"python benchmarks/default/build.py --data-path {args.data_path.name}"
        write_results(results, RESULTS / f"{name}.csv", protocol, command, notes)
        table = summarise(results.scores, REFERENCE)
        rows = table[table["learner"] == DEFAULT].set_index("support_size").loc[list(SIZES)]
        cells = [
            f"{r['mean']:.3f} ({Interval(r['difference'], r['low'], r['high'])})"
            for r in rows.to_dict("records")
        ]
        kind = "measured values" if measured else "classes"
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def about(path: Path) -> str:
    """What it was made from, and by what."""
    digests = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in (path, data_file("chembl_assays.csv.gz"), HERE / "default.toml")
    }
    return "\n".join(
        [
            f"Made by `python benchmarks/default/build.py --data-path {path.name}` from",
            "",
            *(f"- `{name}`, sha256 `{digest}`" for name, digest in digests.items()),
            "",
            "Weights are stored in 16 bits. `molecules.safetensors` has a number for each molecule",
            "that training or selection saw (of the InChIKey's first block), so that a report can",
            "say which of yours it knows.",
            "",
            "## What it is for, and what not",
            "",
            "Ranking small organic molecules by an assay with 16 to a few hundred measurements of",
            "them. It learned from potencies at human and animal proteins in ChEMBL: of other",
            "properties (solubility, toxicity in cells, odour) its prior mean knows nothing; what",
            "is left is two Gaussian processes, of which the measurements choose: by structure, or",
            "by computed properties. It knows no peptides, polymers or metal complexes to speak",
            "of. Its graph network was taught MiniMol's vectors (Kläser et al. 2024, MIT) of",
            "FS-Mol's molecules, and no label; MiniMol itself learned from PubChem's large assays,",
            "so that what it was tested on may not be new to that. The data are CC BY-SA 3.0",
            "(ChEMBL), the code is MIT.",
            "",
        ]
    )


if __name__ == "__main__":
    main()

"""Train the learners on the graph network that are shipped beside the default model.

    python benchmarks/zoo/build.py --data-path fsmol_assays.csv.gz

Writes `molmeta/pretrained/<learner>/`: each experiment, trained on all training assays of FS-Mol,
on the encoder that knows their molecules (`graph_all`). Runs are kept below `--save-dir`, so that
the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

from molmeta.datasets import read_fs_mol, split_assays
from molmeta.files import write_atomic
from molmeta.models import PRETRAINED, load_experiment, save_pretrained
from molmeta.training import meta_train

LEARNERS = ("prototypical", "matching", "anil", "maml", "few_shot_gnn")
ENCODER = "graph_all"


def main() -> None:
    """Train and write each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-path", type=Path, required=True, help="FS-Mol: see the docs")
    parser.add_argument("--save-dir", type=Path, default=Path("molmeta-zoo"))
    parser.add_argument("--learners", nargs="+", default=LEARNERS)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    table, names = read_fs_mol(str(args.data_path))
    train, validation, _ = split_assays(table.assays, names, "overlapping")
    for name in args.learners:
        experiment = load_experiment(name)
        training = replace(experiment.training, encoder_from=ENCODER)
        experiment = replace(experiment, training=training)
        run, folder = args.save_dir / name, PRETRAINED / name
        model = meta_train(experiment, train, validation, save_dir=run, workers=args.workers)
        save_pretrained(model.learner.half(), experiment, folder)
        for file in ("history.csv", "environment.json"):
            shutil.copy(run / file, folder / file)
        card = (run / "README.md").read_text(encoding="utf-8")
        write_atomic(folder / "README.md", (card + about(args.data_path)).encode())


def about(path: Path) -> str:
    """What it was made from, and what it is for."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return "\n".join(
        [
            "",
            f"Made by `python benchmarks/zoo/build.py --data-path {path.name}` from `{path.name}`,",
            f"sha256 `{digest}`, on the encoder `{ENCODER}`. Weights are stored in 16 bits.",
            "",
            "For classes, active or not, from 16 to a few hundred measured molecules: a graph",
            "network that adapts. The docs show it beside `default` and a random forest. The data",
            "are from ChEMBL (CC BY-SA 3.0), the code is MIT.",
            "",
        ]
    )


if __name__ == "__main__":
    main()

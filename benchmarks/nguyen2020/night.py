"""One model of `molmeta reproduce nguyen2020 --size night` at a time, until all are there.

    python benchmarks/nguyen2020/night.py maml 0 fsmol_assays.csv.gz chembl_organism_assays.csv.gz

trains and judges what that command would, in `--runs`, and goes on from a checkpoint; scores and
history are kept in `night/` beside this file. `random_forest 0` is judged likewise.

    python benchmarks/nguyen2020/night.py join 0 DATA...

puts all of them together in `../results/nguyen2020-night.csv` and beside it.
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch

from molmeta.cli import reproduce as command
from molmeta.cli.main import parser
from molmeta.evaluation import Results
from molmeta.reproduce import nguyen2020, write_curves, write_reproduction
from molmeta.reproduce.methods import FOREST
from molmeta.reproduce.sizes import MULTI_TASK, TRAINED

KEPT = Path(__file__).parent / "night"
RESULTS = Path(__file__).parents[1] / "results"
SEEDS = 3
COMPAT = ("corrected", "weighted_fine_tuning")  # of one training


def main() -> None:
    """Train and judge one, or put all together."""
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("kind", choices=(*TRAINED, FOREST, "join"))
    words.add_argument("seed", type=int)
    words.add_argument("data", nargs="+")
    words.add_argument("--runs", type=Path, default=Path("runs/nguyen2020-night"))
    args = words.parse_args()
    torch.set_num_threads(1)
    said = ["reproduce", "nguyen2020", "--size", "night", "--split", "nguyen2020"]
    said = parser().parse_args([*said, "--data-path", *args.data])
    size = command._size(said)
    study, about = command._study(said, size)
    if args.kind == "join":
        join(command._command(said), about)
        return
    job = nguyen2020.Job(args.kind, args.seed, study, size, COMPAT[0], args.runs, "cpu", False)
    keep(job)


def keep(job: nguyen2020.Job) -> None:
    """Train and judge a model; copy what is left."""
    trained = job.kind != FOREST
    nguyen2020.prepare(job.study, [job.kind] if trained else [], not trained)
    costs = nguyen2020._train(job).costs if trained else pd.DataFrame()
    kept = KEPT / f"{job.kind}-seed{job.seed}"
    kept.mkdir(parents=True, exist_ok=True)
    costs.to_csv(kept / "costs.csv", index=False)
    for compat in COMPAT if trained else COMPAT[:1]:
        scores = nguyen2020._score(replace(job, compat=compat)).scores
        scores.to_csv(kept / f"scores-{compat}.csv", index=False)
    if trained:
        for name in ("history.csv", "environment.json"):
            shutil.copy(job.folder / name, kept / name)
        if job.kind != MULTI_TASK:  # whose heads are large
            shutil.copy(job.folder / "model.safetensors", kept)


def join(words: str, about: str) -> None:
    """Results of all models, as the one command would write them."""
    folders = [KEPT / f"{kind}-seed{seed}" for seed in range(SEEDS) for kind in (*TRAINED, FOREST)]
    there = [folder for folder in folders if (folder / "scores-corrected.csv").exists()]
    scores = [pd.read_csv(folder / "scores-corrected.csv") for folder in there]
    costs = [pd.read_csv(f / "costs.csv") for f in there if FOREST not in f.name]
    results = Results(*(pd.concat(parts, ignore_index=True) for parts in (scores, costs)))
    path = RESULTS / "nguyen2020-night.csv"
    write_curves(KEPT, path)
    print(write_reproduction(results, path, words, about))


if __name__ == "__main__":
    main()

"""How the meta-training of a study went: what was selected by, against steps."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from molmeta.evaluation import pyplot
from molmeta.reproduce.methods import LABELS
from molmeta.reproduce.sizes import MULTI_TASK, TRAINED
from molmeta.training import write_validation_curves


def write_curves(save_dir: Path, path: Path) -> None:
    """`<path>-curves.csv`, of all models below `save_dir`, and the figure beside it.

    Meta-learned initialisations are selected by the mean AUPRC of the validation assays, each
    fine-tuned; multi-task training by minus the loss on the molecules that it holds out.
    """
    folders = [
        (run, {"learner": kind, "model_seed": int(seed)})
        for run in save_dir.glob("*-seed*")
        for kind, _, seed in [run.name.rpartition("-seed")]
        if kind in TRAINED
    ]
    write_validation_curves(folders, path.with_name(f"{path.stem}-curves.csv"), _plot)


def _plot(table: pd.DataFrame, path: Path) -> None:
    plt = pyplot()
    multi = table["learner"] == MULTI_TASK
    sides = [
        (table[~multi], "mean AUPRC of the validation assays"),
        (table[multi], "minus the loss on molecules held out"),
    ]
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for axis, (part, label) in zip(axes, sides, strict=True):
        names = [name for name in TRAINED if name in set(part["learner"])]
        for colour, name in enumerate(names):
            for seed, line in part[part["learner"] == name].groupby("model_seed"):
                axis.plot(
                    *(line["step"], line["score"]),
                    color=f"C{colour}",
                    alpha=1 if seed == 0 else 0.5,
                    label=LABELS.get(name, "multi-task") if seed == 0 else None,
                )
        axis.set(xlabel="steps", ylabel=label)
        if names:
            axis.legend(frameon=False)
    figure.savefig(path, dpi=130)
    plt.close(figure)

"""How the training of an image benchmark went: what it was stopped by, against steps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from molmeta.evaluation.plots import pyplot
from molmeta.training import write_validation_curves

ACROSS = 4  # learners in a row of the figure


def write_training(save_dir: Path, path: Path, learners: Sequence[str]) -> None:
    """`<path>-training.csv`, of all models of these learners, and the figure beside it.

    The score is the accuracy on the validation classes, mean over shots. Nothing is written where
    nothing was trained.
    """
    folders = [
        (run, {"learner": learner, "n_way": int(way.removesuffix("-way")), "split": split})
        for run in save_dir.glob("*-way/*/*")
        for way, split, learner in [run.parts[-3:]]
        if learner in learners
    ]
    write_validation_curves(folders, path.with_name(f"{path.stem}-training.csv"), _plot)


def _plot(table: pd.DataFrame, path: Path) -> None:
    """A panel a learner, a colour a number of classes, a line a split."""
    plt = pyplot()
    names, ways = sorted(set(table["learner"])), sorted(set(table["n_way"]))
    rows = -(-len(names) // ACROSS)
    figure, axes = plt.subplots(
        *(rows, ACROSS), figsize=(11, 2.4 * rows), sharey=True, squeeze=False, layout="constrained"
    )
    for axis, name in zip(axes.flat, names, strict=False):
        part = table[table["learner"] == name]
        for colour, n_way in enumerate(ways):
            lines = part[part["n_way"] == n_way].groupby("split")
            for number, (_, line) in enumerate(lines):
                label = None if number else f"{n_way}-way"
                axis.plot(line["step"], 100 * line["score"], color=f"C{colour}", label=label)
        axis.set_title(name, fontsize=9)
        axis.set_xlabel("steps", fontsize=8)
        axis.legend(frameon=False, fontsize=7)
    for axis in axes[:, 0]:
        axis.set_ylabel("validation, % right", fontsize=8)
    for axis in np.ravel(axes)[len(names) :]:
        axis.set_visible(False)
    figure.savefig(path, dpi=110)
    plt.close(figure)

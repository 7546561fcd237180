"""Plots of a benchmark: scores against support size, and who is ahead of whom."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from molmeta.evaluation.protocol import per_task, summarise
from molmeta.metrics import bootstrap_interval

SHOWN = 8  # learners in the figure of learning curves


def plot_learning_curves(scores: pd.DataFrame, reference: str, path: Path) -> None:
    """ΔAUPRC against support size of the best learners, and their paired gain on the reference."""
    plt = pyplot()
    table = summarise(scores, reference)
    complete = table[table["support_size"].isin(_shared_sizes(table))]
    order = complete.groupby("learner")["mean"].mean().sort_values(ascending=False).index
    names = list(dict.fromkeys([*order[: SHOWN - 1], reference]))
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    for number, name in enumerate(names):
        rows = complete[complete["learner"] == name]
        style = {"color": "black" if name == reference else f"C{number}", "marker": "o"}
        left.plot(rows["support_size"], rows["mean"], label=name.replace("_", " "), **style)
        if name != reference:
            spread = np.abs(rows[["low", "high"]].to_numpy().T - rows["difference"].to_numpy())
            shift = 1.03 ** (number - len(names) / 2)  # so that bars do not hide each other
            right.errorbar(
                rows["support_size"] * shift, rows["difference"], spread, capsize=2, **style
            )
    right.axhline(0, color="black", linewidth=1)
    left.set(ylabel="ΔAUPRC, mean over assays")
    right.set(ylabel=f"ΔAUPRC − {reference.replace('_', ' ')}, 95 % paired interval")
    sizes = sorted(complete["support_size"].unique())
    for axis in (left, right):
        axis.set_xscale("log", base=2)
        axis.set_xticks(sizes, [str(size) for size in sizes])
        axis.minorticks_off()
        axis.set_xlabel("measurements of the new assay")
    left.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def plot_dominance(scores: pd.DataFrame, path: Path) -> None:
    """Learner by learner: on how many assays the row is ahead of the column, over all sizes.

    Bold where the 95 % paired interval over assays excludes 0. Learners stand in the order of
    their mean.
    """
    plt = pyplot()
    table = per_task(scores, "delta_auprc").groupby(level="task").mean()
    table = table[table.mean().sort_values(ascending=False).index]
    n = len(table.columns)
    figure, axis = plt.subplots(figsize=(2.5 + 0.48 * n, 2 + 0.42 * n), layout="constrained")
    values = table.to_numpy()
    ahead = (values[:, :, None] > values[:, None, :]).mean(axis=0)
    np.fill_diagonal(ahead, np.nan)
    image = axis.imshow(100 * ahead, cmap="RdBu", vmin=0, vmax=100)
    for i in range(n):
        for j in (j for j in range(n) if j != i):
            gain = bootstrap_interval(values[:, i] - values[:, j], resamples=2000)
            sure = gain.low > 0 or gain.high < 0
            axis.text(
                *(j, i, f"{100 * ahead[i, j]:.0f}"),
                ha="center",
                va="center",
                fontsize=7,
                fontweight="bold" if sure else "normal",
                color="white" if abs(ahead[i, j] - 0.5) > 0.35 else "black",
            )
    labels = [str(name).replace("_", " ") for name in table.columns]
    axis.set_xticks(range(n), labels, rotation=90, fontsize=8)
    axis.set_yticks(range(n), labels, fontsize=8)
    axis.set_title(f"% of {len(table)} assays on which the row is ahead of the column", fontsize=9)
    figure.colorbar(image, ax=axis, shrink=0.6)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _shared_sizes(table: pd.DataFrame) -> list[int]:
    """Support sizes that every learner has."""
    counts = table.groupby("support_size")["learner"].nunique()
    return [int(size) for size, count in counts.items() if count == counts.max()]  # type: ignore


def pyplot():
    """The pyplot of matplotlib, which needs no screen; imported when a plot is drawn."""
    import matplotlib

    matplotlib.use("Agg", force=False)
    from matplotlib import pyplot

    return pyplot

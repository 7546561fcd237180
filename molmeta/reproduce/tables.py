"""What the study of Nguyen et al. 2020 found: tables, the figure, and where it agrees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from molmeta.evaluation import (
    Results,
    costs_table,
    per_task,
    pyplot,
    summarise,
    tasks_per_size,
    write_tables,
)
from molmeta.metrics import bootstrap_interval
from molmeta.reproduce.claims import (
    agreement,
    differences,
    heading,
    improvements,
    leads,
    leads_by_model,
    widening,
)
from molmeta.reproduce.methods import (
    FOREST,
    FOREST_WITH_VALIDATION,
    LABELS,
    ORDER,
    groups_of,
    present,
)
from molmeta.reproduce.sizes import META


def write_reproduction(results: Results, path: Path, command: str, about: str) -> str:
    """`<path>`.csv, and beside it the summary (.md), the figure (.png) and the environment.

    `about` says what was run and how it differs from the paper. Returns the summary.
    """
    scores = results.scores
    parts = [about]
    for metric, name in (("auprc", "AUPRC"), ("roc_auc", "ROC-AUC")):
        parts += [f"## {name}", *(_table(scores, group, metric) for group in groups_of(scores))]
    parts += ["## Against the forest", *(_against(scores, group) for group in groups_of(scores))]
    parts += [
        "## Against multi-task training",
        leads(scores),
        leads_by_model(scores),
        widening(scores),
        *(improvements(scores, group) for group in groups_of(scores)),
        "## Beside the paper",
        agreement(scores),
        "## Cost",
        costs_table(results.costs),
    ]
    summary = "\n\n".join(part.strip() for part in parts if part) + "\n"
    write_tables(results, path, command, summary)
    plot_sizes(scores, path.with_suffix(".png"))
    return summary


def plot_sizes(scores: pd.DataFrame, path: Path) -> None:
    """AUPRC against the number of measurements, in- and out-of-distribution: a panel each."""
    plt = pyplot()
    groups = groups_of(scores)
    figure, axes = plt.subplots(
        1, len(groups), figsize=(5.2 * len(groups) + 1.6, 4.4), sharey=True, layout="constrained"
    )
    for axis, group in zip(np.atleast_1d(axes), groups, strict=True):
        part = scores[scores["group"] == group]
        table = per_task(part, "auprc").groupby(level="support_size").mean()
        for number, name in enumerate(present(scores, ORDER)):
            forest = name in (FOREST, FOREST_WITH_VALIDATION)
            axis.plot(
                *(table.index, table[name]),
                color="black" if forest else f"C{number}",
                linestyle={FOREST: "-", FOREST_WITH_VALIDATION: ":"}.get(name)
                or ("-" if name in META else "--"),
                marker="o",
                markersize=4,
                label=LABELS[name],
            )
        counts = tasks_per_size(part)
        axis.set_xscale("log", base=2)
        axis.set_xticks(table.index, [f"{k}\nn = {counts[k]}" for k in table.index])
        axis.minorticks_off()
        axis.set(title=group, xlabel="measurements to fine-tune on (n assays)")
    np.atleast_1d(axes)[0].set_ylabel("AUPRC, mean over assays")
    figure.legend(
        *np.atleast_1d(axes)[0].get_legend_handles_labels(),
        loc="outside right center",
        frameon=False,
        fontsize=8,
    )
    figure.savefig(path, dpi=100)
    plt.close(figure)


def _table(scores: pd.DataFrame, group: str, metric: str) -> str:
    part = scores[scores["group"] == group]
    counts = tasks_per_size(part)
    table = per_task(part, metric)
    lines = heading(
        f"{group or 'all'}: mean over assays, and its 95 % interval",
        "method",
        [f"{k} ({n} assays)" for k, n in counts.items()],
    )
    for name in present(scores, ORDER):
        cells = []
        for k in counts:
            cells.append(bootstrap_interval(table.loc[k][name]).text(".3f"))
        lines.append(f"| {LABELS[name]} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _against(scores: pd.DataFrame, group: str) -> str:
    if FOREST not in set(scores["learner"]):
        return ""
    found = summarise(scores[scores["group"] == group], FOREST, "auprc")
    sizes = sorted(found["support_size"].unique())
    lines = heading(
        f"{group or 'all'}: AUPRC − the forest's, on the same supports; 95 % paired interval over "
        "assays, and on how many the method is ahead",
        "method",
        sizes,
    )
    for name in present(scores, ORDER):
        if name == FOREST:
            continue
        lines.append(f"| {LABELS[name]} | " + " | ".join(differences(found, name)) + " |")
    return "\n".join(lines)

"""What the study of Nguyen et al. 2020 found: tables, the figure, and where it agrees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from molmeta.datasets import IN, OUT
from molmeta.evaluation import (
    Results,
    costs_table,
    per_task,
    pyplot,
    summarise,
    tasks_per_size,
    write_tables,
)
from molmeta.metrics import Interval, bootstrap_interval
from molmeta.reproduce.methods import BASELINES, FOREST, FOREST_WITH_VALIDATION, LABELS, ORDER
from molmeta.reproduce.sizes import META


def write_reproduction(results: Results, path: Path, command: str, about: str) -> str:
    """`<path>`.csv, and beside it the summary (.md), the figure (.png) and the environment.

    `about` says what was run and how it differs from the paper. Returns the summary.
    """
    scores = results.scores
    parts = [about]
    for metric, name in (("auprc", "AUPRC"), ("roc_auc", "ROC-AUC")):
        parts += [f"## {name}", *(_table(scores, group, metric) for group in _groups(scores))]
    parts += ["## Against the forest", *(_against(scores, group) for group in _groups(scores))]
    parts += [
        "## Against multi-task training",
        *(_improvements(scores, group) for group in _groups(scores)),
        "## Beside the paper",
        _agreement(scores),
        "## Cost",
        costs_table(results.costs),
    ]
    summary = "\n\n".join(part.strip() for part in parts if part) + "\n"
    write_tables(results, path, command, summary)
    plot_sizes(scores, path.with_suffix(".png"))
    return summary


def relative_improvement(scores: pd.DataFrame, size: int) -> pd.Series:
    r"""Per task, the best meta-learned initialisation against the best multi-task baseline.

    .. math:: \mathrm{AUPRC}_\text{meta} / \mathrm{AUPRC}_\text{multi-task} - 1

    Best is the method with the highest mean over these tasks, one for all of them: it is chosen on
    the test tasks, on both sides alike.
    """
    table = per_task(scores[scores["support_size"] == size], "auprc")
    best = [table[list(_present(scores, side))].mean().idxmax() for side in (META, BASELINES)]
    return table[best[0]] / table[best[1]] - 1


def plot_sizes(scores: pd.DataFrame, path: Path) -> None:
    """AUPRC against the number of measurements, in- and out-of-distribution: a panel each."""
    plt = pyplot()
    groups = _groups(scores)
    figure, axes = plt.subplots(
        1, len(groups), figsize=(5.2 * len(groups) + 1.6, 4.4), sharey=True, layout="constrained"
    )
    for axis, group in zip(np.atleast_1d(axes), groups, strict=True):
        part = scores[scores["group"] == group]
        table = per_task(part, "auprc").groupby(level="support_size").mean()
        for number, name in enumerate(_present(scores, ORDER)):
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
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _groups(scores: pd.DataFrame) -> list[str]:
    found = set(scores["group"])
    return [group for group in (IN, OUT, *sorted(found - {IN, OUT, ""}), "") if group in found]


def _present(scores: pd.DataFrame, names: tuple[str, ...]) -> tuple[str, ...]:
    found = set(scores["learner"])
    return tuple(name for name in names if name in found)


def _table(scores: pd.DataFrame, group: str, metric: str) -> str:
    part = scores[scores["group"] == group]
    counts = tasks_per_size(part)
    table = per_task(part, metric)
    lines = [
        f"{group or 'all'}: mean over assays, and its 95 % interval",
        "",
        "| method | " + " | ".join(f"{k} ({n} assays)" for k, n in counts.items()) + " |",
        "|---|" + "---:|" * len(counts),
    ]
    for name in _present(scores, ORDER):
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
    lines = [
        f"{group or 'all'}: AUPRC − the forest's, on the same supports; 95 % paired interval over "
        "assays, and on how many the method is ahead",
        "",
        "| method | " + " | ".join(map(str, sizes)) + " |",
        "|---|" + "---:|" * len(sizes),
    ]
    for name in _present(scores, ORDER):
        if name == FOREST:
            continue
        rows = found[found["learner"] == name].set_index("support_size").loc[sizes]
        cells = [
            f"{Interval(row['difference'], row['low'], row['high'])}, {row['wins']}/{row['tasks']}"
            for row in rows.to_dict("records")
        ]
        lines.append(f"| {LABELS[name]} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _compared(scores: pd.DataFrame) -> bool:
    """Whether there is a method of both sides."""
    return bool(_present(scores, META)) and bool(_present(scores, BASELINES))


def _improvements(scores: pd.DataFrame, group: str) -> str:
    if not _compared(scores):
        return ""
    part = scores[scores["group"] == group]
    lines = [
        f"{group or 'all'}: AUPRC of the best meta-learned initialisation over that of the best "
        "multi-task baseline, both the best on these assays; mean over assays of the relative "
        "improvement, 95 % interval",
        "",
        "| measurements | best meta | best multi-task | improvement, % | ahead on |",
        "|---:|---|---|---|---:|",
    ]
    for k in tasks_per_size(part):
        means = per_task(part[part["support_size"] == k], "auprc").mean()
        best = [str(means[list(_present(scores, side))].idxmax()) for side in (META, BASELINES)]
        gain = relative_improvement(part, k)
        found = bootstrap_interval(100 * gain)
        lines.append(
            f"| {k} | {LABELS[best[0]]} | {LABELS[best[1]]} | {found.text('+.1f')} | "
            f"{int((gain > 0).sum())}/{len(gain)} |"
        )
    return "\n".join(lines)


def _agreement(scores: pd.DataFrame) -> str:
    """What the paper says of each point, and what was found here."""
    if not _compared(scores):
        return ""
    groups = [group for group in (IN, OUT) if group in set(scores["group"])]
    gains = {
        group: {
            k: bootstrap_interval(100 * relative_improvement(part, k)) for k in tasks_per_size(part)
        }
        for group, part in ((group, scores[scores["group"] == group]) for group in groups)
    }
    lines = [
        "The paper's data, assays and network weights are not these; its figures stand here to be "
        "held against the direction of ours, not their size.",
        "",
        "| the paper | here |",
        "|---|---|",
    ]
    published = {IN: "+11.2 %", OUT: "+26.9 %"}
    for group in groups:
        mean = np.mean([gain.mean for gain in gains[group].values()])
        above = [k for k, gain in gains[group].items() if gain.low > 0]
        below = [k for k, gain in gains[group].items() if gain.high < 0]
        lines.append(
            f"| {group}: AUPRC {published[group]} over multi-task pre-training | "
            f"{mean:+.1f} %, mean over k; interval above zero at k = {_listed(above)}, below at "
            f"{_listed(below)} |"
        )
    ahead = [k for k in tasks_per_size(scores) if _best(scores, k) in META]
    beside = [k for k in tasks_per_size(scores) if _best(scores, k, forests=False) in META]
    lines.append(
        f"| meta-learned initialisations are best at every k | of the networks at k = "
        f"{_listed(beside)} of {_listed(list(tasks_per_size(scores)))}; with the forest at "
        f"{_listed(ahead)} |"
    )
    if len(groups) == 2:
        wider = [k for k in gains[OUT] if k in gains[IN] and gains[OUT][k].mean > gains[IN][k].mean]
        lines.append(
            f"| the gain is larger out of distribution | at k = {_listed(wider)} of "
            f"{_listed(list(gains[OUT]))} |"
        )
    lines.append("| no forest | see above |")
    return "\n".join(lines)


def _best(scores: pd.DataFrame, size: int, *, forests: bool = True) -> str:
    table = per_task(scores[scores["support_size"] == size], "auprc").mean()
    left_out = [FOREST_WITH_VALIDATION] if forests else [FOREST, FOREST_WITH_VALIDATION]
    return str(table.drop(index=left_out, errors="ignore").idxmax())


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers)) or "none"

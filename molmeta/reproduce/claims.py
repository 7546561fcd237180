"""What Nguyen et al. 2020 claim, and whether it is seen here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from molmeta.datasets import IN, OUT
from molmeta.evaluation import per_task, summarise, tasks_per_size
from molmeta.metrics import Interval, bootstrap_difference, bootstrap_interval
from molmeta.reproduce.methods import (
    BASELINES,
    FOREST,
    FOREST_WITH_VALIDATION,
    LABELS,
    groups_of,
    present,
)
from molmeta.reproduce.sizes import META


def heading(what: str, first: str, columns: Sequence[object]) -> list[str]:
    """The lines above a table, such as one with a column for each number of measurements."""
    names = [first, *map(str, columns)]
    return [what, "", f"| {' | '.join(names)} |", "|---|" + "---:|" * len(columns)]


def differences(found: pd.DataFrame, learner: str) -> list[str]:
    """A learner's rows of `summarise`: its lead, the interval, and on how many it is ahead."""
    return [
        f"{Interval(row['difference'], row['low'], row['high'])}, {row['wins']}/{row['tasks']}"
        for row in found[found["learner"] == learner].to_dict("records")
    ]


def _compared(scores: pd.DataFrame) -> bool:
    """Whether there is a method of both sides."""
    return bool(present(scores, META)) and bool(present(scores, BASELINES))


def leads(scores: pd.DataFrame) -> str:
    """AUPRC of MAML less that of each use of the multi-task network, group by group."""
    if "maml" not in set(scores["learner"]):
        return ""
    parts = []
    for group in groups_of(scores):
        part = scores[scores["group"] == group]
        sizes = list(tasks_per_size(part))
        lines = heading(
            f"{group or 'all'}: AUPRC of MAML − that of each use of the multi-task network; mean "
            "over assays, 95 % paired interval, and on how many MAML is ahead",
            "against",
            sizes,
        )
        for name in present(scores, BASELINES):
            two = part[part["learner"].isin(["maml", name])]
            cells = differences(summarise(two, name, "auprc"), "maml")
            lines.append(f"| {LABELS[name]} | " + " | ".join(cells) + " |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def leads_by_model(scores: pd.DataFrame) -> str:
    """AUPRC of each model of MAML less that of the multi-task model of its seed, group by group."""
    if not _compared(scores) or "maml" not in set(scores["learner"]):
        return ""
    both = ("maml", present(scores, BASELINES)[0])
    seeds = sorted(set.intersection(*(_seeds(scores, name) for name in both)))
    if len(seeds) < 2:
        return ""
    parts = []
    for group in groups_of(scores):
        part = scores[scores["group"] == group]
        sizes = list(tasks_per_size(part))
        best = {k: _means(part, k)[list(present(part, BASELINES))].idxmax() for k in sizes}
        lines = heading(
            f"{group or 'all'}: AUPRC of each model of MAML − that of the multi-task network of "
            "its seed, in its best use; mean over assays, 95 % paired interval",
            "seed",
            sizes,
        )
        for seed in seeds:
            one = part[part["model_seed"] == seed]
            cells = [str(bootstrap_interval(_lead(one, str(best[k]), k))) for k in sizes]
            lines.append(f"| {seed} | " + " | ".join(cells) + " |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _seeds(scores: pd.DataFrame, learner: str) -> set[int]:
    return set(scores.loc[scores["learner"] == learner, "model_seed"])


def widening(scores: pd.DataFrame) -> str:
    """How much larger MAML's lead is on other groups than in distribution."""
    others = [group for group in groups_of(scores) if group != IN]
    if "maml" not in set(scores["learner"]) or IN not in set(scores["group"]) or not others:
        return ""
    inside = scores[scores["group"] == IN]
    parts = []
    for group in others:
        part = scores[scores["group"] == group]
        sizes = [k for k in tasks_per_size(part) if k in tasks_per_size(inside)]
        lines = heading(
            f"{group}: MAML's lead there − its lead in distribution; 95 % interval, assays of both "
            "drawn anew",
            "over",
            sizes,
        )
        for name in present(scores, BASELINES):
            pairs = ((_lead(part, name, k), _lead(inside, name, k)) for k in sizes)
            cells = [str(bootstrap_difference(there, here)) for there, here in pairs]
            lines.append(f"| {LABELS[name]} | " + " | ".join(cells) + " |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _lead(scores: pd.DataFrame, baseline: str, size: int) -> pd.Series:
    table = per_task(scores[scores["support_size"] == size], "auprc")
    return table["maml"] - table[baseline]


def relative_improvement(scores: pd.DataFrame, size: int) -> pd.Series:
    r"""Per task, the best meta-learned initialisation against the best multi-task baseline.

    .. math:: \mathrm{AUPRC}_\text{meta} / \mathrm{AUPRC}_\text{multi-task} - 1

    Best is the method with the highest mean over these tasks, one for all of them: it is chosen on
    the test tasks, on both sides alike.
    """
    table = per_task(scores[scores["support_size"] == size], "auprc")
    best = [table[list(present(scores, side))].mean().idxmax() for side in (META, BASELINES)]
    return table[best[0]] / table[best[1]] - 1


def improvements(scores: pd.DataFrame, group: str) -> str:
    """The paper's own measure, best against best, in a group."""
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
        means = _means(part, k)
        best = [str(means[list(present(scores, side))].idxmax()) for side in (META, BASELINES)]
        gain = relative_improvement(part, k)
        found = bootstrap_interval(100 * gain)
        lines.append(
            f"| {k} | {LABELS[best[0]]} | {LABELS[best[1]]} | {found.text('+.1f')} | "
            f"{int((gain > 0).sum())}/{len(gain)} |"
        )
    return "\n".join(lines)


def agreement(scores: pd.DataFrame) -> str:
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


def _means(scores: pd.DataFrame, size: int) -> pd.Series:
    """Mean over assays of each learner's AUPRC."""
    return per_task(scores[scores["support_size"] == size], "auprc").mean()


def _best(scores: pd.DataFrame, size: int, *, forests: bool = True) -> str:
    table = _means(scores, size)
    left_out = [FOREST_WITH_VALIDATION] if forests else [FOREST, FOREST_WITH_VALIDATION]
    return str(table.drop(index=left_out, errors="ignore").idxmax())


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers)) or "none"

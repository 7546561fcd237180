"""Benchmarks: the same episodes for every learner and baseline, with paired intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from molmeta.learners import Learner
from molmeta.metrics import Interval, bootstrap_interval
from molmeta.tasks import Assay, Draw, balanced, stratified
from molmeta.training import score_learner

COLUMNS = ["learner", "task", "support_size", "draw", "metric", "value", "prevalence"]


@dataclass(frozen=True)
class Protocol:
    """How learners are judged.

    Attributes
    ----------
    support_sizes : tuple of int
        Measurements of the new assay, in all. An assay too small for one is left out at that size.
    draws : int
        Supports drawn for each assay and size.
    seed : int
        Of the evaluation episodes.
    part : str
        `test`; or `validation`, to choose what is worth a look at the test assays.
    balanced : bool
        Supports have as many actives as inactives (the k-shot protocol of Tox21), in place of the
        assay's own proportion.
    measured : bool
        Learners learn from the measured values; ranking is judged by the same classes.
    best_look : bool
        Each trained learner a second time, with its weights chosen by the *test* assays: what a
        published "best test score seen" is worth. Its rows are named so.
    """

    support_sizes: tuple[int, ...] = (16, 32, 64)
    draws: int = 10
    seed: int = 0
    part: str = "test"
    balanced: bool = False
    measured: bool = False
    best_look: bool = False

    @property
    def draw_support(self) -> Draw:
        """What draws a support."""
        return balanced if self.balanced else stratified


@dataclass(frozen=True)
class ImageProtocol:
    """How learners of images are judged.

    Attributes
    ----------
    n_ways, shots : tuple of int
        Classes of a task, and images of each to learn from.
    query_shots, draws : int
        Queries a class; tasks of each kind and split.
    seed : int
        Of the evaluation episodes.
    part : str
        `test`; or `validation`, to choose what is worth a look at the test classes.
    full : bool
        Convolutions of 64 channels and 40,000 steps, as published; else the experiments' own.
    """

    n_ways: tuple[int, ...] = (5, 20)
    shots: tuple[int, ...] = (1, 5)
    query_shots: int = 5
    draws: int = 100
    seed: int = 0
    part: str = "test"
    full: bool = False


def benchmark(
    learners: Mapping[str, Learner],
    assays: Sequence[Assay],
    support_sizes: Sequence[int] = (16, 32, 64),
    draws: int = 10,
    seed: int = 0,
    draw_support: Draw = stratified,
) -> pd.DataFrame:
    """Score learners on the same evaluation episodes.

    An assay too small for a support size is left out at that size; `tasks_per_size` counts.

    Returns
    -------
    DataFrame
        Tidy: `learner, task, support_size, draw, metric, value, prevalence`.

    Raises
    ------
    TooFewMeasurements
        A class of an assay is too small for a support.
    """
    rows = [
        (name, *score)
        for name, learner in learners.items()
        for score in score_learner(learner, assays, support_sizes, draws, seed, draw_support)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def tasks_per_size(scores: pd.DataFrame) -> dict[int, int]:
    """Number of assays at each support size."""
    counts = scores.groupby("support_size")["task"].nunique()
    return {int(size): int(count) for size, count in counts.items()}  # type: ignore[call-overload]


def per_task(scores: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Mean over draws: one row a (task, support size), one column a learner."""
    part = scores[scores["metric"] == metric]
    return part.pivot_table(
        index=["support_size", "task"], columns="learner", values="value", aggfunc="mean"
    )


def summarise(scores: pd.DataFrame, reference: str, metric: str = "delta_auprc") -> pd.DataFrame:
    """Means over tasks, and paired differences to a reference with 95 % bootstrap intervals.

    Returns
    -------
    DataFrame
        Columns `support_size, learner, tasks, mean, mean_low, mean_high, difference, low, high,
        wins`: the mean over draws, then tasks, with its interval over tasks; the difference to
        `reference` on the same episodes with its interval; and the number of tasks on which the
        learner is ahead.
    """
    rows = []
    for size, table in per_task(scores, metric).groupby(level="support_size"):
        for learner in dict.fromkeys(scores["learner"]):
            gain = (table[learner] - table[reference]).to_numpy()
            own, interval = bootstrap_interval(table[learner]), bootstrap_interval(gain)
            rows.append(
                {
                    "support_size": size,
                    "learner": learner,
                    "tasks": len(gain),
                    "mean": own.mean,
                    "mean_low": own.low,
                    "mean_high": own.high,
                    "difference": interval.mean,
                    "low": interval.low,
                    "high": interval.high,
                    "wins": int((gain > 0).sum()),
                }
            )
    return pd.DataFrame(rows)


def markdown(scores: pd.DataFrame, reference: str) -> str:
    """The table that people read: a row a learner, a group of columns a support size."""
    delta, auc = (summarise(scores, reference, m) for m in ("delta_auprc", "roc_auc"))
    less = f"− {'forest' if reference == 'random_forest' else reference}, 95 % interval"
    lines = [
        f"| support | learner | ΔAUPRC, 95 % interval | {less} | ahead on | ROC-AUC | {less} |",
        "|---:|---|---:|---|---:|---:|---|",
    ]
    for d, a in zip(delta.to_dict("records"), auc.to_dict("records"), strict=True):
        same = d["learner"] == reference
        cells = [
            str(d["support_size"]),
            d["learner"],
            Interval(d["mean"], d["mean_low"], d["mean_high"]).text(".3f"),
            "–" if same else str(Interval(d["difference"], d["low"], d["high"])),
            "–" if same else f"{d['wins']}/{d['tasks']}",
            f"{a['mean']:.3f}",
            "–" if same else str(Interval(a["difference"], a["low"], a["high"])),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def verdict(scores: pd.DataFrame, reference: str) -> str:
    """Where the reference wins, where it loses, and where the data cannot tell: in words."""
    lines = []
    for row in summarise(scores, reference).to_dict("records"):
        if row["learner"] == reference:
            continue
        gain = Interval(row["difference"], row["low"], row["high"])
        if gain.high < 0:
            outcome = f"{reference} wins"
        elif gain.low > 0:
            outcome = f"{row['learner']} wins"
        else:
            outcome = "no clear difference"
        lines.append(
            f"{row['support_size']:>4} measurements: {row['learner']} against {reference}: "
            f"{outcome} (ΔAUPRC {gain} over {row['tasks']} assays)"
        )
    return "\n".join(lines) + "\n"

"""What a benchmark writes: the tidy scores, a page to read, plots, and the environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from molmeta.evaluation.groups import by_group, groups_markdown
from molmeta.evaluation.plots import plot_dominance, plot_learning_curves
from molmeta.evaluation.protocol import Protocol, markdown, tasks_per_size, verdict
from molmeta.files import write_atomic
from molmeta.training import environment_json

REFERENCE = "random_forest"


class Results(NamedTuple):
    """What a benchmark found.

    Attributes
    ----------
    scores : DataFrame
        Tidy: `learner, task, support_size, draw, metric, value, prevalence`.
    costs : DataFrame
        `learner, parameters, steps, seconds`: what each learner took to train; and `looks`, how
        often its models were scored on these assays.
    """

    scores: pd.DataFrame
    costs: pd.DataFrame


def write_results(
    results: Results,
    path: Path,
    protocol: Protocol,
    command: str,
    notes: str = "",
    groups: Mapping[str, str] | None = None,
) -> str:
    """`<path>`.csv, and beside it a Markdown summary, plots and the environment.

    Returns the summary, which has means by group where assays have `groups`, and ends in the
    `notes`.
    """
    scores = results.scores
    counts = tasks_per_size(scores)
    sizes = ", ".join(f"{count} with {size} measurements" for size, count in counts.items())
    summary = (
        f"{scores['task'].nunique()} {protocol.part} assays ({sizes}), {protocol.draws} supports "
        f"of each size (seed {protocol.seed}"
        f"{', as many actives as inactives' if protocol.balanced else ''}); query: all other "
        "molecules of the assay. "
        + ("Learned from measured values, ranked by classes. " if protocol.measured else "")
        + "Mean over draws, then assays; differences on the same episodes, 95 % bootstrap over "
        f"assays. A constant score has ΔAUPRC 0. {_looks(results.costs, protocol.part)}\n\n"
        f"{markdown(scores, REFERENCE)}\n{costs_table(results.costs)}\n"
        f"{verdict(scores, REFERENCE)}\n"
        + (f"{groups_markdown(by_group(scores, dict(groups)))}\n" if groups else "")
        + notes
    )
    write_tables(results, path, command, summary)
    if len(counts) > 1:
        plot_learning_curves(scores, REFERENCE, path.with_name(f"{path.stem}-curves.png"))
    plot_dominance(scores, path.with_name(f"{path.stem}-dominance.png"))
    return summary


def _looks(costs: pd.DataFrame, part: str) -> str:
    if part != "test":
        return "These are the validation assays, by which training was stopped: no test result."
    if "looks" not in costs or costs["looks"].max() == 1:
        return "The test assays were looked at once with each learner."
    often = costs[costs["looks"] > 1]
    listed = ", ".join(f"{row.learner} {row.looks} times" for row in often.itertuples())
    return f"The test assays were looked at once with each learner, but {listed}."


def write_tables(results: Results, path: Path, command: str, summary: str) -> None:
    """The tidy scores as `<path>`, and beside it the summary (.md) and the environment."""
    write_atomic(path, results.scores.to_csv(index=False, lineterminator="\n").encode())
    page = f"# {path.stem}\n\nMade by `{command}`.\n\n{summary}"
    write_atomic(path.with_suffix(".md"), page.encode())
    write_atomic(path.with_name(f"{path.stem}.environment.json"), environment_json().encode())


def costs_table(costs: pd.DataFrame) -> str:
    """What each learner took to train, in Markdown: means over its runs."""
    if costs.empty:
        return "Nothing was trained.\n"
    lines = ["| learner | parameters | steps | training, seconds |", "|---|---:|---:|---:|"]
    for name, part in costs.groupby("learner", sort=False):
        mean = part.mean(numeric_only=True)
        lines.append(
            f"| {name} | {mean['parameters']:,.0f} | {mean['steps']:.0f} | {mean['seconds']:.0f} |"
        )
    return "\n".join(lines) + "\n"

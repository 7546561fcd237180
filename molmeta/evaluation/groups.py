"""Means over groups of assays, such as classes of enzymes."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from molmeta.datasets import read_csv
from molmeta.errors import DataError
from molmeta.evaluation.protocol import per_task

UNKNOWN = "unknown"


def read_groups(path: Path, column: str, assay_column: str = "assay_id") -> dict[str, str]:
    """The group of each assay, from a table with a row an assay; an empty cell is `unknown`.

    Raises
    ------
    DataError
        The file cannot be read, or lacks a column.
    """
    table = read_csv(path)
    missing = [name for name in (assay_column, column) if name not in table]
    if missing:
        raise DataError(
            f"{path} has no column '{missing[0]}'; it has: {', '.join(map(str, table.columns))}"
        )
    return dict(zip(table[assay_column], table[column].replace("", UNKNOWN), strict=True))


def by_group(
    scores: pd.DataFrame, groups: dict[str, str], metric: str = "delta_auprc"
) -> pd.DataFrame:
    """Means over the assays of each group: `group, learner, support_size, tasks, mean`.

    An assay without a group is of the group `unknown`.
    """
    table = per_task(scores, metric).reset_index()
    table = table.melt(["support_size", "task"], value_name="mean").dropna()
    table["group"] = [groups.get(str(task), UNKNOWN) for task in table["task"]]
    keys = ["group", "learner", "support_size"]
    means = table.groupby(keys).agg(tasks=("task", "nunique"), mean=("mean", "mean"))
    return means.reset_index()


def groups_markdown(means: pd.DataFrame) -> str:
    """A table for each group, the largest first: a row a learner, a column a support size."""
    counts = means.groupby("group")["tasks"].max().sort_values(ascending=False, kind="stable")
    sizes = sorted(means["support_size"].unique())
    lines = ["| group | assays | learner | " + " | ".join(map(str, sizes)) + " |"]
    lines.append("|---|---:|---|" + "---:|" * len(sizes))
    for group, count in counts.items():
        part = means[means["group"] == group].pivot(
            index="learner", columns="support_size", values="mean"
        )
        for learner, row in part.sort_values(sizes[0], ascending=False).iterrows():
            cells = [f"{row[size]:.3f}" if pd.notna(row.get(size)) else "–" for size in sizes]
            lines.append(f"| {group} | {count} | {learner} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"

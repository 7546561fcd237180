"""FS-Mol in both protocols, side by side, and what of a lead over the forest is left.

    python benchmarks/fsmol/report.py published.csv disjoint.csv

The files are what `molmeta benchmark --protocol published` and `--protocol molecule-disjoint` wrote
for FS-Mol. Writes `benchmarks/results/fsmol-published.csv` and `fsmol-disjoint.csv` (means over the
draws), `fsmol.md` and `fsmol-lead.png`. Classes of enzymes (`classes.csv`) are the release's.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import pandas as pd

from molmeta.evaluation import REFERENCE, by_group, pyplot, read_groups, summarise
from molmeta.files import write_atomic
from molmeta.metrics import Interval

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results"
SIZES = (16, 32, 64, 128, 256)
PROTOCOLS = ("published", "disjoint")
KEYS = ["learner", "task", "support_size", "metric"]
FEWEST = 5  # assays of a class whose mean is told


def main() -> None:
    """Read both, write all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in PROTOCOLS:
        parser.add_argument(name, type=Path)
    args = parser.parse_args()
    found = {}
    for name in PROTOCOLS:
        scores = mean_over_draws(pd.read_csv(getattr(args, name))).round(5)
        text = scores.to_csv(index=False, lineterminator="\n")
        write_atomic(RESULTS / f"fsmol-{name}.csv", text.encode())
        found[name] = pd.read_csv(io.StringIO(text))  # as committed
    write_atomic(RESULTS / "fsmol.md", page(found).encode())
    summaries = {name: summarise(table, REFERENCE) for name, table in found.items()}
    plot_leads(summaries, RESULTS / "fsmol-lead.png")


def mean_over_draws(scores: pd.DataFrame) -> pd.DataFrame:
    """One row a learner, task, size and metric; `draws` says of how many it is the mean."""
    grouped = scores.groupby(KEYS, sort=False)
    return grouped.agg(
        draws=("draw", "nunique"), value=("value", "mean"), prevalence=("prevalence", "mean")
    ).reset_index()


def page(scores: dict[str, pd.DataFrame]) -> str:
    """Both tables, means by class of enzyme, the published rows and what differs from ours."""
    lines = ["# FS-Mol", "", "Made by `python benchmarks/fsmol/report.py`.", ""]
    for name, found in scores.items():
        lines += [f"## {name}", "", table(summarise(found, REFERENCE)), ""]
    lines += ["## By class of enzyme, published", "", by_class(scores["published"]), ""]
    lines += ["## As published", "", published(), ""]
    return "\n".join(lines)


def by_class(scores: pd.DataFrame) -> str:
    """ΔAUPRC at 16 / 32 / 64 / 128 measurements, a column a class of `FEWEST` assays or more."""
    means = by_group(scores, read_groups(HERE / "classes.csv", "ec_class"))
    counts = means.groupby("group")["tasks"].max().sort_values(ascending=False)
    classes = [name for name in counts.index if counts[name] >= FEWEST]
    lines = [
        "| learner | " + " | ".join(f"{name} ({counts[name]} assays)" for name in classes) + " |"
    ]
    lines.append("|---|" + "---|" * len(classes))
    cells = means[means["support_size"].isin(SIZES[:4])].set_index(["learner", "group"])
    first = means[(means["group"] == classes[0]) & (means["support_size"] == SIZES[0])]
    for learner in first.sort_values("mean", ascending=False)["learner"]:
        told = [
            " / ".join(f"{mean:.3f}" for mean in cells.loc[(learner, name), "mean"])
            for name in classes
        ]
        lines.append(f"| {learner} | " + " | ".join(told) + " |")
    return "\n".join(lines)


def table(summary: pd.DataFrame) -> str:
    """ΔAUPRC, and in brackets the paired difference to the forest with its 95 % interval."""
    tasks = summary.groupby("support_size")["tasks"].max()
    sizes = [size for size in SIZES if size in tasks.index]
    head = "| learner | " + " | ".join(f"{size} ({tasks[size]} tasks)" for size in sizes) + " |"
    lines = [head, "|---|" + "---|" * len(sizes)]
    first = summary[summary["support_size"] == sizes[0]].sort_values("mean", ascending=False)
    for learner in first["learner"]:
        rows = summary[summary["learner"] == learner].set_index("support_size")
        cells = [_cell(rows.loc[size]) if size in rows.index else "–" for size in sizes]
        lines.append(f"| {learner} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(row: pd.Series) -> str:
    if row["learner"] == REFERENCE:
        return f"{row['mean']:.3f}"
    return f"{row['mean']:.3f} ({Interval(row['difference'], row['low'], row['high'])})"


def published() -> str:
    """The rows of the papers, and how ours differ."""
    rows = pd.read_csv(HERE / "published.csv", dtype=str, keep_default_na=False)
    lines = ["| method | 16 | 32 | 64 | 128 | 256 | ours | what differs |", "|---|" + "---|" * 7]
    for row in rows.to_dict("records"):
        lines.append("| " + " | ".join(str(cell) or "–" for cell in row.values()) + " |")
    return "\n".join(lines)


def plot_leads(summaries: dict[str, pd.DataFrame], path: Path) -> None:
    """The lead over the forest of each learner that both have, at 16 and at 64 measurements."""
    plt = pyplot()
    figure, axes = plt.subplots(1, 2, figsize=(11, 5), layout="constrained", sharey=True)
    both = set.intersection(*(set(summary["learner"]) for summary in summaries.values()))
    first = summaries["published"].query("support_size == 16").sort_values("mean")
    names = [name for name in first["learner"] if name in both - {REFERENCE}]
    colours = {"published": "C0", "disjoint": "C3"}
    labels = {
        "published": "test molecules may be in training (as published)",
        "disjoint": "no test molecule in training",
    }
    for axis, size in zip(axes, (16, 64), strict=True):
        for shift, (protocol, summary) in zip((0.15, -0.15), summaries.items(), strict=True):
            rows = summary.query("support_size == @size").set_index("learner").loc[names]
            spread = [rows["difference"] - rows["low"], rows["high"] - rows["difference"]]
            places = [k + shift for k in range(len(names))]
            axis.errorbar(
                *(rows["difference"], places),
                xerr=spread,
                fmt="o",
                color=colours[protocol],
                label=labels[protocol],
                capsize=2,
            )
        axis.axvline(0, color="black", linewidth=1)
        axis.set_title(f"{size} measurements")
        axis.set_xlabel("ΔAUPRC − random forest, 95 % paired interval over assays")
        axis.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    figure.savefig(path, dpi=150)
    plt.close(figure)


if __name__ == "__main__":
    main()

"""What each deviation of the released code is worth to Nguyen et al. 2020, and known molecules.

    python benchmarks/nguyen2020/deviations.py corrected.csv weighted_training.csv …

A file is what `molmeta reproduce nguyen2020 --size cpu --methods maml multi_task --output` wrote,
under the name of its `--compat`, or of its `--protocol`. The first is what the others are held
against; where a run has no multi-task network, it is that of the first, which is the same. Writes
`benchmarks/results/nguyen2020-deviations.csv` (means over supports) and `.md`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from molmeta.evaluation import per_task, tasks_per_size
from molmeta.files import write_atomic
from molmeta.metrics import bootstrap_interval
from molmeta.reproduce import groups_of, heading, relative_improvement

RESULTS = Path(__file__).parents[1] / "results"
KEYS = ["run", "learner", "task", "group", "support_size", "metric"]
MAML = "maml"


def main() -> None:
    """Read all, write both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", help="the first is held against")
    args = parser.parse_args()
    parts = [pd.read_csv(path, keep_default_na=False).assign(run=path.stem) for path in args.runs]
    table = pd.concat(parts).groupby(KEYS, sort=False)["value"].mean().round(5).reset_index()
    text = table.to_csv(index=False, lineterminator="\n")
    write_atomic(RESULTS / "nguyen2020-deviations.csv", text.encode())
    write_atomic(RESULTS / "nguyen2020-deviations.md", page(table).encode())


def page(table: pd.DataFrame) -> str:
    """Two tables for each group of test assays."""
    runs = dict(list(table.groupby("run", sort=False)))
    first = next(iter(runs.values()))
    multi_task = first[first["learner"] != MAML]
    whole = {
        name: run if set(run["learner"]) > {MAML} else pd.concat([run, multi_task])
        for name, run in runs.items()
    }
    parts = ["# nguyen2020-deviations", "Made by `python benchmarks/nguyen2020/deviations.py`."]
    for group in groups_of(first):
        kept = {name: run[run["group"] == group] for name, run in whole.items()}
        parts += [worth(kept, group), improvement(kept, group)]
    return "\n\n".join(parts) + "\n"


def worth(runs: dict[str, pd.DataFrame], group: str) -> str:
    """MAML's AUPRC in each run, and its paired difference from that in the first."""
    found = {name: per_task(run, "auprc")[MAML] for name, run in runs.items()}
    reference, *others = found
    counts = tasks_per_size(runs[reference])
    lines = head(f"{group}: AUPRC of MAML, mean over assays", counts)
    means = found[reference].groupby(level="support_size").mean()
    lines.append(f"| {reference} | " + " | ".join(f"{means[k]:.3f}" for k in counts) + " |")
    for name in others:
        gains = found[name] - found[reference]
        cells = [
            f"{found[name].loc[k].mean():.3f} ({bootstrap_interval(gains.loc[k])})" for k in counts
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def improvement(runs: dict[str, pd.DataFrame], group: str) -> str:
    """In each run, how much better than the best use of the multi-task network MAML is."""
    counts = tasks_per_size(next(iter(runs.values())))
    lines = head(
        f"{group}: AUPRC of MAML over that of the best multi-task baseline (the best on these "
        "assays), mean over assays of the relative improvement, %",
        counts,
    )
    for name, run in runs.items():
        cells = [
            bootstrap_interval(100 * relative_improvement(run, k)).text("+.1f") for k in counts
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def head(title: str, counts: dict[int, int]) -> list[str]:
    """What a table is of, and a column for each number of measurements."""
    names = [f"{k} ({n} assays)" for k, n in counts.items()]
    return heading(f"{title}; 95 % paired intervals", "run", names)


if __name__ == "__main__":
    main()

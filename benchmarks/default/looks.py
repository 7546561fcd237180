"""What the looks at the shipped model share: whose assays are asked, and what is written."""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from molmeta.evaluation import Results, write_tables

RESULTS = Path(__file__).parents[1] / "results"


def arguments(about: str, save_dir: str | None = None) -> argparse.Namespace:
    """Where the assays are, which part of them is asked, and where what is whole is kept."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--data-path", type=Path, required=True)
    parser.add_argument("--part", default="test", choices=("validation", "test"))
    if save_dir:
        parser.add_argument("--save-dir", type=Path, default=Path(save_dir))
    return parser.parse_args()


def write(name: str, args: argparse.Namespace, table: pd.DataFrame, found: str) -> None:
    """The table of a script as CSV, what was found as a page, and the environment."""
    suffix = "" if args.part == "test" else f"-{args.part}"
    path = RESULTS / f"default-{name}{suffix}.csv"
    command = f"python benchmarks/default/{name}.py --data-path {args.data_path.name}"
    write_tables(Results(table, pd.DataFrame()), path, f"{command} --part {args.part}", found)
    print(path.with_suffix(".md").read_text(encoding="utf-8"))

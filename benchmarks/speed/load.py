"""A million molecules by 100 assays: time, memory and the cost of a row, local and on Ray.

usage: python load.py [--rows 1000000] [--assays 100]  -> ../results/screening-load.{csv,md}
       python load.py point ENGINE ROWS ASSAYS          one point, as a line of CSV

The model is the shipped one, adapted to 64 measurements of each assay. Memory is that of all
processes together at its highest, shared pages divided among those that share them (Linux).
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pandas as pd
import torch
from common import write_library
from default_screen import assays as adapted

from molmeta.evaluation import Results, write_tables
from molmeta.screening import screen

RESULTS = Path(__file__).parents[1] / "results"
WORKERS = 2
COLUMNS = ["engine", "rows", "assays", "seconds", "this_mb", "all_mb", "output_mb"]


def processes(root: int) -> list[int]:
    """A process and all that it started, and they."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended
            continue
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def megabytes(pid: int) -> float:
    """Proportional memory of a process."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


class Watch:
    """The highest memory of this process, and of it with all that it started."""

    def __init__(self) -> None:
        self.this = self.all = 0.0
        self.over = threading.Event()

    def __enter__(self) -> Watch:
        threading.Thread(target=self._look, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()

    def _look(self) -> None:
        while not self.over.wait(1.0):
            sizes = [megabytes(pid) for pid in processes(os.getpid())]
            self.this, self.all = max(self.this, sizes[0]), max(self.all, sum(sizes))


def point(engine: str, rows: int, assays: int) -> None:
    """Print one line."""
    torch.set_num_threads(1)
    many = adapted("default", assays)
    with tempfile.TemporaryDirectory() as folder:
        library, output = Path(folder, "library.csv"), Path(folder, "scores.csv")
        write_library(library, rows)
        start = time.perf_counter()
        with Watch() as watch:
            screen(many, library, output, engine_name=engine, workers=WORKERS, progress=False)
        seconds = time.perf_counter() - start
        size = output.stat().st_size / 1e6
    print(f"{engine},{rows},{assays},{seconds:.0f},{watch.this:.0f},{watch.all:.0f},{size:.0f}")


def everything(rows: int, assays: int) -> pd.DataFrame:
    """Both engines, at a tenth of the rows and at all; each point in a process of its own."""
    found = []
    for engine in ("local", "ray"):
        for n in (rows // 10, rows):
            command = [sys.executable, __file__, "point", engine, str(n), str(assays)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            print(done.stdout, end="", flush=True)
            found.append(next(csv.reader([done.stdout.splitlines()[-1]])))
    table = pd.DataFrame(found, columns=COLUMNS)
    return table.astype({name: float for name in COLUMNS[3:]} | {"rows": int, "assays": int})


def page(table: pd.DataFrame) -> str:
    """The table, and the cost of a row."""
    lines = [
        f"{WORKERS} workers, wall-clock time.",
        "",
        "| engine | rows | assays | seconds | µs a row | MB, the process that asks | MB, all | "
        "MB of output |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in table.to_dict("records"):
        each = 1e6 * row["seconds"] / row["rows"]
        lines.append(
            f"| {row['engine']} | {row['rows']:,} | {row['assays']} | {row['seconds']:.0f} | "
            f"{each:.0f} | {row['this_mb']:.0f} | {row['all_mb']:.0f} | {row['output_mb']:.0f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """One point, or all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("point", nargs="*")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--assays", type=int, default=100)
    options = parser.parse_args()
    if options.point:
        _, engine, rows, assays = options.point
        point(engine, int(rows), int(assays))
        return
    table = everything(options.rows, options.assays)
    path = RESULTS / "screening-load.csv"
    results = Results(table, pd.DataFrame())
    write_tables(results, path, "python benchmarks/speed/load.py", page(table))
    print(page(table))


if __name__ == "__main__":
    main()

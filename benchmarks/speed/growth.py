"""What the work costs as it grows: molecules screened, assays, measurements; each in a process.

The model is the shipped one, adapted to 64 measurements of each assay.

usage: python growth.py [--largest 1000000]      -> benchmarks/results/speed-growth.{csv,png}
       python growth.py (molecules | again | assays | measurements) N   one point, as a line of CSV

`again` is a library that was screened before, with its features kept.
"""

from __future__ import annotations

import argparse
import csv
import resource
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from common import write_library
from default_screen import assays as adapted

from molmeta.datasets import load_embedded
from molmeta.models import from_pretrained
from molmeta.screening import screen
from molmeta.tasks import stratified

RESULTS = Path(__file__).parents[1] / "results"
SIZES = {
    "molecules": [1_000, 10_000, 100_000, 1_000_000],
    "again": [1_000, 10_000, 100_000, 1_000_000],
    "assays": [10, 30, 100, 300, 700],
    "measurements": [8, 16, 32, 64, 128, 256],
}
LABELS = {
    "molecules": "molecules screened by one assay",
    "assays": "assays that 10,000 molecules are screened by",
    "measurements": "measurements that 100 assays are adapted to",
}


def seconds_for(what: str, n: int) -> float:
    """CPU seconds of one point."""
    if what == "measurements":
        base, rng = from_pretrained(), np.random.default_rng(0)
        large = [assay for assay in load_embedded().values() if len(assay) >= max(SIZES[what])]
        learned_from = [a.take(stratified(a.active, n, rng, a.name)) for a in large]
        start = time.process_time()
        for assay in islice(cycle(learned_from), 100):
            base.adapt(assay)
        return time.process_time() - start
    rows, heads = (10_000, n) if what == "assays" else (n, 1)
    with tempfile.TemporaryDirectory() as folder:
        library, scores = Path(folder, "library.csv"), Path(folder, "scores.csv")
        kept = Path(folder, "features") if what == "again" else None
        write_library(library, rows)
        many = adapted("default", heads)
        if kept is not None:
            screen(many, library, scores, progress=False, features=kept)
        start = time.process_time()
        screen(many, library, scores, progress=False, features=kept, overwrite=True)
        return time.process_time() - start


def point(what: str, n: int) -> None:
    """Print one point: what, n, CPU seconds, and resident memory at its highest, in MB."""
    torch.set_num_threads(1)
    spent = seconds_for(what, n)
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{what},{n},{spent:.3f},{resident:.0f}")


def everything(largest: int) -> pd.DataFrame:
    """All points, each in a process of its own."""
    rows = []
    for what, sizes in SIZES.items():
        for n in sizes:
            if what in ("molecules", "again") and n > largest:
                continue
            command = [sys.executable, __file__, what, str(n)]
            line = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            print(line, end="", flush=True)
            rows.append(next(csv.reader([line])))
    table = pd.DataFrame(rows, columns=["what", "n", "seconds", "resident_mb"])
    return table.astype({"n": int, "seconds": float, "resident_mb": float})


def plot(table: pd.DataFrame) -> None:
    """Time and memory over size."""
    figure, axes = plt.subplots(2, 3, figsize=(12, 6), sharex="col", layout="constrained")
    parts = dict(iter(table.groupby("what", sort=False)))
    again = parts.pop("again")
    for (what, part), (above, below) in zip(parts.items(), axes.T, strict=True):
        above.semilogx(part["n"], part["seconds"], "o-", label="met for the first time")
        if what == "molecules":
            above.semilogx(again["n"], again["seconds"], "s--", label="met again, features kept")
            above.set_yscale("log")
            above.legend()
        else:
            above.set_ylim(0, 1.15 * part["seconds"].max())
        below.semilogx(part["n"], part["resident_mb"], "o-")
        below.set_ylim(0, 1.15 * table["resident_mb"].max())
        below.set_xlabel(LABELS[str(what)])
    axes[0, 0].set_ylabel("CPU seconds, one thread")
    axes[1, 0].set_ylabel("resident memory, MB")
    figure.savefig(RESULTS / "speed-growth.png", dpi=110)


def main() -> None:
    """One point, or all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("point", nargs="*")
    parser.add_argument("--largest", type=int, default=1_000_000)
    options = parser.parse_args()
    if options.point:
        point(options.point[0], int(options.point[1]))
        return
    table = everything(options.largest)
    table.to_csv(RESULTS / "speed-growth.csv", index=False, lineterminator="\n")
    plot(table)


if __name__ == "__main__":
    main()

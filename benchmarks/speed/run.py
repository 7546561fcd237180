"""Every goal against its peer: `python benchmarks/speed/run.py`, on an otherwise idle machine.

Writes `benchmarks/results/speed.csv`, `.md` and `.environment.json`; `growth.py` is apart.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import json
import platform
import subprocess
import sys
from pathlib import Path

import pandas as pd
import torch
from common import Row, seconds

from molmeta.training import environment_json

RESULTS = Path(__file__).parents[1] / "results"
SCRIPTS = ("training", "evaluation", "many_assays", "featurisation", "screening", "default_screen")
SCRIPTS += ("memory",)


def processor() -> str:
    """The processor's name, and what it has for products in low precision."""
    cpuinfo = Path("/proc/cpuinfo")
    text = cpuinfo.read_text() if cpuinfo.exists() else ""
    names = [line.partition(": ")[2] for line in text.splitlines() if line.startswith("model name")]
    has = [word for word in ("avx512f", "avx512_bf16", "amx_bf16") if f" {word}" in text]
    return ", ".join([names[0] if names else platform.processor(), *has])


def gflops(dtype: torch.dtype) -> float:
    """What a product of the encoder's size runs at."""
    a, b = torch.ones(4096, 128, dtype=dtype), torch.ones(128, 128, dtype=dtype)
    best = min(seconds(lambda _: [a @ b for _ in range(20)], 0) for _ in range(10))
    return 20 * 2 * 4096 * 128 * 128 / best / 1e9


def markdown(rows: list[Row]) -> str:
    """The table that people read."""
    lines = ["| goal | peer | ours | theirs | ratio | goal of the ratio | unit |"]
    lines.append("|---|---|---:|---:|---:|---:|---|")
    for row in rows:
        wanted = "–" if row.target != row.target else f"{row.target:.3g}"
        met = " **" if row.ratio >= row.target else " "
        lines.append(
            f"| {row.goal} | {row.peer} | {row.ours:.3g} | {row.theirs:.3g} |"
            f"{met}{row.ratio:.3g}{met.strip()} | {wanted} | {row.unit} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print and write."""
    torch.set_num_threads(1)
    rows: list[Row] = []
    for script in SCRIPTS:  # each in a process of its own
        command = [sys.executable, Path(__file__).with_name(f"{script}.py"), "--json"]
        printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        rows += [Row(**json.loads(line)) for line in printed.splitlines() if line.startswith("{")]
        print(*rows[-3:], sep="\n", flush=True)
    machine = {
        "processor": processor(),
        "float32 GFLOP/s": round(gflops(torch.float32)),
        "bf16 GFLOP/s": round(gflops(torch.bfloat16)),
    }
    pd.DataFrame(rows).to_csv(RESULTS / "speed.csv", index=False, lineterminator="\n")
    said = ", ".join(f"{name} {value}" for name, value in machine.items())
    (RESULTS / "speed.md").write_text(
        f"# speed\n\n`python benchmarks/speed/run.py`; one thread; {said}. The ratio is "
        f"theirs over ours, bold where it reaches its goal.\n\n{markdown(rows)}"
    )
    (RESULTS / "speed.environment.json").write_text(environment_json(machine))


if __name__ == "__main__":
    main()

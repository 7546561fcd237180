"""Compare suggested batches with such as are drawn by chance.

    python benchmarks/default/suggest.py --data-path chembl22_assays.csv.gz

On the 48 assays that the shipped model is judged on: a third of the molecules is kept for the end,
16 of the others are measured, 16 more are chosen by each strategy and measured, and the model
learns from all 32. What counts: how many of the 16 were active, on how many scaffolds, and how the
kept third is ranked afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from held_out import joined_split
from looks import arguments, write

from molmeta.errors import TooFewMeasurements
from molmeta.metrics import bootstrap_interval, delta_auprc
from molmeta.models import BaseModel, from_pretrained
from molmeta.molecules import read_mol, scaffold
from molmeta.seeds import generator
from molmeta.tasks import Assay, stratified
from molmeta.workbench import STRATEGIES, suggest

FIRST, BATCH, DRAWS = 16, 16, 5
CHANCE = "by chance"
WHAT = {
    "actives": "actives among the 16",
    "scaffolds": "scaffolds of these actives",
    "delta_auprc": "ΔAUPRC of the kept third afterwards",
}


def main() -> None:
    """Try every assay, write the table and the page."""
    args = arguments(__doc__)
    torch.set_num_threads(1)
    base, test = from_pretrained(), getattr(joined_split(args.data_path), args.part)
    rows = [
        {"assay": name, "draw": draw, "strategy": strategy, "what": what, "value": value}
        for name, assay in test.binarise().items()
        for draw in range(DRAWS)
        for strategy, what, value in one_round(base, assay, draw)
    ]
    table = pd.DataFrame(rows)
    write("suggest", args, table, found(table))


def one_round(base: BaseModel, assay: Assay, draw: int) -> Iterator[tuple[str, str, float]]:
    """(strategy, what, value) of one start."""
    rng = generator("suggest", assay.name, draw)
    order = rng.permutation(len(assay))
    kept, pool = order[: len(assay) // 3], order[len(assay) // 3 :]
    try:
        first = pool[stratified(assay.active[pool], FIRST, rng, assay.name)]
    except TooFewMeasurements:
        return
    rest = np.setdiff1d(pool, first)
    if len(rest) < 3 * BATCH or not 0 < assay.active[kept].sum() < len(kept):
        return
    mols = {i: read_mol(assay.molecules.smiles[i]) for i in pool}
    score = base.adapt(assay.take(first)).predict(assay.molecules[rest])
    for strategy in (*STRATEGIES, CHANCE):
        if strategy == CHANCE:
            chosen = rng.permutation(rest)[:BATCH]
        else:
            batch = suggest(
                [mols[i] for i in rest], score, [mols[i] for i in first], BATCH, strategy=strategy
            )
            chosen = rest[batch["position"].to_numpy()]
        hits = [i for i in chosen if assay.active[i]]
        learned = base.adapt(assay.take(np.concatenate([first, chosen])))
        ranked = learned.predict(assay.molecules[kept])
        yield strategy, "actives", float(len(hits))
        yield strategy, "scaffolds", float(len({scaffold(mols[i]) for i in hits}))
        yield strategy, "delta_auprc", delta_auprc(assay.active[kept], ranked)


def found(table: pd.DataFrame) -> str:
    """Means over starts, then assays, and paired differences to chance."""
    lines = [
        f"{table['assay'].nunique()} assays that the shipped model never saw, {DRAWS} starts each; "
        f"{FIRST} measured, {BATCH} more chosen. Mean over starts, then assays; in brackets the "
        "paired difference to a batch by chance with its 95 % bootstrap interval over assays.",
        "",
        "| strategy | " + " | ".join(WHAT.values()) + " |",
        "|---|" + "---|" * len(WHAT),
    ]
    means = table.groupby(["what", "assay", "strategy"])["value"].mean().unstack("strategy")
    for strategy in (*STRATEGIES, CHANCE):
        cells = []
        for what in WHAT:
            part = means.loc[what]
            mean = f"{part[strategy].mean():.3f}"
            gain = bootstrap_interval(part[strategy] - part[CHANCE])
            cells.append(mean if strategy == CHANCE else f"{mean} ({gain})")
        lines.append(f"| {strategy} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

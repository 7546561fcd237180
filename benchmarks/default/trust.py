"""Test probabilities, intervals, abstention and the domain on assays that the model never saw.

    python benchmarks/default/trust.py --data-path chembl22_assays.csv.gz

The shipped model on the 48 assays that it is judged on (see `held_out.py`): supports of 16, 32 and
64 measurements, calibrated on these alone, asked about the rest of the assay.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from held_out import joined_split
from looks import arguments, write
from sklearn.metrics import log_loss

from molmeta.errors import TooFewMeasurements
from molmeta.metrics import bootstrap_interval, roc_auc
from molmeta.models import BaseModel, Domain, Trusted, from_pretrained, log_odds
from molmeta.molecules import read_mol
from molmeta.seeds import generator
from molmeta.tasks import Assay, Classification, stratified

SIZES, DRAWS, ASKED = (16, 32, 64), 3, 400
CONFIDENCES = (0.8, 0.9)
OWN, VENN_ABERS = "learner's own", "Venn–Abers"


def main() -> None:
    """Ask every assay, write the table and the page."""
    args = arguments(__doc__)
    torch.set_num_threads(1)
    base = from_pretrained()
    test = getattr(joined_split(args.data_path), args.part)
    told: list[pd.DataFrame] = []
    rows = [
        {"assay": name, "size": size, "draw": draw, "kind": kind, "what": what, "value": value}
        for name, assay in test.items()
        for size in SIZES
        for draw in range(DRAWS)
        for kind, what, value in ask(base, assay, size, draw, told)
    ]
    table = pd.DataFrame(rows)
    write("trust", args, table, found(table, reliability(pd.concat(told))))


def ask(
    base: BaseModel, assay: Assay, size: int, draw: int, told: list[pd.DataFrame]
) -> Iterator[tuple[str, str, float]]:
    """(kind, what, value) of one support; probabilities are `told`."""
    binary = assay.binarise()
    rng = generator("trust", assay.name, size, draw)
    try:
        support = stratified(binary.active, size, rng, assay.name)
    except TooFewMeasurements:
        return
    rest = rng.permutation(np.setdiff1d(np.arange(len(assay)), support))[:ASKED]
    if len(rest) < 30:
        return
    mols = [read_mol(text) for text in assay.molecules[rest].smiles]
    domain = Domain.of(assay.molecules[support].smiles)
    inside = domain.assess(mols)["inside"].to_numpy()
    yield "domain", "share inside", float(inside.mean())
    for kind, one in (("classes", binary), ("values", assay)):
        trusted = Trusted.of(base, one.take(support))
        outputs = trusted.adapted.outputs(one.molecules[rest])
        if kind == "classes":
            calibrated = trusted.probabilities(outputs)[:, 0]
            own = 1 / (1 + np.exp(-log_odds(outputs)))
            both = {OWN: own, VENN_ABERS: calibrated, "active": binary.active[rest]}
            told.append(pd.DataFrame(both).assign(size=size))
        judged = classes if isinstance(one.target, Classification) else values
        for what, value in judged(trusted, outputs, one.take(rest), inside):
            yield kind, what, value


def classes(
    trusted: Trusted, outputs: np.ndarray, asked: Assay, inside: np.ndarray
) -> Iterator[tuple[str, float]]:
    """Calibration of probabilities, and what conformal prediction promises."""
    active = asked.active
    raw = 1 / (1 + np.exp(-log_odds(outputs)))
    calibrated = np.clip(trusted.probabilities(outputs)[:, 0], 1e-6, 1 - 1e-6)
    for name, p in ((OWN, raw), (VENN_ABERS, calibrated)):
        yield f"log loss, {name}", float(log_loss(active, p, labels=[0, 1]))
    for confidence in CONFIDENCES:
        decided = trusted.decided(outputs, confidence)
        told = np.array([one is not None for one in decided])
        p = trusted.calibration.conformal.p_values(log_odds(outputs))  # type: ignore[union-attr]
        for label, name in ((1, "active"), (0, "inactive")):
            of = active == label
            if of.any():
                missed = p[of, label] <= 1 - confidence
                yield f"{name} not ruled out at {confidence:.0%}", float(1 - missed.mean())
        yield f"decided at {confidence:.0%}", float(told.mean())
        if told.any():
            right = decided[told].astype(bool) == active[told]
            yield f"right where decided at {confidence:.0%}", float(right.mean())
    for name, part in (("inside", inside), ("outside", ~inside)):
        if 0 < active[part].sum() < part.sum() and part.sum() >= 20:
            yield f"ROC-AUC {name} the domain", roc_auc(active[part], raw[part])


def values(
    trusted: Trusted, outputs: np.ndarray, asked: Assay, inside: np.ndarray
) -> Iterator[tuple[str, float]]:
    """Coverage and width of intervals, and errors inside and outside the domain."""
    error = np.abs(asked.values - outputs[:, 0])
    for confidence in CONFIDENCES:
        half = trusted.half_width(outputs, confidence)
        yield f"interval holds the value at {confidence:.0%}", float((error <= half).mean())
        yield f"width of the interval at {confidence:.0%}", float(2 * half.mean())
    for name, part in (("inside", inside), ("outside", ~inside)):
        if part.sum() >= 20:
            yield f"mean error {name} the domain", float(error[part].mean())


def reliability(told: pd.DataFrame) -> pd.DataFrame:
    """Mean distance of predicted probability and share of actives, in ten bins over all assays."""
    rows = {}
    for name in (OWN, VENN_ABERS):
        for size, part in told.groupby("size"):
            bins = part.groupby(np.minimum((10 * part[name]).astype(int), 9))
            apart = (bins[name].mean() - bins["active"].mean()).abs()
            rows[name, size] = float((apart * bins.size()).sum() / len(part))
    return pd.Series(rows).unstack()


def found(table: pd.DataFrame, pooled: pd.DataFrame) -> str:
    """Means over supports, then assays, with intervals over assays."""
    lines = [
        f"The shipped model on {table['assay'].nunique()} assays that it never saw, {DRAWS} "
        "supports of each size, calibrated on the support alone; mean over supports, then "
        "assays, with its 95 % bootstrap interval over assays.",
        "",
        "| | " + " | ".join(f"{size} measurements" for size in SIZES) + " |",
        "|---|" + "---|" * len(SIZES),
    ]
    for (kind, what), part in table.groupby(["kind", "what"], sort=False):
        cells = []
        for size in SIZES:
            per_assay = part[part["size"] == size].groupby("assay")["value"].mean()
            per_assay = per_assay[np.isfinite(per_assay)]
            shown = bootstrap_interval(per_assay).text(".3f") if len(per_assay) else "–"
            cells.append(shown)
        lines.append(f"| {kind}: {what} | " + " | ".join(cells) + " |")
    for name, row in pooled.iterrows():
        cells = [f"{row[size]:.3f}" for size in SIZES]
        what = f"classes: calibration error in ten bins, all assays pooled, {name}"
        lines.append(f"| {what} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

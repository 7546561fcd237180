"""Count the actives at the top of a library, with and without those inside the domain first.

    python benchmarks/default/domain.py --data-path chembl22_assays.csv.gz

On the 48 assays that the shipped model is judged on: a support is measured, up to 100 of the
assay's other molecules are hidden among 2,000 of other held-out assays, which count as inactive,
and all are ranked by the predicted value: as it is, and with those inside the domain of the support
before those outside.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from held_out import joined_split
from looks import arguments, write

from molmeta.errors import TooFewMeasurements
from molmeta.metrics import bootstrap_interval
from molmeta.models import AdaptedAssay, BaseModel, Domain, from_pretrained, score_assays
from molmeta.molecules import Molecules, ecfp4_bits, read_mol
from molmeta.seeds import generator
from molmeta.tasks import Assay, Assays, stratified

SIZES, DRAWS, TOPS = (16, 64), 3, (20, 100)
HIDDEN, BACKGROUND = 100, 2000
ALONE, INSIDE_FIRST = "by value", "inside first"


class Start(NamedTuple):
    """A support that was learned from, and the molecules of its assay that are hidden."""

    assay: Assay
    size: int
    draw: int
    hidden: np.ndarray
    adapted: AdaptedAssay
    domain: Domain


def main() -> None:
    """Rank for every support, write the table and the page."""
    args = arguments(__doc__)
    torch.set_num_threads(1)
    base, test = from_pretrained(), getattr(joined_split(args.data_path), args.part)
    background = others(test)
    starts = [start for assay in test.values() for start in supports(base, assay)]
    scores = score_assays([start.adapted for start in starts], background)
    bits = [ecfp4_bits(read_mol(text)) for text in background.smiles]
    rows = []
    for number, start in enumerate(starts):
        about = {"assay": start.assay.name, "size": start.size, "draw": start.draw}
        foreign = ~np.isin(background.smiles, start.assay.molecules.smiles)
        kept = [bits[i] for i in np.flatnonzero(foreign)]
        for ranking, what, value in ranked(start, scores[foreign, number], kept):
            rows.append({**about, "ranking": ranking, "what": what, "value": value})
    table = pd.DataFrame(rows)
    write("domain", args, table, found(table))


def others(test: Assays) -> Molecules:
    """Molecules of all held-out assays, of each assay as many."""
    drawn: dict[str, tuple[Assay, int]] = {}
    for name, assay in test.items():
        order = generator("background", name).permutation(len(assay))
        for i in order[: BACKGROUND // len(test) + 1]:
            drawn.setdefault(assay.molecules.smiles[i], (assay, int(i)))
    return Molecules.cat([assay.molecules[[i]] for assay, i in list(drawn.values())[:BACKGROUND]])


def supports(base: BaseModel, assay: Assay) -> Iterator[Start]:
    """Adapt to each support of an assay; none, where too few molecules are left to be found."""
    active = assay.binarise().active
    for size in SIZES:
        for draw in range(DRAWS):
            rng = generator("domain", assay.name, size, draw)
            try:
                support = stratified(active, size, rng, assay.name)
            except TooFewMeasurements:
                continue
            left = np.setdiff1d(np.arange(len(assay)), support)
            hidden = rng.permutation(left)[:HIDDEN]
            if active[hidden].sum() < min(TOPS):
                continue
            own = assay.take(support)
            adapted = base.adapt(base.readable(own))
            yield Start(assay, size, draw, hidden, adapted, Domain.of(own.molecules.smiles))


def ranked(start: Start, scores: np.ndarray, bits: list) -> Iterator[tuple[str, str, float]]:
    """(ranking, what, value) of one support, by the scores and fingerprints of the background."""
    own = start.assay.molecules[start.hidden]
    score = np.concatenate([start.adapted.predict(own), scores])
    active = np.concatenate([start.assay.binarise().active[start.hidden], np.zeros(len(scores))])
    bits = [*(ecfp4_bits(read_mol(text)) for text in own.smiles), *bits]
    inside = start.domain.inside(start.domain.nearest(bits)[1])
    for ranking, keys in ((ALONE, (-score,)), (INSIDE_FIRST, (-score, ~inside))):
        order = np.lexsort(keys)
        for top in TOPS:
            yield ranking, f"actives among the first {top}", float(active[order[:top]].sum())
            yield ranking, f"outside among the first {top}", float((~inside[order[:top]]).sum())
    yield "", "share inside, of the library", float(inside.mean())
    yield "", "share inside, of the hidden actives", float(inside[active == 1].mean())


def found(table: pd.DataFrame) -> str:
    """Means over supports, then assays, and paired differences of the two rankings."""
    lines = [
        f"{table['assay'].nunique()} assays that the shipped model never saw, {DRAWS} supports of "
        f"each size; up to {HIDDEN} other molecules of the assay among up to {BACKGROUND} of other "
        "assays, ranked by the predicted value. Mean over supports, then assays; the difference is "
        "paired, with its 95 % bootstrap interval over assays.",
        "",
        f"| learned from | | {ALONE} | {INSIDE_FIRST} | difference |",
        "|---|---|---:|---:|---|",
    ]
    for (size, what), rows in table.groupby(["size", "what"], sort=False):
        part = rows.groupby(["assay", "ranking"])["value"].mean().unstack("ranking")
        if ALONE not in part:
            lines.append(f"| {size} | {what} | {part[''].mean():.2f} | | |")
            continue
        gain = bootstrap_interval(part[INSIDE_FIRST] - part[ALONE])
        both = " | ".join(f"{part[name].mean():.2f}" for name in (ALONE, INSIDE_FIRST))
        lines.append(f"| {size} | {what} | {both} | {gain.text('+.2f')} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

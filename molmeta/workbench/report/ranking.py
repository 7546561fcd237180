"""What a report says of a library: the best rows, why they are there, and what to measure next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from rdkit import Chem

from molmeta.models import CONFIDENCE, BaseModel, Trusted
from molmeta.molecules import Molecules
from molmeta.tasks import Assay, Classification
from molmeta.workbench.explanations import atom_contributions, draw_molecule, influences
from molmeta.workbench.inputs import shortened
from molmeta.workbench.report.page import Card, Cards, Cell, Column, Library, drawing
from molmeta.workbench.suggestion import suggest

LONG = 48  # characters of a SMILES in a sentence
CELLS = 3  # of the library's own columns that are shown


class LibraryRow(NamedTuple):
    """A row of a library as it was read: its cells, and its molecule or why there is none."""

    cells: Sequence[Any]
    smiles: str
    status: str
    reason: str
    mol: Any  # of RDKit, or None


class Wishes(NamedTuple):
    """How much of everything a report shows."""

    top: int = 50
    explained: int = 6
    suggested: int = 8
    strategy: str = "diverse"
    similar: int = 8


def ranked_library(
    trusted: Trusted,
    base: BaseModel,
    assay: Assay,
    known: Sequence[Chem.Mol],
    header: list[str],
    rows: Sequence[LibraryRow],
    wishes: Wishes,
) -> Library:
    """The best rows of a library, what moved the first of them, and a batch to measure."""
    good = [row for row in rows if row.mol is not None]
    mols = [row.mol for row in good]
    found = trusted.assess([row.smiles for row in good], mols)
    main = "score" if "score" in found else "value"
    order = np.argsort(-found[main].to_numpy(), kind="stable") if len(found) else np.array([], int)
    measured = {Chem.MolToSmiles(mol) for mol in known}
    again = sum(row.smiles in measured for row in good)
    bad = pd.Series([row.status for row in rows if row.mol is None], dtype=object).value_counts()
    told = ", ".join(f"{n} {status}" for status, n in bad.items())
    summary = (
        f"{len(rows)} rows, {len(good)} ranked" + (f" ({told})" if told else "") + f"; the best "
        f"{min(wishes.top, len(good))} are shown. {again} of them are among the measured molecules."
    )
    if len(found):
        inside = 100 * float(found["inside"].mean())
        summary += f" {inside:.0f} % are inside the domain of what was measured."
    top = order[: wishes.top]
    shown = [i for i, name in enumerate(header) if name.lower() != "smiles"][:CELLS]
    return Library(
        summary,
        _columns(main, [header[i] for i in shown]),
        [
            _row(rank, good[i], found.iloc[i], [good[i].cells[k] for k in shown], measured)
            for rank, i in enumerate(top, start=1)
        ],
        _explained(trusted, base, assay, [good[i] for i in top[: wishes.explained]], shown),
        _suggested(good, found[main].to_numpy(), known, wishes, shown),
    )


def _columns(main: str, own: Sequence[str]) -> list[Column]:
    value = ["score", "probability", "range", "decision"] if main == "score" else ["value", "range"]
    sure = f"interval ({100 * CONFIDENCE:.0f} %)" if main == "value" else "from – to"
    names = [sure if name == "range" else name for name in value]
    last = ("similarity", "scaffold", "domain", "nearest measured", "SMILES")
    return [
        Column("rank"),
        Column("structure", plain=True),
        *(Column(name) for name in (*own, *names, *last)),
    ]


def _row(
    rank: int, row: LibraryRow, found: pd.Series, own: Sequence[str], measured: set[str]
) -> list[Cell]:
    if "score" in found:
        decision = {True: "active", False: "inactive", None: "open"}[found["active"]]
        value = [
            _number(found["score"]),
            _number(found["probability"]),
            Cell(f"{found['low']:.2f} – {found['high']:.2f}", "number", float(found["low"])),
            Cell(decision),
        ]
    else:
        value = [
            _number(found["value"]),
            Cell(f"{found['low']:.2f} – {found['high']:.2f}", "number", float(found["low"])),
        ]
    status = "measured" if row.smiles in measured else "new" if found["new_scaffold"] else "known"
    return [
        Cell(rank, "number", rank),
        Cell(drawing(draw_molecule(row.mol, size=(150, 110)))),
        *(Cell(text) for text in own),
        *value,
        _number(found["similarity"]),
        Cell(status),
        Cell("inside" if found["inside"] else "outside"),
        Cell(found["nearest"], "smiles"),
        Cell(row.smiles, "smiles"),
    ]


def _number(value: float) -> Cell:
    return Cell(f"{value:.3f}", "number", float(value))


def _explained(
    trusted: Trusted,
    base: BaseModel,
    assay: Assay,
    rows: Sequence[LibraryRow],
    shown: Sequence[int],
) -> list[Card]:
    if not rows:
        return []
    readable = base.readable(assay)
    molecules = Molecules([row.smiles for row in rows], [row.mol for row in rows])
    moved = influences(base, readable, molecules)
    cards = []
    for row, own in zip(rows, moved, strict=True):
        weights = atom_contributions(trusted.adapted, row.mol)
        order = np.argsort(-np.abs(np.nan_to_num(own)), kind="stable")[:4]
        lines = [
            f"{own[i]:+.2f}: {shortened(assay.molecules.smiles[i], LONG)} ({_label(assay, i)})"
            for i in order
        ]
        image = drawing(draw_molecule(row.mol, weights, (300, 210)))
        cards.append(Card(_name(row, shown), image, lines))
    return cards


def _suggested(
    rows: Sequence[LibraryRow],
    score: np.ndarray,
    measured: Sequence[Chem.Mol],
    wishes: Wishes,
    shown: Sequence[int],
) -> Cards | None:
    if not wishes.suggested or not rows:
        return None
    mols = [row.mol for row in rows]
    batch = suggest(mols, score, measured, wishes.suggested, strategy=wishes.strategy)
    cards = [
        Card(
            _name(rows[one["position"]], shown),
            drawing(draw_molecule(rows[one["position"]].mol)),
            [f"{one['score']:.3f}, similarity to what is known {one['similarity']:.2f}"],
        )
        for one in batch.to_dict("records")
    ]
    return Cards(f"{len(cards)} molecules by the strategy “{wishes.strategy}”:", cards)


def _name(row: LibraryRow, shown: Sequence[int]) -> str:
    return next((row.cells[k] for k in shown if row.cells[k]), shortened(row.smiles, LONG))


def _label(assay: Assay, i: int) -> str:
    if isinstance(assay.target, Classification):
        return "active" if assay.active[i] else "inactive"
    sign = "" if assay.censor is None else {-1: "<", 0: "", 1: ">"}[int(assay.censor[i])]
    return f"{sign}{assay.values[i]:g}"

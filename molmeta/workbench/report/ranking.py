"""What a report says of a library: the best rows, why they are there, and what to measure next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from rdkit import Chem

from molmeta.models import CONFIDENCE, BaseModel, Trusted
from molmeta.molecules import Molecules, read_mol
from molmeta.screening import percent
from molmeta.tasks import Assay, Classification
from molmeta.workbench.explanations import atom_contributions, draw_molecule, influences
from molmeta.workbench.inputs import shortened
from molmeta.workbench.report.page import (
    Card,
    Cards,
    Cell,
    Column,
    Library,
    Section,
    drawing,
)
from molmeta.workbench.suggestion import suggest

LONG = 48  # characters of a SMILES in a sentence
CELLS = 3  # of the library's own columns that are shown
DRAWN = (280, 200)  # a structure
OUTSIDE = 5  # times as many rows are shown inside the domain as outside it
LITTLE = 0.5  # a smaller share of a library inside the domain is a warning


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


class Screened(NamedTuple):
    """A library with what was predicted of its molecules."""

    trusted: Trusted
    header: list[str]
    rows: Sequence[LibraryRow]
    good: list[LibraryRow]  # those that have a molecule
    found: pd.DataFrame  # a row for each of these
    own: list[int]  # the library's own columns that are shown

    @classmethod
    def of(cls, trusted: Trusted, header: list[str], rows: Sequence[LibraryRow]) -> Screened:
        """Predict every molecule."""
        good = [row for row in rows if row.mol is not None]
        found = trusted.assess([row.smiles for row in good], [row.mol for row in good])
        own = [i for i, name in enumerate(header) if name.lower() != "smiles"][:CELLS]
        return cls(trusted, header, rows, good, found, own)

    @property
    def main(self) -> str:
        """What is ranked by."""
        return "score" if "score" in self.found else "value"

    def best(self, *, inside: bool, most: int) -> list[int]:
        """Places of the best molecules inside the domain, or outside."""
        order = np.argsort(-self.found[self.main].to_numpy(float), kind="stable")
        return order[self.found["inside"].to_numpy(bool)[order] == inside][:most].tolist()


def ranked_library(
    screened: Screened, base: BaseModel, assay: Assay, known: Sequence[Chem.Mol], wishes: Wishes
) -> Library:
    """The best rows of a library, what moved the first of them, and a batch to measure.

    Those inside the domain of what was measured come first; those outside stand apart.
    """
    top = screened.best(inside=True, most=wishes.top)
    far = screened.best(inside=False, most=max(1, wishes.top // OUTSIDE))
    measured = {Chem.MolToSmiles(mol) for mol in known}
    again = sum(row.smiles in measured for row in screened.good)
    bad = [row.status for row in screened.rows if row.mol is None]
    told = ", ".join(f"{bad.count(status)} {status}" for status in dict.fromkeys(bad))
    summary = (
        f"{len(screened.rows)} rows, {len(screened.good)} ranked"
        + (f" ({told})" if told else "")
        + f"; the best {len(top)} inside the domain are shown, and {len(far)} outside. {again} of "
        "all are among the measured molecules."
    )
    row = _RowMaker(screened, assay, measured)
    inside = "Inside the domain of what was measured"
    outside = "Outside the domain: nothing like these was measured, and the model knows little"
    sections = [Section(inside, "good", row.all(top)), Section(outside, "warning", row.all(far))]
    first = [screened.good[i] for i in (top or far)[: wishes.explained]]
    return Library(
        *_how_much(screened),
        summary,
        _columns(screened),
        [section for section in sections if section.rows],
        _explained(screened, base, assay, first),
        _suggested(screened, known, wishes),
    )


def _how_much(screened: Screened) -> tuple[str, str]:
    """How much of the library is inside the domain, and whether that is bad news."""
    inside, whole = int(screened.found["inside"].sum()), len(screened.found)
    told = f"{percent(inside, whole)} of the library ({inside:,} of {whole:,} molecules)"
    share = inside / max(whole, 1)
    if share >= LITTLE:
        return f"{told} is inside the domain of what was measured.", "good"
    return (
        f"Only {told} is inside the domain of what was measured: of all others the model knows "
        "little, however good they look.",
        "warning",
    )


def _columns(screened: Screened) -> list[Column]:
    sure = f"{100 * CONFIDENCE:.0f} % interval"
    value = [f"value, {sure}"] if screened.main == "value" else ["score", "probability", "decision"]
    name = [screened.header[i] for i in screened.own[:1]]
    return [
        Column("rank"),
        Column("structure", plain=True),
        Column("nearest measured", plain=True),
        *(Column(name) for name in (*name, *value, "similarity")),
    ]


class _RowMaker:
    """Makes rows of the ranked tables."""

    def __init__(self, screened: Screened, assay: Assay, measured: set[str]) -> None:
        self.screened, self.assay, self.measured = screened, assay, measured
        self.place = {text: i for i, text in enumerate(assay.molecules.smiles)}

    def all(self, places: Sequence[int]) -> list[list[Cell]]:
        """A row for each place, ranked."""
        return [self.row(rank, i) for rank, i in enumerate(places, start=1)]

    def row(self, rank: int, i: int) -> list[Cell]:
        """The cells of a molecule."""
        row, found = self.screened.good[i], self.screened.found.iloc[i]
        name, *more = [(self.screened.header[k], row.cells[k]) for k in self.screened.own] or [None]
        under = (row.smiles, *(f"{head}: {cell}" for head, cell in filter(None, more)))
        near = found["nearest"]
        told = f"measured: {_label(self.assay, self.place[near])}"
        beside = (told, "the same molecule" if near == row.smiles else near)
        scaffold = "new scaffold" if found["new_scaffold"] else "known scaffold"
        known = "measured" if row.smiles in self.measured else scaffold
        return [
            Cell(rank, "number", rank),
            Cell(drawing(draw_molecule(row.mol, size=DRAWN)), "drawing", below=under),
            Cell(drawing(draw_molecule(read_mol(near), size=DRAWN)), "drawing", below=beside),
            *([] if name is None else [Cell(name[1])]),
            *self._predicted(found),
            _number(found["similarity"], (known,)),
        ]

    def _predicted(self, found: pd.Series) -> list[Cell]:
        bounds = (f"{found['low']:.2f} – {found['high']:.2f}",)
        if self.screened.main == "value":
            return [_number(found["value"], bounds)]
        decision = {True: "active", False: "inactive", None: "open"}[found["active"]]
        return [_number(found["score"]), _number(found["probability"], bounds), Cell(decision)]


def _number(value: float, below: tuple[str, ...] = ()) -> Cell:
    return Cell(f"{value:.3f}", "number", float(value), below)


def _explained(
    screened: Screened, base: BaseModel, assay: Assay, rows: Sequence[LibraryRow]
) -> list[Card]:
    if not rows:
        return []
    readable = base.readable(assay)
    molecules = Molecules([row.smiles for row in rows], [row.mol for row in rows])
    moved = influences(base, readable, molecules)
    cards = []
    for row, own in zip(rows, moved, strict=True):
        weights = atom_contributions(screened.trusted.adapted, row.mol)
        order = np.argsort(-np.abs(np.nan_to_num(own)), kind="stable")[:4]
        lines = [
            f"{own[i]:+.2f}: {shortened(assay.molecules.smiles[i], LONG)} ({_label(assay, i)})"
            for i in order
        ]
        image = drawing(draw_molecule(row.mol, weights, (300, 210)))
        cards.append(Card(_name(row, screened.own), image, lines))
    return cards


def _suggested(screened: Screened, measured: Sequence[Chem.Mol], wishes: Wishes) -> Cards | None:
    rows, shown = screened.good, screened.own
    if not wishes.suggested or not rows:
        return None
    mols = [row.mol for row in rows]
    score = screened.found[screened.main].to_numpy(float)
    batch = suggest(mols, score, measured, wishes.suggested, strategy=wishes.strategy)
    cards = [
        Card(
            _name(rows[one["position"]], shown),
            drawing(draw_molecule(rows[one["position"]].mol, size=DRAWN)),
            [
                f"{one['score']:.3f}, similarity to what is known {one['similarity']:.2f}, "
                f"{'inside' if one['inside'] else 'outside'} the domain"
            ],
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

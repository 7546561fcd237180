"""What a report says: from measurements, a model and a library to the page."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from rdkit import Chem

from molmeta.datasets import load_embedded
from molmeta.evaluation import known_molecules, pyplot
from molmeta.metrics import Interval
from molmeta.models import BaseModel
from molmeta.molecules import Molecules
from molmeta.tasks import Assay, Classification
from molmeta.workbench.comparison import NAMES, REFERENCE, Comparison
from molmeta.workbench.curation import DataCheck
from molmeta.workbench.explanations import (
    atom_contributions,
    draw_molecule,
    influences,
    similar_assays,
)
from molmeta.workbench.report.page import Card, Cards, Cell, Column, Library, Page, Table, drawing
from molmeta.workbench.suggestion import suggest
from molmeta.workbench.trust import CONFIDENCE, Trusted

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


def write_page(
    assay: Assay,
    measured: Sequence[Chem.Mol],
    check: DataCheck,
    comparison: Comparison | None,
    base: BaseModel,
    model_path: Path | None,
    library: tuple[list[str], list[LibraryRow]] | None,
    wishes: Wishes,
    command: str,
) -> Page:
    """Everything about an assay, as a page to be rendered.

    Parameters
    ----------
    assay, measured, check
        What is learned from; every molecule that was measured, also one that says nothing at a
        threshold; and what `curation` says of it.
    comparison : Comparison, optional
        Of models on the same measurements.
    base, model_path
        The model, and its folder, if it has one.
    library : header and rows, optional
        What is to be ranked.
    """
    trusted = Trusted.of(base, base.readable(assay))
    binary = isinstance(assay.target, Classification)
    learned = f"{len(assay)} molecules, {'classes' if binary else 'measured values'}"
    if binary:
        learned += f" ({int(assay.active.sum())} active)"
    verdict = comparison.recommendation() if comparison else "Models were not compared."
    ranked = _library(trusted, base, assay, measured, *library, wishes) if library else None
    return Page(
        title=f"Assay {assay.name}",
        subtitle=f"{learned}; model {base.experiment.name}, {date.today():%d %B %Y}",
        verdict=verdict,
        findings=check.findings,
        audit=_audit(model_path, assay, [row for row in library[1] if row.mol] if library else []),
        card=_card(base, model_path),
        made=f"Made by molmeta {metadata.version('molmeta')}: {command}",
        comparison=_tables(comparison) if comparison else [],
        more=_more(comparison) if comparison else [],
        plots=[drawing(_curve_svg(comparison))] if comparison else [],
        library=ranked,
        similar=_similar(base, assay, wishes.similar),
    )


def _tables(comparison: Comparison) -> list[Table]:
    table, out = comparison.summary(), []
    for split in dict.fromkeys(table["split"]):
        part = table[table["split"] == split]
        names = list(dict.fromkeys(part["metric"]))
        columns = ["model", *(c for m in names for c in (NAMES[m], "− forest [95 %]"))]
        rows = []
        for name in dict.fromkeys(part["learner"]):
            found = part[part["learner"] == name].set_index("metric").loc[names]
            cells = [str(name)]
            for row in found.to_dict("records"):
                gain = Interval(row["difference"], row["low"], row["high"])
                cells += [f"{row['mean']:.3f}", "–" if name == REFERENCE else str(gain)]
            rows.append(cells)
        out.append(Table(f"Cross-validation, {split} folds:", columns, rows))
    return out


def _more(comparison: Comparison) -> list[str]:
    lines = [f"No {split} folds: {why}." for split, why in comparison.impossible.items()]
    for name in dict.fromkeys(comparison.curve["learner"]):
        gain = comparison.gain_of_more(name)
        if gain is not None:
            lines.append(
                f"16 more measurements would move {name} by {gain} ({NAMES[comparison.metric]})."
            )
    return lines


def _curve_svg(comparison: Comparison) -> str:
    plt = pyplot()
    part = comparison.curve[comparison.curve["metric"] == comparison.metric]
    table = part.pivot_table(index="size", columns="learner", values="value")
    figure, axis = plt.subplots(figsize=(5, 3.2), layout="constrained")
    for name in table:
        colour = "black" if name == REFERENCE else None
        axis.plot(table.index, table[name], marker="o", label=str(name), color=colour)
    axis.set_xscale("log", base=2)
    axis.set_xticks(table.index, [str(size) for size in table.index])
    axis.minorticks_off()
    axis.set(xlabel="measurements", ylabel=NAMES[comparison.metric])
    axis.legend(frameon=False)
    text = io.StringIO()
    figure.savefig(text, format="svg")
    plt.close(figure)
    found = text.getvalue()
    return found[found.index("<svg") :]


def _library(
    trusted: Trusted,
    base: BaseModel,
    assay: Assay,
    known: Sequence[Chem.Mol],
    header: list[str],
    rows: Sequence[LibraryRow],
    wishes: Wishes,
) -> Library:
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
            f"{own[i]:+.2f}: {_short(assay.molecules.smiles[i])} ({_label(assay, i)})"
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


def _similar(base: BaseModel, assay: Assay, most: int) -> Table | None:
    if not most:
        return None
    found = similar_assays(base, assay, load_embedded()).head(most)
    metric = "ROC-AUC" if isinstance(assay.target, Classification) else "Spearman's ρ"
    rows = [
        [
            *(str(row[name]) for name in ("assay_id", "target_name", "measurement")),
            Interval(row["agreement"], row["low"], row["high"]).text(".2f"),
            f"{row['similarity']:.2f}",
            str(row["shared"]),
        ]
        for row in found.to_dict("records")
    ]
    columns = ["assay", "target", "measurement", f"agreement, {metric}", "similarity", "shared"]
    return Table(
        "Of 30 ChEMBL assays that are shipped: how well 128 of their molecules predict yours, how "
        "alike the molecules are, and how many are the same.",
        columns,
        rows,
    )


def _audit(model_path: Path | None, assay: Assay, rows: Sequence[LibraryRow]) -> list[str]:
    lines = []
    for name, smiles in (
        ("measured molecules", assay.molecules.smiles),
        ("library's molecules", [row.smiles for row in rows]),
    ):
        known = known_molecules(model_path, smiles) if smiles else None
        if known is not None:
            lines.append(
                f"{int(known.sum())} of {len(smiles)} {name} were in the model's training data, in "
                "other assays (same skeleton of atoms, whatever stereo)."
            )
    if lines:
        return lines
    if model_path is None:
        return ["This model learned from nothing but the measurements above."]
    return ["This model keeps no list of the molecules that it was trained on: not known."]


def _card(base: BaseModel, model_path: Path | None) -> str:
    path = None if model_path is None else model_path / "README.md"
    if path is not None and path.is_file():
        return path.read_text(encoding="utf-8")
    model = base.experiment.model
    return f"{base.experiment.name}: {model.learner}, on {model.encoder}"


def _name(row: LibraryRow, shown: Sequence[int]) -> str:
    return next((row.cells[k] for k in shown if row.cells[k]), _short(row.smiles))


def _label(assay: Assay, i: int) -> str:
    if isinstance(assay.target, Classification):
        return "active" if assay.active[i] else "inactive"
    sign = "" if assay.censor is None else {-1: "<", 0: "", 1: ">"}[int(assay.censor[i])]
    return f"{sign}{assay.values[i]:g}"


def _short(smiles: str) -> str:
    return smiles if len(smiles) <= LONG else smiles[:LONG] + "…"

"""What a report says: from measurements, a model and a library to the page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from importlib import metadata
from pathlib import Path

from rdkit import Chem

from molmeta.datasets import load_embedded
from molmeta.evaluation import known_molecules
from molmeta.metrics import Interval
from molmeta.models import BaseModel, Trusted
from molmeta.tasks import Assay, Classification
from molmeta.workbench.comparison import MORE, NAMES, Comparison
from molmeta.workbench.explanations import similar_assays
from molmeta.workbench.findings import DataCheck
from molmeta.workbench.report.page import Page, Table
from molmeta.workbench.report.plots import learning_curve, measured_and_predicted, similarities
from molmeta.workbench.report.ranking import LibraryRow, Screened, Wishes, ranked_library


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
    screened = Screened.of(trusted, *library) if library else None
    found = screened.found if screened and len(screened.found) else None
    plots = [measured_and_predicted(assay, screened.main if screened else "", found)]
    if found is not None:
        plots.append(similarities(trusted.domain, found))
    if comparison:
        plots.append(learning_curve(comparison))
    return Page(
        title=f"Assay {assay.name}",
        subtitle=f"{learned}; model {base.experiment.name}, {date.today():%d %B %Y}",
        verdict=comparison.recommendation() if comparison else None,
        findings=check.findings,
        audit=_audit(model_path, assay, [row for row in library[1] if row.mol] if library else []),
        card=_card(base, model_path),
        made=f"Made by molmeta {metadata.version('molmeta')}: {command}",
        comparison=_tables(comparison) if comparison else [],
        more=_more(comparison) if comparison else [],
        plots=plots,
        library=ranked_library(screened, base, assay, measured, wishes) if screened else None,
        similar=_similar(base, assay, wishes.similar),
    )


def _tables(comparison: Comparison) -> list[Table]:
    return [
        Table(
            f"Cross-validation, {split} folds:",
            ["model", *(head for name in metrics for head in (name, "− forest [95 %]"))],
            rows,
        )
        for split, metrics, rows in comparison.tables()
    ]


def _more(comparison: Comparison) -> list[str]:
    lines = [f"No {split} folds: {why}." for split, why in comparison.impossible.items()]
    for name in dict.fromkeys(comparison.curve["learner"]):
        gain = comparison.gain_of_more(name)
        if gain is not None:
            told = f"would move {name} by {gain} ({NAMES[comparison.metric]})"
            lines.append(f"{MORE} more measurements {told}.")
    return lines


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

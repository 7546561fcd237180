"""The page itself, as streamlit runs it: from top to bottom at each click."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import streamlit as st

from molmeta.datasets import read_measurements, read_table
from molmeta.errors import MolmetaError, one_line
from molmeta.tasks import Assay, Classification
from molmeta.workbench.app import Model, fit, rank, structures
from molmeta.workbench.curation import check_data
from molmeta.workbench.verbs import read_library

SHOWN = 100  # rows with a picture; all are in the download
VALUES, CLASSES = "the values themselves", "active or not"


def page() -> None:
    """A chemist's story: what was measured, what was understood, what is ranked first."""
    st.set_page_config(page_title="molmeta", layout="wide")
    st.title("molmeta")
    st.caption("Learn from a few measured molecules, rank others. Nothing leaves this machine.")
    left, right = st.columns(2)
    measured = left.file_uploader("Measurements (.csv, .xlsx, .sdf)", key="measured")
    library = right.file_uploader("Molecules to rank (.csv, .smi, .sdf, .parquet)", key="library")
    with st.expander("Names of columns"):
        smiles_column = st.text_input(
            "SMILES of the measurements", placeholder="found by name or content"
        )
        library_column = st.text_input("SMILES of the molecules to rank", "smiles")
    if measured is None:
        st.info("Drop a table of measurements: a column of SMILES and one of values.")
        return
    with tempfile.TemporaryDirectory() as folder:
        try:
            data_path = _kept(folder, "measured", measured)
            assay, threshold = _understood(data_path, measured.name, smiles_column or None)
            if library is None:
                st.info("Drop molecules to rank as well.")
                return
            files = measured.file_id, library.file_id
            asked = (*files, assay.name, threshold, smiles_column, library_column)
            if st.button("Fit and rank", type="primary"):
                library_path = _kept(folder, "library", library)
                found = _rank(assay, threshold, library_path, library_column)
                st.session_state["ranked"] = asked, found
        except MolmetaError as error:
            said = one_line(error).replace(f"{folder}/measured/", "")
            st.error(said.replace(f"{folder}/library/", ""))
            return
    known, found = st.session_state.get("ranked", (None, ()))
    if known == asked:  # what was ranked of other files or settings is not shown
        _show(*found)


def _kept(folder: str, what: str, uploaded: Any) -> Path:
    """What was dropped, as a file under its own name."""
    path = Path(folder) / what / Path(uploaded.name).name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(uploaded.getvalue())
    return path


def _understood(path: Path, name: str, column: str | None) -> tuple[Assay, float | str | None]:
    """The assay that is asked about, and how it is to be learned."""
    read = read_measurements(path, smiles_column=column)
    table = read_table(path, smiles_column=column)
    st.subheader("What was understood")
    assay = table.assays[str(st.selectbox("Assay", list(table.assays)))]
    values = assay.values
    st.markdown(
        f"**{name}**: {read}; {table.report}. **{assay.name}**: {len(assay)} molecules, values "
        f"{values.min():g} to {values.max():g}; higher is taken as more active."
    )
    for concern in read.concerns:
        st.warning(concern)
    with st.expander("Checks"):
        checks = check_data(read, source=name)
        st.markdown("\n".join(one.markdown() for one in checks if one.assay == assay.name))
    if isinstance(assay.target, Classification):
        return assay, "median"
    what = st.radio("Learn", [VALUES, CLASSES], horizontal=True)
    if what == VALUES:
        return assay, None
    return assay, st.number_input("Active from", value=float(f"{_median(assay):.2f}"))


def _median(assay: Assay) -> float:
    ordered = sorted(assay.values)
    return float(ordered[len(ordered) // 2])


def _rank(assay: Assay, threshold: float | str | None, path: Path, column: str) -> tuple[Any, ...]:
    with st.spinner(f"Learning from {len(assay)} molecules"):
        model: Model = fit(assay, threshold)
    with st.spinner("Ranking"):
        policy = model.trusted_.adapted.base.experiment.model.policy
        ranked = rank(model, *read_library(path, column, policy))
        shown = ranked.head(SHOWN)
        shown.insert(1, "structure", structures(shown))
    return ranked, shown, model.confidence


def _show(ranked: Any, shown: Any, confidence: float) -> None:
    st.subheader("Ranked")
    good = ranked["rank"].notna()
    outside = int((ranked["inside"] == False).sum())  # noqa: E712
    st.markdown(
        f"{len(ranked)} rows, {int(good.sum())} ranked, {int((~good).sum())} that cannot be read; "
        f"{outside} are outside the domain: nothing like them was measured. `low` to `high` holds "
        f"the truth with a confidence of {confidence:.0%}."
    )
    numbers = ("value", "probability", "low", "high", "similarity", "score")
    columns = {name: st.column_config.NumberColumn(format="%.2f") for name in numbers}
    first = ["rank", "structure", "value", "probability", "low", "high", "inside", "similarity"]
    order = [name for name in first if name in shown] + [n for n in shown if n not in first]
    st.dataframe(
        shown,
        column_order=order,
        column_config={**columns, "structure": st.column_config.ImageColumn(width="medium")},
        row_height=120,
        height=640,
        hide_index=True,
    )
    text = ranked.to_csv(index=False, lineterminator="\n")
    st.download_button("Download all rows", text, "ranked.csv", "text/csv", type="primary")


if __name__ == "__main__":
    page()

"""Notebooks: pairs that say the same, that run, and that are small."""

from __future__ import annotations

import sys
from pathlib import Path

import jupytext
import nbformat
import pytest

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
NAMES = sorted(path.stem for path in NOTEBOOKS.glob("0*.py"))
sys.path.insert(0, str(NOTEBOOKS))


def test_there_is_one_for_each_job() -> None:
    assert NAMES == ["01_new_assay", "02_screen_a_library", "03_reproduce_the_paper", "04_images"]


@pytest.mark.parametrize("name", NAMES)
def test_both_of_a_pair_have_the_same_cells(name: str) -> None:
    source = jupytext.read(NOTEBOOKS / f"{name}.py")
    executed = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    for ours, theirs in zip(source.cells, executed.cells, strict=True):
        assert (ours.cell_type, ours.source) == (theirs.cell_type, theirs.source)
    outputs = [out for cell in executed.cells for out in cell.get("outputs", [])]
    assert outputs and not [out for out in outputs if out.output_type == "error"]


@pytest.mark.parametrize("name", NAMES)
def test_outputs_are_small_and_name_no_machine(name: str) -> None:
    text = (NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8")
    assert len(text) < 400_000
    for folder in ("/home/", "/root/", "/tmp/", "/usr/", "/Users/", "site-packages"):
        assert folder not in text, folder


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_it_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from execute import execute

    monkeypatch.setenv("MOLMETA_SMOKE", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    execute(name, tmp_path)

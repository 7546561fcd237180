"""What is committed of FS-Mol is whole, and what the page says of it is true."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from molmeta.evaluation.protocol import summarise
from molmeta.evaluation.results import REFERENCE

ROOT = Path(__file__).parents[3]
RESULTS = ROOT / "benchmarks" / "results"
TASKS = {16: 157, 32: 157, 64: 157, 128: 148, 256: 43}


@pytest.fixture(scope="module")
def report(script: Callable[[str], ModuleType]) -> ModuleType:
    """The script that makes the page."""
    return script("benchmarks/fsmol/report.py")


@pytest.fixture(scope="module")
def tables(report: ModuleType) -> dict[str, pd.DataFrame]:
    """The committed means over draws, of both protocols."""
    return {name: pd.read_csv(RESULTS / f"fsmol-{name}.csv") for name in report.PROTOCOLS}


@pytest.mark.parametrize("name", ["published", "disjoint"])
def test_every_learner_has_all_tasks_and_one_number_of_draws(
    tables: dict[str, pd.DataFrame], name: str
) -> None:
    table = tables[name][tables[name]["metric"] == "delta_auprc"]
    for (learner, size), part in table.groupby(["learner", "support_size"]):
        assert part["task"].nunique() == len(part), (learner, size)
        assert len(part) == TASKS[size] or name == "disjoint", (learner, size)
    counts = table.groupby("learner").size()
    assert counts.nunique() == 1 and table["draws"].nunique() == 1
    assert REFERENCE in counts.index


def test_the_page_is_made_of_the_committed_scores(
    report: ModuleType, tables: dict[str, pd.DataFrame]
) -> None:
    made = report.page(tables)
    assert made == (RESULTS / "fsmol.md").read_text("utf-8")
    told = (ROOT / "docs" / "results" / "fs-mol.md").read_text("utf-8")
    for line in made.splitlines():
        if line.startswith("|") and not line.startswith("|---"):
            assert line in told, line


def test_what_is_said_of_the_grid_is_the_committed_result() -> None:
    rows = summarise(pd.read_csv(RESULTS / "fsmol-grid.csv"), REFERENCE).set_index("learner")
    grid = rows.loc["random_forest_grid"]
    told = (ROOT / "docs" / "results" / "fs-mol.md").read_text("utf-8")
    assert f"has\n{grid['mean']:.3f} at 16 in one draw".replace("0.", ".") in told
    loss = f"{-grid['difference']:.3f} [{-grid['high']:.3f}, {-grid['low']:.3f}]"
    assert loss.replace("0.", ".") in told


def test_published_rows_name_what_differs(report: ModuleType) -> None:
    rows = pd.read_csv(report.HERE / "published.csv", dtype=str, keep_default_na=False)
    assert ((rows["ours"] != "") == (rows["difference"] != "")).all()

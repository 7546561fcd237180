"""What the table of deviations says, on runs that one can work out by hand."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

FIRST = {"maml": (0.5, 0.7), "knn": (0.4, 0.5)}  # AUPRC on two assays


def run(found: dict[str, tuple[float, float]]) -> pd.DataFrame:
    rows = [
        {"learner": name, "task": f"assay {i}", "group": "in-distribution", "support_size": 16}
        | {"model_seed": 0, "split_seed": seed, "metric": "auprc", "value": value + change}
        for name, values in found.items()
        for i, value in enumerate(values)
        for seed, change in enumerate((-0.1, 0.1))  # two supports
    ]
    return pd.DataFrame(rows).assign(prevalence=0.5)


@pytest.fixture
def told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: Callable[[str], ModuleType]
) -> str:
    """The page of a run with both networks, of one with MAML alone, and of one with both."""
    runs = {
        "corrected": FIRST,
        "weighted_training": {"maml": (0.6, 0.7)},
        "gsk2020": {"maml": (0.4, 0.6), "knn": (0.4, 0.6)},
    }
    for name, found in runs.items():
        run(found).to_csv(tmp_path / f"{name}.csv", index=False)
    deviations = script("benchmarks/nguyen2020/deviations.py")
    monkeypatch.setattr(deviations, "RESULTS", tmp_path / "results")
    (tmp_path / "results").mkdir()
    monkeypatch.setattr(
        sys, "argv", ["deviations.py", *(str(tmp_path / f"{name}.csv") for name in runs)]
    )
    deviations.main()
    assert len(pd.read_csv(tmp_path / "results" / "nguyen2020-deviations.csv")) == 10
    return (tmp_path / "results" / "nguyen2020-deviations.md").read_text("utf-8")


def test_a_deviation_is_held_against_the_first_run(told: str) -> None:
    worth = told.split("AUPRC of MAML, mean over assays")[1]
    assert "| corrected | 0.600 |" in worth
    assert "| weighted_training | 0.650 (+0.050 [+0.000, +0.100]) |" in worth
    assert "| gsk2020 | 0.500 (-0.100 [-0.100, -0.100]) |" in worth


def test_a_run_without_a_multi_task_network_takes_that_of_the_first(told: str) -> None:
    improved = told.split("AUPRC of MAML over that of the best multi-task baseline")[1]
    assert "| corrected | +32.5 [+25.0, +40.0] |" in improved
    assert "| weighted_training | +45.0 [+40.0, +50.0] |" in improved
    assert "| gsk2020 | +0.0 [+0.0, +0.0] |" in improved

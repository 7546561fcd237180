"""What a study writes: scores with their own and paired intervals, and what training took."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from molmeta import from_pretrained
from molmeta.cli.main import main
from molmeta.evaluation.protocol import COLUMNS, Protocol, summarise
from molmeta.evaluation.results import Results, costs_table, write_results
from molmeta.evaluation.trained_models import cost

ROWS = [
    (learner, task, 16, 0, metric, value + shift, 0.4)
    for learner, shift in (("random_forest", 0.0), ("maml", 0.1), ("constant", -0.3))
    for task, value in (("A", 0.2), ("B", 0.4))
    for metric in ("delta_auprc", "roc_auc")
]
SCORES = pd.DataFrame(ROWS, columns=COLUMNS)
COSTS = pd.DataFrame(
    [
        {"learner": "maml", "parameters": 1000, "steps": 40, "seconds": 10.0},
        {"learner": "maml", "parameters": 3000, "steps": 20, "seconds": 20.0},
        {"learner": "random_forest", "parameters": 0, "steps": 0, "seconds": 0.0},
    ]
)


def test_a_mean_has_an_interval_of_its_own():
    table = summarise(SCORES, "random_forest").set_index("learner")
    assert table.loc["maml", "mean"] == pytest.approx(0.4)
    assert table.loc["maml", ["mean_low", "mean_high"]].tolist() == pytest.approx([0.3, 0.5])
    assert table.loc["maml", ["low", "high"]].tolist() == pytest.approx([0.1, 0.1])


@pytest.mark.parametrize(
    ("part", "said"), [("test", "looked at once"), ("validation", "no test result")]
)
def test_the_summary_says_which_part_and_what_training_took(part, said, tmp_path):
    path = tmp_path / "results.csv"
    protocol = Protocol((16,), 1, part=part)
    write_results(Results(SCORES, COSTS), path, protocol, "molmeta benchmark …")
    page = path.with_suffix(".md").read_text()
    assert said in page and f"2 {part} assays" in page
    assert "| 16 | maml | 0.400 [0.300, 0.500] | +0.100 [+0.100, +0.100] | 2/2 |" in page
    assert "| maml | 2,000 | 30 | 15 |" in page
    pd.testing.assert_frame_equal(pd.read_csv(path), SCORES)


def test_costs_are_read_off_the_run(config: Path, long_table: Path, tmp_path: Path):
    run = tmp_path / "run"
    command = ["train", "--config", str(config), "--data-path", str(long_table)]
    assert main([*command, "--save-dir", str(run), "--device", "cpu"]) == 0
    model = from_pretrained(run)
    (row,) = cost(model, run).to_dict("records")
    seconds = json.loads((run / "environment.json").read_text())["training_seconds"]
    assert row["steps"] == 6 and row["seconds"] == seconds > 0
    assert row["parameters"] == sum(p.numel() for p in model.learner.parameters())
    (nothing,) = cost(model, tmp_path / "none").to_dict("records")
    assert nothing["steps"] == nothing["seconds"] == 0
    assert "| small |" in costs_table(pd.DataFrame([row]))

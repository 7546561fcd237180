"""The demo, end to end on the embedded data, with two small learners."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from molmeta.evaluation.demonstration import SHOWN, demo
from molmeta.evaluation.protocol import Protocol


@pytest.mark.slow
def test_demo(tmp_path: Path, config: Path) -> None:
    said: list[str] = []
    protocol = Protocol(support_sizes=(16,), draws=1)
    learners = (str(config), "random_forest")
    scores = demo(tmp_path, learners=learners, workers=2, protocol=protocol, say=said.append)
    assert set(scores["learner"]) == {"small", "random_forest"}
    assert scores["task"].nunique() == 8

    library = pd.read_csv(tmp_path / "library.csv")
    predictions = pd.read_csv(tmp_path / "predictions.csv")
    hits = pd.read_csv(tmp_path / "hits.csv")
    assert len(library) == len(predictions) == len(hits) >= 10_000
    assert predictions["smiles"].tolist() == library["smiles"].tolist()
    assert (predictions["status"] == "ok").all()
    assert hits["score"].is_monotonic_decreasing
    assert hits["rank"].tolist() == list(range(1, len(hits) + 1))
    assert (tmp_path / f"{SHOWN}.safetensors").exists()
    assert (tmp_path / "enrichment.png").read_bytes().startswith(b"\x89PNG")
    text = "\n".join(said)
    assert "random_forest" in text and "95 % bootstrap" in text
    assert (tmp_path / "results.md").exists()

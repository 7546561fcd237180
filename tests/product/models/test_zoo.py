"""What is shipped is listed, loads, fits into the wheel, and adapts by name."""

from __future__ import annotations

import numpy as np
import pytest

from molmeta.cli.main import main
from molmeta.models import PRETRAINED, from_pretrained, pretrained_names, shipped_models
from molmeta.workbench import FewShotClassifier

MEGABYTES = 25  # of all that adapts to an assay
ENCODERS = {"graph", "graph_all"}


def test_all_that_is_shipped_is_listed(capsys):
    assert main(["models"]) == 0
    said = capsys.readouterr().out
    listed = shipped_models()
    assert [one.name for one in listed] == [
        "default",
        *sorted(set(pretrained_names()) - {"default"}),
    ]
    assert all(f"\n{one.name} " in said and one.learner in said for one in listed)
    assert sum(one.megabytes for one in listed if one.name not in ENCODERS) < MEGABYTES


@pytest.mark.parametrize("name", sorted(set(pretrained_names()) - ENCODERS - {"default"}))
def test_one_adapts_by_its_name(name, embedded):
    assay = next(iter(embedded.values())).binarise()
    rows = np.random.default_rng(0).permutation(len(assay))
    smiles, classes = np.array(assay.molecules.smiles)[rows], assay.values[rows].astype(int)
    model = FewShotClassifier.from_pretrained(name, calibrate=False)
    model.fit(list(smiles[:32]), classes[:32])
    p = model.predict_proba(list(smiles[32:232]))[:, 1]
    active = classes[32:232] == 1
    assert np.isfinite(p).all() and p[active].mean() > p[~active].mean()


@pytest.mark.parametrize("name", pretrained_names())
def test_a_folder_has_its_card_and_where_it_came_from(name):
    files = {path.name for path in (PRETRAINED / name).iterdir()}
    assert {"README.md", "config.json", "environment.json", "history.csv"} <= files
    card = (PRETRAINED / name / "README.md").read_text(encoding="utf-8")
    assert from_pretrained(name).experiment.name in card

"""Earlier assays of a project beside a new one, as a chemist gives them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from molmeta import FewShotClassifier, FewShotRegressor
from molmeta.cli.main import main
from molmeta.errors import ConfigError, DataError
from molmeta.metrics import roc_auc


@pytest.fixture(scope="module")
def project(embedded, tmp_path_factory):
    """24 measurements of a receptor, its other molecules, and a table of two earlier assays.

    One measured the same thing with an error, half of the others among its molecules; one is noise.
    """
    one = embedded["CHEMBL2034_Ki"]
    rng = np.random.default_rng(0)
    order = rng.permutation(len(one))
    new, asked, earlier = one.take(order[:24]), one.take(order[24:]), one.take(order[:400:2])
    table = pd.DataFrame(
        {
            "smiles": earlier.molecules.smiles,
            "first": earlier.values + rng.normal(0, 0.3, len(earlier)),
            "noise": rng.normal(6, 1, len(earlier)),
        }
    )
    path = tmp_path_factory.mktemp("project") / "earlier.csv"
    table.to_csv(path, index=False)
    return new, asked, path


def test_an_earlier_assay_that_agrees_helps_and_one_of_noise_is_left_out(project):
    new, asked, path = project
    active = asked.values > np.median(asked.values)

    def found(known) -> tuple[float, FewShotRegressor]:
        model = FewShotRegressor(calibrate=False)
        model.fit(new.molecules.smiles, new.values, known=known)
        return roc_auc(active, model.predict(asked.molecules.smiles)), model

    alone, _ = found(None)
    beside, model = found(path)
    assert beside > alone + 0.05
    assert model.trusted_.adapted.counts["of earlier assays"] == 200  # the noise is left out


def test_calibration_and_classes_know_them_too(project):
    new, asked, path = project
    labels = np.where(new.values > np.median(new.values), "yes", "no")
    model = FewShotClassifier().fit(new.molecules.smiles, labels, known=path)
    active = asked.values > np.median(asked.values)
    alone = FewShotClassifier().fit(new.molecules.smiles, labels)
    known, own = (
        roc_auc(active, one.predict_proba(asked.molecules.smiles)[:, 1]) for one in (model, alone)
    )
    assert known > own + 0.05


def test_an_adapted_assay_carries_them(project, tmp_path, capsys):
    new, asked, path = project
    data, assay, library = (tmp_path / name for name in ("new.csv", "new.safetensors", "lib.csv"))
    pd.DataFrame({"smiles": new.molecules.smiles, "value": new.values}).to_csv(data, index=False)
    pd.DataFrame({"smiles": asked.molecules.smiles[:50]}).to_csv(library, index=False)
    given = ["--data-path", str(data), "--assay-path", str(assay), "--known-data-path", str(path)]
    assert main(["adapt", *given, "--regression"]) == 0
    assert "200 of earlier assays" in capsys.readouterr().err
    scores = tmp_path / "scores.csv"
    told = ["--assay-path", str(assay), "--test-path", str(library), "--preds-path", str(scores)]
    assert main(["screen", *told]) == 0
    model = FewShotRegressor(calibrate=False).fit(new.molecules.smiles, new.values, known=path)
    expected = model.predict(asked.molecules.smiles[:50])
    np.testing.assert_allclose(pd.read_csv(scores)["score"], expected, atol=2e-4)


def test_what_cannot_be_used_is_said(project, tmp_path):
    new, _, path = project
    with pytest.raises(ConfigError, match="learns from one assay alone"):
        FewShotClassifier("random_forest").fit(
            new.molecules.smiles, new.values > np.median(new.values), known=path
        )
    with pytest.raises(DataError, match=r"none\.csv"):
        FewShotRegressor().fit(new.molecules.smiles, new.values, known=tmp_path / "none.csv")

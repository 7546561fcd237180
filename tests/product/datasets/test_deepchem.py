"""DeepChem's datasets to assays and back."""

from __future__ import annotations

import numpy as np
import pytest

from molmeta import from_deepchem, read_table, to_deepchem

pytestmark = pytest.mark.filterwarnings("ignore")  # DeepChem's import warns of what it lacks

TABLE = "smiles,T1,T2\nCCO,1,0\nCCN,0,\nCCC,,1\nCCCl,1,1\n"


@pytest.fixture
def assays(tmp_path_factory: pytest.TempPathFactory):
    """Two binary assays with missing measurements."""
    path = tmp_path_factory.mktemp("deepchem") / "a.csv"
    path.write_text(TABLE)
    return read_table(path).assays


def test_there_and_back(assays) -> None:
    dataset = to_deepchem(assays)
    assert dataset.X.shape == (4, 2048)
    assert dataset.w.tolist() == [[1, 1], [1, 0], [1, 1], [0, 1]]
    table = from_deepchem(dataset)
    for before, after in zip(assays.values(), table.assays.values(), strict=True):
        pairs = [
            dict(zip(assay.molecules.smiles, assay.values, strict=True))
            for assay in (before, after)
        ]
        assert pairs[0] == pairs[1]
        assert before.target == after.target


def test_weight_zero_is_missing_and_bad_molecules_are_reported() -> None:
    import deepchem

    dataset = deepchem.data.NumpyDataset(
        X=np.zeros((3, 1)),
        y=np.array([[1.5], [2.5], [9.9]]),
        w=np.array([[1.0], [1.0], [0.0]]),
        ids=np.array(["CCO", "not a molecule", "CCC"], dtype=object),
    )
    table = from_deepchem(dataset)
    (assay,) = table.assays.values()
    assert assay.molecules.smiles == ["CCO"]
    assert assay.values.tolist() == [1.5]
    assert table.report.rejected["row"].tolist() == [2]


def test_a_featurizer_of_deepchem(assays) -> None:
    import deepchem

    dataset = to_deepchem(assays, deepchem.feat.CircularFingerprint(size=64))
    assert dataset.X.shape == (4, 64)
    assert dataset.ids.tolist() == ["CCO", "CCN", "CCCl", "CCC"]

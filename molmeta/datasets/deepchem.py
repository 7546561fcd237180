"""DeepChem datasets to assays and back. DeepChem is imported when a function needs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from molmeta.datasets.table import Table, table_from_rows
from molmeta.errors import DataError
from molmeta.featurizers import Policy
from molmeta.molecules import Molecules
from molmeta.tasks import Assays, Classification

if TYPE_CHECKING:
    from deepchem.data import Dataset, NumpyDataset


def from_deepchem(dataset: Dataset, policy: Policy | None = None) -> Table:
    """A DeepChem dataset as assays: one a task.

    `ids` are read as SMILES (as MoleculeNet's loaders write them); a measurement with w = 0 is
    missing. Molecules are standardised and duplicates merged as in `read_table`; what becomes of
    each row stands in the result's report.

    Raises
    ------
    DataError
        No molecule and measurement is left, or `y` and `w` have other shapes than tasks × ids.
    """
    y, w = np.asarray(dataset.y, dtype=float), np.asarray(dataset.w, dtype=float)
    y = y.reshape(len(y), -1)
    w = np.broadcast_to(w.reshape(len(w), -1), y.shape)
    tasks = [str(task) for task in dataset.get_task_names()]
    if y.shape[1] != len(tasks):
        raise DataError(f"the dataset has {len(tasks)} tasks, but y has {y.shape[1]} columns")
    row, task = np.nonzero((w != 0) & np.isfinite(y))
    measured = pd.DataFrame(
        {
            "row": row + 1,
            "assay_id": np.asarray(tasks, dtype=object)[task],
            "value": y[row, task],
        }
    )
    smiles = pd.Series([str(one) for one in dataset.ids])
    return table_from_rows(smiles, measured, policy or Policy(), "the DeepChem dataset")


def to_deepchem(assays: Assays, featurizer: Any = None) -> NumpyDataset:
    """Assays as one DeepChem `NumpyDataset`: ids are SMILES, a task an assay.

    Parameters
    ----------
    assays : Assays
        All binary, or all regressions.
    featurizer : deepchem featurizer, optional
        Applied to the SMILES for `X`; without it, `X` is the dense `ecfp4` block `[n, 2048]`.

    Returns
    -------
    NumpyDataset
        `y [n, tasks]`, and `w` 1 where a measurement exists and 0 where it is missing.
    """
    from deepchem.data import NumpyDataset

    if len({isinstance(assay.target, Classification) for assay in assays.values()}) > 1:
        raise DataError("some assays are binary and some are not; convert them separately")
    smiles: Sequence[str] = list(
        dict.fromkeys(text for assay in assays.values() for text in assay.molecules.smiles)
    )
    position = {text: i for i, text in enumerate(smiles)}
    y, w = np.zeros((2, len(smiles), len(assays)), dtype=np.float64)
    for column, assay in enumerate(assays.values()):
        rows = [position[text] for text in assay.molecules.smiles]
        y[rows, column], w[rows, column] = assay.values, 1.0
    if featurizer is None:
        x = Molecules(smiles).block("ecfp4").dense()
    else:
        x = featurizer.featurize(smiles)
    ids = np.asarray(smiles, dtype=object)
    return NumpyDataset(x, y, w, ids, n_tasks=len(assays))

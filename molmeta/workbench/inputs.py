"""What people give for molecules and labels, read as lists of texts and arrays of numbers."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from rdkit import Chem

from molmeta.datasets import look_like_concentrations, read_cells
from molmeta.errors import MolmetaError, OneClassSupport

SHOWN = 5  # bad rows that a message names


def read_smiles(X: Any) -> list[str]:
    """SMILES of a list, array, Series or one-column frame of SMILES or RDKit molecules.

    What is neither is an empty text, which has a status where it is read.

    Raises
    ------
    MolmetaError
        It is one text, or has more than one column.
    """
    if isinstance(X, str | bytes | Chem.Mol):
        raise MolmetaError("give a list of molecules, not a single one: [smiles]")
    return [_text(one) for one in column(X, "molecules")]


def _text(one: Any) -> str:
    if isinstance(one, Chem.Mol):
        return Chem.MolToSmiles(one)
    return str(one) if isinstance(one, str) else ""


def column(values: Any, what: str) -> np.ndarray:
    """Values `[n]`, whatever they came in.

    Raises
    ------
    MolmetaError
        They have several columns.
    """
    if isinstance(values, pd.Series | pd.DataFrame | np.ndarray):
        array = np.asarray(values)
    else:
        items = list(values)
        array = np.empty(len(items), dtype=object)
        array[:] = items
        array = array if any(_odd(item) for item in items) else np.asarray(items)
    if array.shape[1:] == (1,):
        array = array.reshape(-1)
    if array.ndim != 1:
        raise MolmetaError(f"{what} have the shape {array.shape}; give a list, one a row")
    return array


def _odd(item: Any) -> bool:
    """Whether numpy would not leave an item of a list alone."""
    missing = item is None or item is pd.NA or (isinstance(item, float) and item != item)
    return missing or isinstance(item, Chem.Mol)


def read_labels(y: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """The two labels, sorted, and for each row 0 or 1: which of them it has.

    Raises
    ------
    MolmetaError
        Labels are missing, of several types, or of more than two kinds.
    OneClassSupport
        All are the same.
    """
    labels = column(y, "labels")
    if pd.isna(labels).any():
        missing = [f"row {i}" for i in np.flatnonzero(pd.isna(labels))]
        raise MolmetaError(f"labels are missing: {listed(missing)}; leave these rows out")
    try:
        classes, codes = np.unique(labels, return_inverse=True)
    except TypeError:
        kinds = sorted({type(one).__name__ for one in labels})
        raise MolmetaError(
            f"labels are of several kinds ({', '.join(kinds)}); give texts, or numbers"
        ) from None
    if len(classes) == 1:
        raise OneClassSupport(
            f"all {len(labels)} labels are {shown(classes[0])}; measured molecules of another "
            "class are needed to tell anything apart"
        )
    if len(classes) > 2:
        raise MolmetaError(
            f"there are {len(classes)} labels ({listed([shown(c) for c in classes])}); this is "
            "for two: say what is active, or use FewShotRegressor for measured values"
        )
    return classes, codes


def read_values(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers `[n]`, and −1, 0 or 1 for upper bounds, exact values and lower bounds.

    Raises
    ------
    MolmetaError
        Some are neither numbers nor bounds such as ">5".
    """
    cells = read_cells(pd.Series([str(one) for one in y], dtype=object), classes=False)
    values = cells.values
    bad = [f"row {i}: {shown(y[i])}" for i in np.flatnonzero(~np.isfinite(values))]
    if bad:
        raise MolmetaError(f"values are no finite numbers, nor bounds such as '>5': {listed(bad)}")
    if any(cells.units):
        unit = next(filter(None, cells.units))
        raise MolmetaError(f"values have a unit ({unit}); give numbers, −log10 of the molar")
    if look_like_concentrations(values):
        warnings.warn(
            f"values ({values.min():g} to {values.max():g}, median {np.median(values):g}) look "
            "like concentrations; give −log10 of the molar (9 − log10 of nM, 6 − log10 of µM), so "
            "that higher is more active",
            stacklevel=3,
        )
    return values, cells.censor


def shown(value: Any) -> str:
    """A value as Python writes it, not numpy."""
    return repr(value.item() if isinstance(value, np.generic) else value)


def listed(items: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return "; ".join(items[:SHOWN]) + more


def shortened(smiles: str, most: int) -> str:
    """A SMILES for a sentence: its first characters."""
    return smiles if len(smiles) <= most else smiles[:most] + "…"

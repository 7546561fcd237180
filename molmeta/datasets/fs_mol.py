"""FS-Mol's folder of tasks."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from molmeta.datasets.table import Table, table_from_rows
from molmeta.errors import DataError
from molmeta.featurizers import Policy

FOLDERS = {"train": "train", "validation": "valid", "test": "test"}
CLASS, MEASURED = "Property", "LogRegressionProperty"


def is_fs_mol(path: str | Path) -> bool:
    """Whether a path is a folder with FS-Mol's parts."""
    return any((Path(path) / folder).is_dir() for folder in FOLDERS.values())


def read_fs_mol(
    path: str | Path, *, measured: bool = False, policy: Policy | None = None
) -> tuple[Table, dict[str, list[str]]]:
    """The tasks of a folder `{train,valid,test}/<assay>.jsonl.gz`, and the split that it is.

    Stanley et al.: *FS-Mol: A Few-Shot Learning Dataset of Molecules* (NeurIPS Datasets 2021),
    https://github.com/microsoft/FS-Mol. A line is a JSON object with `SMILES`, `Property` (active
    or not) and `LogRegressionProperty` (−log10 of the molar measurement). Graphs and fingerprints
    in it are passed over: ours are computed anew. An assay is named after its file.

    Parameters
    ----------
    measured : bool
        Read the measured values in place of the classes.

    Returns
    -------
    Table
        With what was merged and left out.
    dict
        Names of the assays for `train`, `validation` and `test`, as `split_assays` takes them.

    Raises
    ------
    DataError
        There is no task, a file is damaged or in two parts, or a line lacks a key.
    """
    smiles: list[str] = []
    rows: list[tuple[int, str, float]] = []
    names: dict[str, list[str]] = {}
    for part, folder in FOLDERS.items():
        files = sorted((Path(path) / folder).glob("*.jsonl.gz"))
        names[part] = [file.name.removesuffix(".jsonl.gz") for file in files]
        for name, file in zip(names[part], files, strict=True):
            for text, value in _lines(file, MEASURED if measured else CLASS):
                smiles.append(text)
                rows.append((len(smiles), name, value))
    listed = [name for part in names.values() for name in part]
    if not listed:
        raise DataError(f"{path} has no train/, valid/ or test/ with files *.jsonl.gz")
    if len(set(listed)) < len(listed):
        twice = next(name for name in listed if listed.count(name) > 1)
        raise DataError(f"{path} has the assay {twice} in two parts; it belongs to one")
    frame = pd.DataFrame(rows, columns=["row", "assay_id", "value"])
    table = table_from_rows(pd.Series(smiles), frame, policy or Policy(), str(path))
    return table, {
        part: [name for name in found if name in table.assays] for part, found in names.items()
    }


def _lines(file: Path, key: str) -> Iterator[tuple[str, float]]:
    number = 0
    try:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                number += 1
                found = json.loads(line)
                yield str(found["SMILES"]), float(found[key])
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{file} is damaged: {error}; get it again") from error
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(
            f"{file}: line {number} is no JSON with SMILES and a number as {key} ({error!r})"
        ) from error

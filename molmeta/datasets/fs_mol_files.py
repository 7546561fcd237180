"""FS-Mol as files: a folder of tasks as released, or one table of all of them."""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from molmeta.datasets.csv_tables import read_csv, read_header, require_columns
from molmeta.errors import DataError
from molmeta.files import check_output, replacing, write_atomic

FOLDERS = {"train": "train", "validation": "valid", "test": "test"}
COLUMNS = ["smiles", "assay_id", "split", "label", "value", "type", "relation", "assay_type"]
LOG = "pXC50"  # type of an assay whose values are −log10 of a molar concentration
OTHER = "percent_activity"  # of one whose values are not
TABLES = (".csv", ".csv.gz")
BAD_LINE = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
EXPONENT = 9  # the release takes every value for nM


def is_fs_mol(path: str | Path) -> bool:
    """Whether a path is a folder with FS-Mol's parts, or a table with its columns."""
    path = Path(path)
    if path.is_dir():
        return any((path / folder).is_dir() for folder in FOLDERS.values())
    if not path.is_file() or not path.name.endswith(TABLES):
        return False
    try:
        return set(COLUMNS) <= set(read_header(path))
    except DataError:
        return False


def fs_mol_rows(path: str | Path) -> pd.DataFrame:
    """Every measurement as it is released, from either form.

    The folder has `{train,valid,test}/<assay>.jsonl.gz`, a line a JSON object with `SMILES`,
    `Property` (active or not), `LogRegressionProperty`, and maybe `RegressionProperty`, `Relation`
    and `AssayType`; graphs and fingerprints in it are passed over. The table has the columns that
    are returned. The release takes 9 − log10 of every value, as if it were nM. Of a percentage
    that runs against the classes, and so such an assay is known: its log values are lower for
    actives. There the value is `RegressionProperty`, or what the logarithm was taken of.

    Returns
    -------
    DataFrame
        `smiles, assay_id, split` (train, valid or test), `label` (0 or 1), `value` (−log10 of
        the molar concentration where `type` is `pXC50`; a percentage or something else where it is
        `percent_activity`; or missing), `type`, `relation` (of the concentration or percentage;
        "=" where nothing is said), `assay_type` (ChEMBL's letter). By part, then by assay.
    """
    path = Path(path)
    rows = _folder_rows(path) if path.is_dir() else _table_rows(path)
    order = rows["split"].map({folder: i for i, folder in enumerate(FOLDERS.values())})
    if order.isna().any():
        wrong = rows["split"][order.isna()].iloc[0]
        raise DataError(f"{path}: 'split' is train, valid or test, not {wrong!r}")
    parts = rows.drop_duplicates(["assay_id", "split"])["assay_id"]
    if parts.duplicated().any():
        twice = parts[parts.duplicated()].iloc[0]
        raise DataError(f"{path} has the assay {twice} in two parts; it belongs to one")
    by = pd.DataFrame({"part": order, "assay": rows["assay_id"]}).sort_values(
        ["part", "assay"], kind="stable"
    )
    return rows.loc[by.index, COLUMNS].reset_index(drop=True)


def check_fs_mol_output(path: Path, source: Path, *, overwrite: bool) -> None:
    """Refuse what `write_fs_mol` would lose.

    Raises
    ------
    DataError
        The table is the source, or exists and `overwrite` is not set; or the folder is not empty.
    """
    if path.name.endswith(TABLES):
        check_output(path, [source], overwrite=overwrite)
    elif path.exists() and (path.is_file() or any(path.iterdir())):
        raise DataError(f"{path} is there and not empty; give the path of a new folder")


def write_fs_mol(rows: pd.DataFrame, path: str | Path) -> None:
    """What `fs_mol_rows` returned, as a table (`.csv`, `.csv.gz`) or as a folder of tasks."""
    path = Path(path)
    if path.name.endswith(TABLES):
        with replacing(path) as part:
            rows.to_csv(
                part, index=False, lineterminator="\n",
                compression={"method": "gzip", "mtime": 0} if path.suffix == ".gz" else None,
            )  # fmt: skip
        return
    for (folder, name), task in rows.groupby(["split", "assay_id"], sort=False):
        lines = "".join(json.dumps(one) + "\n" for one in _lines_of(task))
        file = path / str(folder) / f"{name}.jsonl.gz"
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, gzip.compress(lines.encode(), mtime=0))


def _folder_rows(path: Path) -> pd.DataFrame:
    tasks = []
    for folder in FOLDERS.values():
        for file in sorted((path / folder).glob("*.jsonl.gz")):
            task = pd.DataFrame(
                _lines(file), columns=["smiles", "label", "log", "raw", "relation", "assay_type"]
            )
            kind = _type(task)
            before = task["raw"].fillna(10 ** (EXPONENT - task["log"]))
            value = task["log"] if kind == LOG else before
            name = file.name.removesuffix(".jsonl.gz")
            tasks.append(task.assign(assay_id=name, split=folder, type=kind, value=value))
    if not tasks:
        raise DataError(f"{path} has no train/, valid/ or test/ with files *.jsonl.gz")
    return pd.concat(tasks, ignore_index=True)


def _type(task: pd.DataFrame) -> str:
    """Whether the log values of an assay run with its classes."""
    means = task.groupby("label")["log"].mean()
    return OTHER if means.get(1, math.nan) < means.get(0, math.nan) else LOG


def _lines(file: Path) -> Iterator[tuple[str, int, float, float, str, str]]:
    number = 0
    try:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                number += 1
                found = json.loads(line)
                yield (
                    str(found["SMILES"]),
                    _label(found["Property"]),
                    _number(found.get("LogRegressionProperty")),
                    _number(found.get("RegressionProperty")),
                    str(found.get("Relation") or "="),
                    str(found.get("AssayType") or ""),
                )
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{file} is damaged: {error}; get it again") from error
    except BAD_LINE as error:
        raise DataError(
            f"{file}: line {number} is no JSON with SMILES and 0 or 1 as Property, a number as "
            f"LogRegressionProperty ({error!r})"
        ) from error


def _label(cell: Any) -> int:
    if float(cell) not in (0, 1):
        raise ValueError(f"Property {cell!r}")
    return int(float(cell))


def _number(cell: Any) -> float:
    return math.nan if cell in (None, "", "None") else float(cell)


def _table_rows(path: Path) -> pd.DataFrame:
    rows = read_csv(path)
    require_columns(rows, COLUMNS, path)
    for column in ("label", "value"):
        numbers = pd.to_numeric(rows[column].replace("", None), errors="coerce")
        wrong = (
            numbers.isna() & (rows[column] != "") if column == "value" else ~numbers.isin([0, 1])
        )
        if wrong.any():
            at = int(np.flatnonzero(wrong)[0])
            raise DataError(f"{path}: row {at + 1} has {rows[column].iloc[at]!r} as {column}")
        rows[column] = numbers
    rows["relation"] = rows["relation"].replace("", "=")
    rows["type"] = rows["type"].where(rows["type"] == LOG, OTHER)
    return rows.assign(label=rows["label"].astype(int))


def _lines_of(task: pd.DataFrame) -> Iterator[dict[str, Any]]:
    is_log = task["type"].iloc[0] == LOG
    logs = task["value"] if is_log else EXPONENT - np.log10(task["value"].where(task["value"] > 0))
    raws = 10 ** (EXPONENT - task["value"]) if is_log else task["value"]
    for row, log, raw in zip(task.itertuples(), logs, raws, strict=True):
        yield {
            "SMILES": row.smiles,
            "Property": str(float(row.label)),  # type: ignore[arg-type]
            "Assay_ID": row.assay_id,
            "RegressionProperty": None if math.isnan(raw) else str(raw),
            "LogRegressionProperty": None if math.isnan(log) else str(log),
            "Relation": row.relation,
            "AssayType": row.assay_type,
        }

"""miniImageNet: 100 classes of ImageNet with 600 photographs each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from molmeta.datasets.csv_tables import read_csv
from molmeta.datasets.image_files import check_size
from molmeta.datasets.image_folder import read_files
from molmeta.errors import DataError
from molmeta.tasks import Images, ImageSplit

PARTS = ("train", "val", "test")


def load_miniimagenet(folder: str | Path, *, size: int = 84) -> ImageSplit:
    """Classes of miniImageNet, by the split of Ravi and Larochelle: 64, 16 and 20.

    Ravi, Larochelle: *Optimization as a Model for Few-Shot Learning* (ICLR 2017); the data set is
    that of Vinyals et al. (2016). ImageNet's licence lets nobody pass the photographs on: they
    have to be there already.

    Parameters
    ----------
    folder : str or Path
        With `images/` and `train.csv`, `val.csv` and `test.csv`, whose columns `filename` and
        `label` name a file in `images/` and its class.
    size : int
        Photographs are stretched to size × size, with Pillow's LANCZOS.

    Returns
    -------
    ImageSplit
        Three `Images` `[n, 3, size, size]`, 1.3 GB in all at 84 × 84. The group of a class is its
        part: `train`, `val` or `test`.

    Raises
    ------
    DataError
        A file is missing or damaged; a table has other columns; a class is in two parts.
    """
    folder = Path(folder)
    check_size(size, 3)
    tables = {part: _table(folder / f"{part}.csv") for part in PARTS}
    _check_classes(tables)
    _check_files(folder, tables)
    train, validation, test = (_images(folder, part, tables[part], size) for part in PARTS)
    return ImageSplit(train, validation, test, "miniImageNet")


def _table(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise DataError(
            f"there is no {path}; miniImageNet is a folder with images/, train.csv, val.csv and "
            "test.csv"
        )
    table = read_csv(path)
    if not {"filename", "label"} <= set(table.columns):
        raise DataError(
            f"{path} has the columns {', '.join(table.columns)}; it needs filename and label"
        )
    for name in table["filename"]:
        if not name or Path(name).name != name:
            raise DataError(f"{path}: '{name}' is no name of a file in images/")
    for name in table["filename"][table["filename"].duplicated()]:
        raise DataError(f"{path}: {name} is listed twice")
    return table.sort_values(["label", "filename"], ignore_index=True)


def _check_classes(tables: dict[str, pd.DataFrame]) -> None:
    parts: dict[str, str] = {}
    for part, table in tables.items():
        for label in table["label"].unique():
            if label in parts:
                raise DataError(
                    f"class {label} is in {parts[label]}.csv and {part}.csv; "
                    "a class belongs to one part"
                )
            parts[label] = part


def _check_files(folder: Path, tables: dict[str, pd.DataFrame]) -> None:
    wanted = [name for table in tables.values() for name in table["filename"]]
    present = {path.name for path in (folder / "images").glob("*")}
    missing = [name for name in wanted if name not in present]
    if missing:
        shown = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
        raise DataError(
            f"{len(missing)} of {len(wanted)} files are missing in {folder / 'images'}: {shown}"
        )


def _images(folder: Path, part: str, table: pd.DataFrame, size: int) -> Images:
    labels, names = pd.factorize(table["label"])
    files = [folder / "images" / name for name in table["filename"]]
    return Images(
        read_files(files, size, 3),
        labels.astype(np.int64),
        tuple(str(name) for name in names),
        (part,) * len(names),
    )

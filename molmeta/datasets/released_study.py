"""The data folder that Nguyen et al. 2020 released, https://github.com/GSK-AI/meta-learning-qsar.

`meta_split_idx.pkl` says which columns of y are for meta-training, validation and test;
`dataset_split_idx.pkl` how the molecules of each are dealt; `pretraining_split_idx.pkl` how all
molecules are, for multi-task training. Molecules are graphs (there are no SMILES), in one
`featurized_data.pkl` or in archives `*.tar.gz` of several. Pickles are read by
`datasets/gsk2020.py`.
"""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from molmeta.datasets.gsk2020 import load_restricted
from molmeta.datasets.study_split import SplitAssay, Study
from molmeta.errors import DataError
from molmeta.molecules import (
    ATOM_WIDTHS,
    FINGERPRINT_WIDTH,
    Counts,
    FeatureGraphs,
    Molecules,
    distinct_environments,
    row_offsets,
)
from molmeta.tasks import Assay, Classification

SPLITS = ("meta_split_idx.pkl", "dataset_split_idx.pkl", "pretraining_split_idx.pkl")
FEATURES = "featurized_data.pkl"
PARTS = ("meta_train", "meta_val", "meta_test")
DEALT = ("train", "val", "test")
BLOCK = "atoms75"
FOREST_BLOCKS = ("weisfeiler_lehman",)
RADIUS = 2
LISTS = (list, tuple, np.ndarray)
MOST_ATOMS = 2**15 - 1  # of a molecule, by the type of its bonds
MOST_CODES = 2**16  # distinct atoms, by the type of their codes


def is_release(path: str | Path) -> bool:
    """Whether a path is a folder with one of the release's files."""
    return any((Path(path) / name).is_file() for name in SPLITS)


def read_release(path: str | Path) -> Study:
    """The study of the release.

    Nothing in it says which test assays are out of distribution: they have no group.

    Raises
    ------
    DataError
        A file is missing, damaged, not of the release's form, or holds what could run code.
    """
    folder = Path(path)
    for name in SPLITS:
        if not (folder / name).is_file():
            raise DataError(f"{folder} has no {name}; the release has {', '.join(SPLITS)}")
    columns, dealt, pretraining = (_read(folder / name) for name in SPLITS)
    molecules, y = _molecules(folder)
    train, validation, test = (
        [
            _task(molecules, y, int(column), [_entry(dealt, SPLITS[1], part, k, i) for k in DEALT])
            for i, column in enumerate(_positions(y.shape[1], columns, SPLITS[0], part))
        ]
        for part in PARTS
    )
    learned, kept_out = (
        molecules[_positions(len(molecules), pretraining, SPLITS[2], part)].smiles
        for part in DEALT[:2]
    )
    kept = {*learned, *kept_out}
    every = [task.assay for task in (*train, *validation)]
    return Study(
        [task.assay.take(task.train) for task in train],
        validation,
        test,
        [assay.take(_among(assay, kept)) for assay in every],
        frozenset(kept_out),
        FOREST_BLOCKS,
    )


def _read(path: Path) -> Any:
    with path.open("rb") as file:
        return load_restricted(file, path)


def _chunks(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The parts of the featurised data, each with where it is from."""
    whole = folder / FEATURES
    archives = sorted(folder.glob("*.tar.gz"))
    if whole.is_file():
        yield str(whole), _read(whole)
    elif not archives:
        raise DataError(f"{folder} has neither {FEATURES} nor archives *.tar.gz of its parts")
    else:
        for path in archives:
            try:
                with tarfile.open(path, "r:gz") as archive:
                    for member in archive:
                        file = archive.extractfile(member)
                        if file is not None:
                            where = f"{path}, {member.name}"
                            yield where, load_restricted(file, where)
            except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
                raise DataError(f"{path} is no whole archive ({error}); copy it again") from None


def _molecules(folder: Path) -> tuple[Molecules, np.ndarray]:
    """All molecules, and their labels `[n, assays]` with −1 for what was not measured."""
    table: dict[bytes, int] = {}
    codes: list[np.ndarray] = []
    bonds: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    for where, chunk in _chunks(folder):
        adjacencies, features, y = _columns(chunk, where)
        for adjacency, rows in zip(adjacencies, features, strict=True):
            atoms, edges = _graph(adjacency, rows, where)
            codes.append(np.array([table.setdefault(row.tobytes(), len(table)) for row in atoms]))
            bonds.append(edges)
        if labels and labels[0].shape[1] != y.shape[1]:
            raise DataError(
                f"{where} has labels of {y.shape[1]} assays, the part before {labels[0].shape[1]}"
            )
        labels.append(y)
    if not codes or len(table) > MOST_CODES:
        raise DataError(
            f"{folder} has {len(codes)} molecules of {len(table)} distinct atoms; there must be "
            f"one, and {MOST_CODES} distinct atoms at most"
        )
    block = FeatureGraphs(
        np.frombuffer(b"".join(table), dtype=np.int8).reshape(-1, ATOM_WIDTHS[BLOCK]),
        np.concatenate(codes).astype(np.uint16),
        row_offsets([*map(len, codes)]).astype(np.int32),
        np.concatenate(bonds).astype(np.int16),
        np.zeros(sum(map(len, bonds)), dtype=np.uint8),
        row_offsets([*map(len, bonds)]).astype(np.int32),
    )
    molecules = Molecules(
        [f"molecule {i} of the release, without SMILES" for i in range(len(block))]
    )
    molecules.attach(BLOCK, block)
    molecules.attach(FOREST_BLOCKS[0], environment_counts(block))
    return molecules, np.concatenate(labels)


def _columns(chunk: Any, where: str) -> tuple[Sequence[Any], Sequence[Any], np.ndarray]:
    """Adjacencies, features, and labels `[n, assays]` of a part of the featurised data.

    Raises
    ------
    DataError
        One is not there, or not as long as the others; or a label is not 0, 1 or missing.
    """
    if not isinstance(chunk, dict) or not {"adj", "feat", "y"} <= set(chunk):
        raise DataError(f"{where} is no featurised data: it needs 'adj', 'feat' and 'y'")
    y = np.nan_to_num(_numbers(chunk["y"], f"{where}, y"), nan=-1)
    if y.ndim not in (1, 2):
        raise DataError(f"{where}: 'y' has the shape {y.shape}; it must be [molecules, assays]")
    listed = [chunk[name] for name in ("adj", "feat")]
    if any(not isinstance(one, LISTS) or getattr(one, "ndim", 1) == 0 for one in listed):
        raise DataError(f"{where}: 'adj' and 'feat' must be lists of arrays, one a molecule")
    if not len(listed[0]) == len(listed[1]) == len(y):
        raise DataError(f"{where}: 'adj', 'feat' and 'y' are not of the same length")
    if not np.isin(y, (-1, 0, 1)).all():
        raise DataError(f"{where}: labels must be 0, 1, or −1 or NaN where there is none")
    return (*listed, y.astype(np.int8).reshape(len(y), y.shape[1] if y.ndim == 2 else 1))


def _numbers(values: Any, where: str) -> np.ndarray:
    """Values as float32.

    Raises
    ------
    DataError
        They are no numbers, or lists of different lengths.
    """
    try:
        with np.errstate(over="ignore"):
            return np.asarray(values, dtype=np.float32)
    except (TypeError, ValueError, OverflowError):
        raise DataError(f"{where} is no array of numbers") from None


def _graph(adjacency: Any, features: Any, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows of 75 features, and the bonds above the diagonal, of one molecule."""
    width = ATOM_WIDTHS[BLOCK]
    rows = _numbers(features, f"{where}, the features of a molecule")
    joined = _numbers(adjacency, f"{where}, an adjacency matrix")
    rows = rows.reshape(rows.shape[0], -1) if rows.ndim and rows.size else rows
    count = len(rows) if rows.ndim and rows.size else -1
    if rows.shape != (count, width) or joined.shape != (count, count) or count > MOST_ATOMS:
        raise DataError(
            f"{where}: a molecule has features {rows.shape} and adjacency {joined.shape}; they "
            f"must be [atoms, {width}] and [atoms, atoms], of {MOST_ATOMS} atoms at most"
        )
    with np.errstate(invalid="ignore"):
        atoms = rows.astype(np.int8)
    if not (atoms == rows).all():
        raise DataError(f"{where}: the features of an atom are not whole numbers from −128 to 127")
    if not (
        np.isin(joined, (0, 1)).all() and (joined == joined.T).all() and joined.diagonal().all()
    ):
        raise DataError(f"{where}: an adjacency matrix is not A + I, of zeros and ones")
    return atoms, np.argwhere(np.triu(joined, 1))


def _task(molecules: Molecules, y: np.ndarray, column: int, parts: Sequence[Any]) -> SplitAssay:
    """A column of y; its parts count the molecules that have a label there."""
    labelled = np.flatnonzero(y[:, column] >= 0)
    assay = Assay(
        f"assay {column}",
        molecules[labelled],
        y[labelled, column].astype(np.float64),
        Classification(2),
    )
    where = f"{SPLITS[1]}, {assay.name}"
    train, validation, test = (_positions(len(assay), part, where) for part in parts)
    return SplitAssay(assay, train, validation, test)


def _entry(content: Any, where: str, *keys: str | int) -> Any:
    """What stands in dicts and lists under some keys.

    Raises
    ------
    DataError
        Nothing does.
    """
    for number, key in enumerate(keys):
        try:
            content = content[key]
        except (KeyError, IndexError, TypeError):
            path = ", ".join(map(str, keys[:number]))
            raise DataError(
                f"{where}{', ' + path if path else ''} has no {key!r}; the release has "
                f"{', '.join(PARTS)} in {SPLITS[0]} and {SPLITS[1]}, and {', '.join(DEALT)} in "
                f"{SPLITS[1]} and {SPLITS[2]}, with as many lists as there are tasks"
            ) from None
    return content


def _positions(count: int, content: Any, where: str, *keys: str) -> np.ndarray:
    """Positions among `count` things, which stand under some keys."""
    entry, where = _entry(content, where, *keys), ", ".join((where, *keys))
    try:
        found = np.asarray(entry)
    except (TypeError, ValueError):
        raise DataError(f"{where} is no list of whole numbers") from None
    if not found.size:
        return np.empty(0, dtype=np.int64)
    if found.ndim != 1 or found.dtype.kind not in "iu":
        raise DataError(f"{where} is no list of whole numbers")
    if found.min() < 0 or found.max() >= count:
        wrong = found.min() if found.min() < 0 else found.max()
        raise DataError(f"{where} has the position {wrong}, of {count}")
    return found.astype(np.int64)


def _among(assay: Assay, kept: set[str]) -> np.ndarray:
    return np.flatnonzero([name in kept for name in assay.molecules.smiles])


def environment_counts(block: FeatureGraphs) -> Counts:
    """How often each environment of radius 0 to 2 is in each molecule: what a forest can read.

    Environments are numbered as they come, and folded into 2048 columns.
    """
    atoms_of = np.repeat(np.arange(len(block)), np.diff(block.atom_offsets))
    first_atom = np.repeat(block.atom_offsets[:-1], np.diff(block.bond_offsets))
    bonds = block.bonds + first_atom[:, None].astype(np.int32)
    found = distinct_environments(block.atom_code, bonds, block.bond_code, RADIUS, typed=False)
    colour, shells, start = found.atoms.astype(np.int64), [], 0
    for part in reversed(found.rounds):
        shells.append(colour + start)
        start += len(part.own)
        colour = part.own[colour].astype(np.int64)
    shells.append(colour + start)
    keys = np.concatenate(
        [atoms_of * FINGERPRINT_WIDTH + shell % FINGERPRINT_WIDTH for shell in shells]
    )
    distinct, counts = np.unique(keys, return_counts=True)
    rows, columns = np.divmod(distinct, FINGERPRINT_WIDTH)
    offsets = row_offsets(np.bincount(rows, minlength=len(block)))
    return Counts(columns, counts, offsets, FINGERPRINT_WIDTH)

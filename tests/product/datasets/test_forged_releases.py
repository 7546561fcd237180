"""A release whose arrays are of wrong types, shapes or values is refused in words."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from molmeta.datasets.released_study import SPLITS, read_release
from molmeta.errors import DataError, MolmetaError

PARTS = ("train", "val", "test")
EYE = np.eye(2)


def content() -> dict[str, Any]:
    """Three molecules of two atoms each, and three assays."""
    dealt = {
        part: {name: [[row]] for row, name in enumerate(PARTS)}
        for part in ("meta_train", "meta_val", "meta_test")
    }
    return {
        "featurized_data.pkl": {
            "adj": [EYE, np.ones((2, 2)), EYE],
            "feat": [np.zeros((2, 75)), np.ones((2, 75)), np.zeros((2, 75))],
            "y": np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]], dtype=np.float32),
        },
        "meta_split_idx.pkl": {"meta_train": [0], "meta_val": [1], "meta_test": [2]},
        "dataset_split_idx.pkl": dealt,
        "pretraining_split_idx.pkl": {"train": [0], "val": [1], "test": [2]},
    }


def written(folder: Path, found: dict[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, value in found.items():
        (folder / name).write_bytes(pickle.dumps(value))
    return folder


def test_that_release_is_read(tmp_path: Path) -> None:
    study = read_release(written(tmp_path, content()))
    assert [len(part.assay) for part in study.test] == [3]


DATA: dict[str, tuple[str, Any, str]] = {
    "labels of three axes": ("y", np.zeros((3, 1, 1)), "must be .molecules, assays"),
    "labels that are texts": ("y", [["a"], ["b"], ["c"]], "no array of numbers"),
    "labels of no axis": ("y", 1.0, "must be .molecules, assays"),
    "labels that are nothing": ("y", None, "shape"),
    "labels of different lengths": ("y", [[0, 1, 1], [1], [1, 0, 1]], "no array of numbers"),
    "labels beyond numbers": ("y", [[10**400] * 3] * 3, "no array of numbers"),
    "labels that are huge": ("y", np.full((3, 3), 1e300), "labels must be 0, 1"),
    "adjacencies that are a number": ("adj", 3, "lists of arrays"),
    "adjacencies of no axis": ("adj", np.array(3.0), "lists of arrays"),
    "adjacencies by name": ("adj", {"a": EYE, "b": EYE, "c": EYE}, "lists of arrays"),
    "an adjacency that is text": ("adj", ["x", EYE, EYE], "no array of numbers"),
    "an adjacency of one axis": ("adj", [np.ones(2), EYE, EYE], "must be .atoms, 75"),
    "an adjacency with NaN": ("adj", [EYE * np.nan, EYE, EYE], "not A . I"),
    "features that are a number": ("feat", [1.0] * 3, "must be .atoms, 75"),
    "features of no atom": ("feat", [np.zeros((0, 75))] * 3, "must be .atoms, 75"),
    "features that are nothing": ("feat", [None] * 3, "must be .atoms, 75"),
    "features with halves": ("feat", [np.full((2, 75), 0.5)] * 3, "whole numbers"),
    "features with NaN": ("feat", [np.full((2, 75), np.nan)] * 3, "whole numbers"),
    "features beyond a byte": ("feat", [np.full((2, 75), 300)] * 3, "whole numbers"),
}


@pytest.mark.parametrize("kind", DATA)
def test_wrong_arrays_are_refused(kind: str, tmp_path: Path) -> None:
    name, value, said = DATA[kind]
    found = content()
    found["featurized_data.pkl"][name] = value
    with pytest.raises(DataError, match=said):
        read_release(written(tmp_path, found))


def test_a_release_of_no_molecule_is_refused(tmp_path: Path) -> None:
    found = content()
    found["featurized_data.pkl"] = {"adj": [], "feat": [], "y": np.zeros((0, 3))}
    with pytest.raises(DataError, match="0 molecules"):
        read_release(written(tmp_path, found))


WRONG: list[Callable[[Any], Any]] = [
    lambda value: None,
    lambda value: 3.5,
    lambda value: "text",
    lambda value: [value, [value]],
    lambda value: {"train": value},
    lambda value: np.array(7),
    lambda value: np.array([[1.5, np.nan]]),
    lambda value: [10**30],
    lambda value: [[[[]]]],
    lambda value: {1, 2},
]


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where a value stands in dicts and lists: all of it, and each part."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    found = [at]
    if isinstance(value, dict | list):
        for key, part in inside:
            found += places(part, (*at, key)) if isinstance(part, dict | list) else [(*at, key)]
    return found


@pytest.mark.parametrize("name", SPLITS)
def test_anything_in_the_place_of_a_list_is_refused_or_read(name: str, tmp_path: Path) -> None:
    refused = 0
    for place in places(content()[name]):
        for change in WRONG:
            found = content()
            if place:
                holder = found[name]
                for key in place[:-1]:
                    holder = holder[key]
                holder[place[-1]] = change(holder[place[-1]])
            else:
                found[name] = change(found[name])
            try:
                read_release(written(tmp_path, found))
            except MolmetaError as error:
                refused += 1
                assert "\n" not in str(error)
    assert refused > 20

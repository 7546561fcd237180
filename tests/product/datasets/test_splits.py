"""A split is a list of names that anybody can draw again, and it keeps molecules apart."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from molmeta.datasets.splits import (
    draw_split,
    read_groups,
    read_split,
    split_assays,
    split_molecules,
)
from molmeta.errors import ConfigError, DataError, TooFewMeasurements
from molmeta.molecules.identity import scaffolds
from molmeta.molecules.molecules import Molecules
from molmeta.tasks.assay import Assay, Assays
from molmeta.tasks.targets import Regression

FS_MOL = Path(__file__).parents[4] / "shared" / "data" / "fsmol_assays.csv.gz"


@pytest.fixture
def assays(smiles) -> Assays:
    """Eight assays that share molecules, of 6 to 13."""
    store = Molecules(smiles)
    return Assays(
        Assay(f"assay {i}", store[np.arange(i, 2 * i + 6)], np.arange(i + 6.0), Regression())
        for i in range(8)
    )


def test_a_split_depends_on_its_seed_alone_and_draws_among_the_large(assays):
    names = draw_split(assays, 2, 3, least=8, seed=1)
    assert names == draw_split(Assays(reversed(list(assays.values()))), 2, 3, least=8, seed=1)
    assert len(names["validation"]) == 2 and len(names["test"]) == 3
    assert not set(names["validation"]) & set(names["test"])
    assert all(len(assays[name]) >= 8 for part in names.values() for name in part)
    assert any(draw_split(assays, 2, 3, least=8, seed=s) != names for s in range(2, 6))


def test_too_few_large_assays_are_refused(assays):
    with pytest.raises(TooFewMeasurements, match="2 assays have 12 measurements or more"):
        draw_split(assays, 1, 2, least=12)


def test_molecules_of_the_parts_are_disjoint(assays):
    names = {"validation": ["assay 3"], "test": ["assay 4"]}
    train, validation, test = split_assays(assays, names)
    assert test.smiles() == set(assays["assay 4"].molecules.smiles)
    assert not train.smiles() & (validation.smiles() | test.smiles())
    assert not validation.smiles() & test.smiles()
    outside = set(assays["assay 3"].molecules.smiles) | test.smiles()
    assert train.smiles() == assays.smiles() - outside
    assert all(len(assay) for assay in train.values())


def test_overlapping_parts_keep_every_measurement(assays):
    names = {"validation": ["assay 3"], "test": ["assay 4"]}
    parts = split_assays(assays, names, "overlapping")
    assert sum(len(a) for part in parts for a in part.values()) == sum(map(len, assays.values()))


def test_scaffolds_of_the_parts_are_disjoint(assays):
    names = {"validation": ["assay 3"], "test": ["assay 5"]}  # with one of five benzodiazepines
    parts = split_assays(assays, names, "scaffold-disjoint")
    rings = [set(scaffolds(sorted(part.smiles()))) for part in parts]
    assert not rings[0] & (rings[1] | rings[2]) and not rings[1] & rings[2]
    assert parts.test.smiles() == set(assays["assay 5"].molecules.smiles)
    looser = split_assays(assays, names)
    assert parts.train.smiles() < looser.train.smiles()


def test_halves_of_the_molecules_are_tested_in_turn(assays):
    names = {"train": ["assay 6", "assay 7"], "validation": ["assay 5"], "test": ["assay 4"]}
    splits = split_molecules(assays, names, seed=1)
    whole = assays["assay 4"].molecules.smiles
    tested = [split.test[f"assay 4 {n}"].molecules.smiles for n, split in enumerate(splits, 1)]
    assert sorted(tested[0] + tested[1]) == sorted(whole)
    for train, validation, test in splits:
        assert not train.smiles() & (validation.smiles() | test.smiles())
        assert not validation.smiles() & test.smiles()
        assert len(train.smiles()) > len(validation.smiles()) > 0
    again = split_molecules(assays, names, seed=1)
    assert [s.test.smiles() for s in again] == [s.test.smiles() for s in splits]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is no split"),
        ('{"test": ["a"]}', "lists of names"),
        ('{"test": ["a"], "validation": ["a"]}', "a twice"),
    ],
)
def test_a_file_that_is_no_split_is_refused(tmp_path, content, said):
    path = tmp_path / "split.json"
    path.write_text(content)
    with pytest.raises(DataError, match=said):
        read_split(path)


def test_a_written_split_is_read_and_an_unknown_assay_is_named(tmp_path, assays):
    names = draw_split(assays, 1, 1, least=8)
    path = tmp_path / "split.json"
    path.write_text(json.dumps(names))
    assert read_split(path) == names
    with pytest.raises(DataError, match="assay 9"):
        split_assays(assays, {"validation": ["assay 9"], "test": []})


def test_a_protocol_that_is_not_there_is_refused(assays):
    with pytest.raises(ConfigError, match="molecule-disjoint"):
        split_assays(assays, {"validation": [], "test": ["assay 1"]}, "molecule disjoint")


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("chembl22", (40, 40)),
        ("fsmol", (39, 157)),
        ("tox21", (2, 3)),
        ("sider", (3, 6)),
        ("muv", (2, 5)),
    ],
)
def test_shipped_splits_are_read_by_name(name, counts):
    names = read_split(name)
    assert (len(names["validation"]), len(names["test"])) == counts


def test_the_split_of_chembl_22_is_drawn_as_it_says():
    path = Path(__file__).parents[4] / "shared" / "data" / "chembl22_assays.csv.gz"
    if not path.exists():
        pytest.skip("no ../shared/data/chembl22_assays.csv.gz beside the checkout")
    sizes = pd.read_csv(path)["assay_id"].value_counts()
    sized = Assays(
        Assay(str(name), np.zeros(int(count)), np.zeros(int(count)), Regression())
        for name, count in sizes.items()
    )
    assert draw_split(sized, 40, 40, name="chembl22") == read_split("chembl22")


def test_the_split_of_the_study_learns_from_binding_and_functional_assays_alone():
    rows = pd.read_csv(FS_MOL) if FS_MOL.exists() else pytest.skip(f"{FS_MOL} is not there")
    kinds = rows.groupby("assay_id")["assay_type"].first()
    parts = rows.groupby("assay_id")["split"].first()
    names, groups = read_split("nguyen2020"), read_groups("nguyen2020")
    assert [len(names[part]) for part in ("train", "validation", "test")] == [863, 16, 53]
    assert set(groups) == set(names["test"])
    learned = [*names["train"], *names["validation"]]
    inside = [name for name, group in groups.items() if group == "in-distribution"]
    assert set(kinds[learned]) | set(kinds[inside]) == {"B", "F"}
    assert set(parts[names["train"]]) == {"train"} and set(parts[inside]) == {"test"}
    assert set(kinds[[n for n, g in groups.items() if g == "out-of-distribution"]]) == {"A"}


def test_groups_that_are_no_lists_are_refused(tmp_path):
    path = tmp_path / "split.json"
    path.write_text(json.dumps({"validation": [], "test": ["a"], "groups": {"x": "a"}}))
    assert read_split(path)["test"] == ["a"]
    with pytest.raises(DataError, match="its groups are no lists of names"):
        read_groups(path)
    assert read_groups("chembl22") == {}

"""The package itself: light to import, safe to load, true to its papers' names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from product_commands import python

import molmeta
from molmeta import registry

ROOT = Path(__file__).parents[2]


def test_import_loads_neither_deepchem_nor_anything_heavy() -> None:
    code = (
        "import sys, socket\n"
        "def refuse(*a, **k): raise AssertionError('the network was asked')\n"
        "socket.socket.connect = refuse\n"
        "import molmeta\n"
        "heavy = {'torch', 'rdkit', 'pandas', 'deepchem', 'torch_geometric', 'sklearn'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "for name in molmeta.__all__: getattr(molmeta, name)\n"
        "assert not {'deepchem', 'torch_geometric', 'matplotlib'} & set(sys.modules)\n"
    )
    done = python("-c", code)
    assert done.returncode == 0, done.stderr


def test_public_names_are_documented() -> None:
    for name in molmeta.__all__:
        assert (getattr(molmeta, name).__doc__ or "").strip(), name


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        molmeta.nothing  # noqa: B018


def test_registered_names_exist() -> None:
    for kind in ("encoder", "learner", "featurizer"):
        for name in registry.names(kind):
            assert callable(registry.lookup(kind, name))


def test_shipped_experiments_build() -> None:
    from molmeta.models.config import experiment_names, load_experiment

    assert {"prototypical", "anil", "random_forest", "nearest_neighbours"} <= set(
        experiment_names()
    )
    for name in experiment_names():
        assert load_experiment(name).model.build() is not None


def test_nothing_that_runs_code_is_loaded() -> None:
    restricted = ROOT / "molmeta" / "datasets" / "gsk2020.py"  # its tests: test_released_study.py
    for path in {*(ROOT / "molmeta").rglob("*.py")} - {restricted}:
        found = re.search(r"\bpickle\b|torch\.load\(|joblib\.load", path.read_text())
        assert found is None, f"{path}: {found and found.group()}"


def test_help_names_every_verb() -> None:
    done = python("-m", "molmeta", "--help")
    assert done.returncode == 0
    for verb in ("train", "adapt", "screen", "benchmark", "demo"):
        assert verb in done.stdout
        assert python("-m", "molmeta", verb, "--help").returncode == 0

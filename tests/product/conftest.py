"""A small product: real assays cut down, an experiment that trains in seconds, and a command."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from product_commands import adapt_command

from molmeta.cli.main import main
from molmeta.datasets.chembl import load_embedded

ROOT = Path(__file__).parents[2]
EXPERIMENT = """
[model.learner]
name = "prototypical"

[model.encoder]
name = "gin"
width = 8
layers = 2

[episodes]
support_sizes = [8]
query_size = 16
meta_batch_size = 2

[training]
steps = 6
evaluate_every = 2
validation_draws = 1
"""


@pytest.fixture(scope="session")
def script() -> Callable[[str], ModuleType]:
    """A script of the repository as a module, by its path there."""

    def load(path: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def long_table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five real assays, 60 molecules each, as `smiles,assay_id,pactivity`."""
    names = [
        "CHEMBL2047_EC50",
        "CHEMBL1862_Ki",
        "CHEMBL4616_EC50",
        "CHEMBL2971_Ki",
        "CHEMBL1871_Ki",
    ]
    parts = []
    for name in names:
        assay = load_embedded()[name]
        index = np.random.default_rng(0).permutation(len(assay))[:60]
        part = assay.take(index)
        values = {"smiles": part.molecules.smiles, "assay_id": name, "pactivity": part.values}
        parts.append(pd.DataFrame(values))
    path = tmp_path_factory.mktemp("data") / "assays.csv"
    pd.concat(parts).to_csv(path, index=False)
    return path


@pytest.fixture(scope="session")
def new_assay(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """32 measurements of one more assay, as a chemist has them."""
    assay = load_embedded()["CHEMBL4203_Ki"].take(np.arange(32))
    path = tmp_path_factory.mktemp("new") / "new.csv"
    frame = pd.DataFrame({"smiles": assay.molecules.smiles, "pKi": assay.values})
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment that trains in seconds."""
    path = tmp_path_factory.mktemp("config") / "small.toml"
    path.write_text(EXPERIMENT)
    return path


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory, config: Path, long_table: Path) -> Path:
    """A model folder, made by the command line."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    code = main(
        [
            *("train", "--config", str(config), "--data-path", str(long_table)),
            *("--save-dir", str(folder), "--device", "cpu"),
        ]
    )
    assert code == 0
    return folder


@pytest.fixture(scope="session")
def assay(tmp_path_factory: pytest.TempPathFactory, model: Path, new_assay: Path) -> Path:
    """An adapted assay, made by the command line."""
    path = tmp_path_factory.mktemp("assay") / "new.safetensors"
    assert main(adapt_command(new_assay, model, path)) == 0
    return path

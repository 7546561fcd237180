"""Features that are kept: the same output, found by whoever has the same rows, made again."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from library_files import CONTENTS, SMILES
from rdkit import Chem

from molmeta.cli.main import main
from molmeta.datasets.chembl import load_embedded
from molmeta.encoders.gin import GIN
from molmeta.featurizers.standardisation import Policy
from molmeta.models import CHUNK
from molmeta.models.base import AdaptedAssay, BaseModel
from molmeta.models.checkpoints import from_pretrained
from molmeta.models.config import Experiment, Model
from molmeta.molecules import Block
from molmeta.molecules.describing import featurize
from molmeta.screening import features as module
from molmeta.screening import screen
from molmeta.screening.features import FeatureStore
from molmeta.screening.reading import Ask, MoleculeReader


@pytest.fixture(scope="module")
def adapted() -> AdaptedAssay:
    """The shipped model with 32 measurements."""
    return from_pretrained().adapt(load_embedded()["CHEMBL4203_Ki"].take(np.arange(32)))


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """More than a chunk of rows, some of them without a molecule."""
    known = load_embedded()["CHEMBL4203_Ki"].molecules.smiles[:40]
    rows = [*SMILES, *known, ""] * (CHUNK // 60 + 2)
    (tmp_path / "library.csv").write_text("smiles\n" + "".join(f'"{text}"\n' for text in rows))
    return tmp_path / "library.csv"


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*.safetensors"))


def refuse_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a molecule was read again")

    monkeypatch.setattr(MoleculeReader, "__call__", refuse)


def test_the_output_is_the_same_without_and_nothing_is_read_twice(
    adapted: AdaptedAssay, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "kept"
    assert screen(adapted, library, tmp_path / "a.csv").features == ""
    first = screen(adapted, library, tmp_path / "b.csv", features=kept)
    assert str(first).endswith(f"features were put into {kept}")
    assert len(files(kept)) == 2
    refuse_to_read(monkeypatch)
    again = screen(adapted, library, tmp_path / "c.csv", features=kept)
    assert str(again).endswith(f"features were taken from {kept}")
    outputs = [(tmp_path / f"{name}.csv").read_bytes() for name in "abc"]
    assert outputs[0] == outputs[1] == outputs[2]
    assert again.statuses == first.statuses and set(first.statuses) == {"ok", "empty", "invalid"}


def test_workers_read_and_write_the_same_files(
    adapted: AdaptedAssay, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    screen(adapted, library, "a.csv", engine_name="local", workers=2, features="kept")
    assert len(files(tmp_path / "kept")) == 2
    refuse_to_read(monkeypatch)
    screen(adapted, library, "b.csv", features="kept")
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


@pytest.mark.parametrize("suffix", CONTENTS)
def test_every_format_is_kept(
    suffix: str, adapted: AdaptedAssay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, kept = tmp_path / f"library{suffix}", tmp_path / "kept"
    path.write_text(CONTENTS[suffix])
    screen(adapted, path, tmp_path / "a.csv", features=kept)
    refuse_to_read(monkeypatch)
    screen(adapted, path, tmp_path / "b.csv", features=kept)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_rows_are_found_in_another_library(
    adapted: AdaptedAssay, library: Path, tmp_path: Path
) -> None:
    kept, longer = tmp_path / "kept", tmp_path / "longer.csv"
    screen(adapted, library, tmp_path / "a.csv", features=kept)
    texts = library.read_text().splitlines()[1:]
    longer.write_text("id,smiles\n" + "".join(f"x,{text}\n" for text in [*texts, "CCCC"]))
    assert "taken" in screen(adapted, longer, tmp_path / "b.csv", features=kept).features
    assert len(files(kept)) == 3


def test_what_rows_are_made_into_features_by_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, blocks = [Ask("CCO"), Ask("", "invalid", "why")], ["ecfp4", "descriptors"]

    usual = Policy()

    def path(policy: Policy = usual, kind: str = "smiles", names: list[str] = blocks) -> Path:
        return FeatureStore(tmp_path, policy, kind, names).path(rows)  # type: ignore

    others = [path(Policy(neutralise=False)), path(kind="molblock"), path(names=["ecfp4"])]
    others.append(FeatureStore(tmp_path, Policy(), "smiles", blocks).path(rows[::-1]))
    monkeypatch.setattr(module, "made_by", lambda name: f"other code of {name}")
    others.append(path())
    monkeypatch.undo()
    monkeypatch.setattr(module.rdkit, "__version__", "1900.01.1")
    others.append(path())
    monkeypatch.undo()
    assert path() == path()
    assert len({path(), *others}) == 7


@pytest.mark.parametrize("damage", ["cut", "changed", "empty"])
def test_a_damaged_file_is_made_again(
    damage: str, adapted: AdaptedAssay, library: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    screen(adapted, library, tmp_path / "a.csv", features=kept)
    whole = {path: path.read_bytes() for path in files(kept)}
    for path, content in whole.items():
        half = len(content) // 2
        changed = content[:half] + bytes([content[half] ^ 1]) + content[half + 1 :]
        path.write_bytes({"cut": content[:half], "changed": changed, "empty": b""}[damage])
    with pytest.warns(UserWarning, match="is damaged .* and is made again"):
        screen(adapted, library, tmp_path / "b.csv", features=kept)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    assert {path: path.read_bytes() for path in files(kept)} == whole
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        screen(adapted, library, tmp_path / "c.csv", features=kept)


def test_a_folder_that_cannot_be_written_to_is_warned_of(
    adapted: AdaptedAssay, tmp_path: Path
) -> None:
    (tmp_path / "kept").write_text("a file")
    (tmp_path / "library.smi").write_text("CCO\nCCN\n")
    with pytest.warns(UserWarning, match="could not be kept"):
        screen(adapted, tmp_path / "library.smi", tmp_path / "a.csv", features=tmp_path / "kept")
    assert (tmp_path / "a.csv").read_text().count(",ok,") == 2


def test_a_chunk_with_a_molecule_that_cannot_be_described_is_not_kept(
    adapted: AdaptedAssay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def odd(mols: list[Chem.Mol], names: list[str]) -> dict[str, Block]:
        if any(mol.GetNumAtoms() == 1 for mol in mols):
            raise RuntimeError("it cannot be described")
        return featurize(mols, names)

    monkeypatch.setattr("molmeta.molecules.molecules.featurize", odd)
    (tmp_path / "library.smi").write_text("CCO\nC\nCCN\n")
    kept = tmp_path / "kept"
    for name in "ab":
        found = screen(adapted, tmp_path / "library.smi", tmp_path / f"{name}.csv", features=kept)
        assert found.statuses == {"ok": 2, "failed": 1}
    assert files(kept) == []


def test_a_model_without_blocks_says_so(adapted: AdaptedAssay, tmp_path: Path) -> None:
    experiment = Experiment("constant", Model({"name": "constant"}, {"name": "features"}))
    base = BaseModel(experiment.model.build().eval(), experiment, "")
    store = FeatureStore.of(tmp_path, replace(base, learner=adapted.base.learner.learner), "smiles")  # type: ignore
    assert store.blocks == () and store.path([Ask("CCO")]) is None
    assert "were not kept" in store.told([Ask("CCO")])


def test_the_command_keeps_features(
    model: Path, assay: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "library.smi").write_text("CCO\nCCN\n")
    command = ["screen", "--test-path", str(tmp_path / "library.smi"), "--engine", "here"]
    command += ["--model-path", str(model), "--assay-path", str(assay)]
    command += ["--features", str(tmp_path / "kept")]
    for name, told in (("a", "put into"), ("b", "taken from")):
        assert not main([*command, "--preds-path", str(tmp_path / f"{name}.csv")])
        assert f"features were {told} {tmp_path / 'kept'}" in capsys.readouterr().err
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


@pytest.mark.parametrize("name", ["default", "anil"])
def test_vectors_of_a_network_that_stays_are_kept_in_place_of_its_graphs(
    name: str, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, assay = from_pretrained(name), load_embedded()["CHEMBL4203_Ki"].take(np.arange(32))
    adapted = base.adapt(assay if name == "default" else assay.binarise())
    kept = tmp_path / "kept"
    screen(adapted, library, tmp_path / "a.csv", features=kept)
    store = FeatureStore.of(kept, base, "smiles")
    assert store.networks and "graph" in base.blocks and "graph" not in store.blocks
    monkeypatch.setattr(GIN, "forward", None)
    screen(adapted, library, tmp_path / "b.csv", features=kept)
    assert (tmp_path / "b.csv").read_bytes() == (tmp_path / "a.csv").read_bytes()


def test_other_weights_have_other_features(adapted: AdaptedAssay, tmp_path: Path) -> None:
    rows = [Ask(text) for text in SMILES]
    store = FeatureStore.of(tmp_path, adapted.base, "smiles")
    again = FeatureStore.of(tmp_path, from_pretrained(), "smiles")
    assert store.path(rows) == again.path(rows)
    base = from_pretrained()
    with torch.no_grad():
        next(iter(FeatureStore.of(tmp_path, base, "smiles").networks.values())).factor[0, 0] += 1e-3
    assert FeatureStore.of(tmp_path, base, "smiles").path(rows) != store.path(rows)

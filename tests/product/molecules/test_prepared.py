"""Features that are kept on disk: the same as computed, opened again, made again when damaged."""

from __future__ import annotations

import json
import pickle
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from molmeta import registry
from molmeta.encoders.gin import GIN
from molmeta.files import keep_arrays, kept_arrays
from molmeta.molecules.blocks import Block
from molmeta.molecules.molecules import Molecules

BLOCKS = ("graph", "atoms75", "ecfp4", "descriptors")


def same(a: Block, b: Block) -> None:
    """Every array of two blocks is equal."""
    assert type(a) is type(b)
    for field in fields(a):  # type: ignore[arg-type]
        np.testing.assert_array_equal(getattr(a, field.name), getattr(b, field.name))


def kept(smiles: list[str], folder: Path) -> Molecules:
    """Molecules whose blocks are kept."""
    return Molecules(smiles).keep_in(folder)


def test_what_is_opened_is_what_was_computed(drugs: Molecules, tmp_path: Path) -> None:
    kept(drugs.smiles, tmp_path).compute(*BLOCKS)
    again, fresh = kept(drugs.smiles, tmp_path), Molecules(drugs.smiles)
    for name in BLOCKS:
        same(again.block(name), fresh.block(name))
    assert isinstance(again.block("graph").atom_code, np.memmap)


def test_environments_are_kept_too(drugs: Molecules, tmp_path: Path) -> None:
    encoder = GIN(8, 3, bonds=True)
    first = encoder(kept(drugs.smiles, tmp_path))
    assert list(tmp_path.glob("*/graph-environments-3-typed-*/rounds*")) == []
    assert list(tmp_path.glob("*/graph-environments-3-typed-*/own-2.npy"))
    again = kept(drugs.smiles, tmp_path)
    assert np.array_equal(encoder(again).detach(), first.detach())
    found = again.environments(3, typed=True)
    assert isinstance(found.atoms, np.memmap) and len(found.rounds) == 3


def test_nothing_is_computed_when_it_is_there(
    drugs: Molecules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(drugs.smiles, tmp_path).compute("ecfp4")

    def refuse(*_: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr("molmeta.molecules.molecules.featurize_smiles", refuse)
    kept(drugs.smiles, tmp_path).compute("ecfp4")
    with pytest.raises(AssertionError):  # of other molecules nothing is kept
        kept(drugs.smiles[1:], tmp_path).compute("ecfp4")


def test_another_featuriser_is_another_block(
    drugs: Molecules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(drugs.smiles, tmp_path).compute("ecfp4")
    monkeypatch.setattr("molmeta.molecules.prepared.rdkit.__version__", "2100.01.1")
    from molmeta.molecules import prepared

    prepared.made_by.cache_clear()
    assert prepared.Prepared(tmp_path, drugs.smiles).block("ecfp4") is None
    prepared.made_by.cache_clear()


@pytest.mark.filterwarnings("ignore:.*is damaged")
def test_a_flipped_bit_is_found_and_mended(drugs: Molecules, tmp_path: Path) -> None:
    kept(drugs.smiles, tmp_path).compute("ecfp4")
    (path,) = tmp_path.glob("*/ecfp4-*/counts.npy")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    mended = kept(drugs.smiles, tmp_path)
    same(mended.block("ecfp4"), Molecules(drugs.smiles).block("ecfp4"))
    same(kept(drugs.smiles, tmp_path).block("ecfp4"), mended.block("ecfp4"))


@pytest.mark.parametrize("deep", [False, True], ids=("edited", "nested"))
def test_what_is_said_of_kept_arrays_has_a_checksum(
    deep: bool, drugs: Molecules, tmp_path: Path
) -> None:
    kept(drugs.smiles, tmp_path).compute("ecfp4")
    (path,) = tmp_path.glob("*/ecfp4-*/arrays.json")
    text = path.read_text()
    assert '"width": 2048' in text
    path.write_text("[" * 100_000 if deep else text.replace('"width": 2048', '"width": 4096'))
    with pytest.warns(UserWarning, match="is damaged"):
        mended = kept(drugs.smiles, tmp_path).block("ecfp4")
    same(mended, Molecules(drugs.smiles).block("ecfp4"))
    assert path.read_text() == text


def test_what_an_earlier_version_kept_is_made_again(drugs: Molecules, tmp_path: Path) -> None:
    kept(drugs.smiles, tmp_path).compute("ecfp4")
    (path,) = tmp_path.glob("*/ecfp4-*/arrays.json")
    text = path.read_text()
    old = {key: part for key, part in json.loads(text).items() if key != "header_sha256"}
    path.write_text(json.dumps(old))
    kept(drugs.smiles, tmp_path).compute("ecfp4")
    assert path.read_text() == text


def test_a_disk_that_refuses_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.warns(UserWarning, match="could not be kept"):
        keep_arrays(tmp_path / "file" / "block", {"a": np.arange(3)}, {})
    assert kept_arrays(tmp_path / "file" / "block") is None


def test_another_process_opens_what_is_kept(drugs: Molecules, tmp_path: Path) -> None:
    one = kept(drugs.smiles, tmp_path).compute("graph", "ecfp4")
    size = len(pickle.dumps(Molecules(drugs.smiles)))
    sent = pickle.dumps(one[3:5])
    assert len(sent) < size + 1000, "blocks that are on disk were sent along"
    same(pickle.loads(sent).block("graph"), one.block("graph"))


def test_a_featuriser_without_a_file_is_computed_only(drugs: Molecules, tmp_path: Path) -> None:
    source = registry._TABLE["featurizer"]
    made_in_a_notebook = type("Own", (), dict(vars(registry.lookup("featurizer", "descriptors"))))
    made_in_a_notebook.__module__ = "a notebook"
    source["own"] = made_in_a_notebook
    try:
        kept(drugs.smiles, tmp_path).compute("own")
        assert not list(tmp_path.glob("*/own-*"))
    finally:
        del source["own"]

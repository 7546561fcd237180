"""The 75 atom features of Nguyen et al. 2020: RDKit's own values, and where OpenEye's differ."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem

from molmeta.featurizers.atoms75 import HYBRIDISATIONS, SIZES, SYMBOLS, Atoms75
from molmeta.molecules.molecules import Molecules

STARTS = dict(zip(SIZES, np.cumsum([0, *SIZES.values()])[:-1], strict=True))


def rows(smiles: str) -> np.ndarray:
    """The features of the atoms of one molecule."""
    return np.array(Atoms75().row(Chem.MolFromSmiles(smiles))[0])


def value(features: np.ndarray, name: str) -> int:
    """What a part of an atom's row says: a position, or a number."""
    part = features[STARTS[name] : STARTS[name] + SIZES[name]]
    if SIZES[name] == 1:
        return int(part[0])
    assert part.sum() == 1 and set(part) <= {0, 1}
    return int(part.argmax())


def test_the_sizes_are_the_papers():
    assert list(SIZES.values()) == [44, 11, 7, 1, 6, 1, 5]
    assert sum(SIZES.values()) == 75


def test_every_part_is_what_rdkit_says(smiles):
    seen = set()
    for text in [*smiles, "F[P-](F)(F)(F)(F)F", "CS(C)(=O)=O", "[2H]OC", "O=S(=O)(O)c1cccnc1"]:
        mol = Chem.MolFromSmiles(text)
        for atom, features in zip(mol.GetAtoms(), rows(text), strict=True):
            symbol = value(features, "symbol")
            assert ([*SYMBOLS, "other"][symbol] == atom.GetSymbol()) == (symbol < 43)
            assert value(features, "degree") == atom.GetDegree()
            assert value(features, "implicit hydrogens") == atom.GetTotalNumHs()
            assert value(features, "charge") == atom.GetFormalCharge()
            assert value(features, "aromatic") == atom.GetIsAromatic()
            explicit = sum(a.GetSymbol() == "H" for a in atom.GetNeighbors())
            assert value(features, "explicit hydrogens") == explicit
            kind = value(features, "hybridisation")
            known = atom.GetHybridization() in HYBRIDISATIONS
            assert kind == (HYBRIDISATIONS.index(atom.GetHybridization()) + 1 if known else 0)
            seen.add((atom.GetSymbol(), kind))
    assert {kind for _, kind in seen} == {0, 1, 2, 3, 5}


def test_an_element_of_no_name_is_the_last():
    (features,) = rows("[Rn]")
    assert value(features, "symbol") == 43 and SYMBOLS.index("Pb") == 42


class TestWhereTheToolkitsDiffer:
    """Each difference that `atoms75.py` lists, on a molecule that shows it."""

    @pytest.mark.parametrize(
        ("smiles", "atom", "count"),
        [
            ("c1ccc2[nH]ccc2c1", 4, 1),  # indole
            ("C[C@@H](N)C(=O)O", 1, 1),  # alanine
            ("[NH4+]", 0, 4),
            ("CC(C)Cc1ccc(C(C)C(=O)O)cc1", 0, 3),
        ],
    )
    def test_bracketed_hydrogens_count_as_implicit(self, smiles, atom, count):
        features = rows(smiles)[atom]
        assert value(features, "implicit hydrogens") == count
        assert value(features, "explicit hydrogens") == 0

    def test_an_isotope_of_hydrogen_is_an_atom_and_its_neighbours_explicit_one(self):
        hydrogen, oxygen, carbon = rows("[2H]OC")
        assert value(hydrogen, "symbol") == SYMBOLS.index("H")
        assert [value(a, "explicit hydrogens") for a in (oxygen, carbon)] == [1, 0]
        assert value(oxygen, "implicit hydrogens") == 0

    @pytest.mark.parametrize(
        ("smiles", "atom"),
        [
            ("CC(=O)NC", 3),  # the N of an amide
            ("CC(=O)OC", 3),  # the O of an ester
            ("Nc1ccccc1", 0),  # aniline
            ("COc1ccccc1", 1),  # anisole
        ],
    )
    def test_conjugated_n_and_o_are_sp2_to_rdkit(self, smiles, atom):
        assert value(rows(smiles)[atom], "hybridisation") == 2
        assert value(rows("CNC")[1], "hybridisation") == 3  # without conjugation: sp3

    @pytest.mark.parametrize(
        ("smiles", "aromatic"),
        [
            ("O=c1cc[nH]cc1", 6),  # 4-pyridone: RDKit's ring is aromatic, carbonyl C and all
            ("C1=CC=CC=C1", 6),
            ("O=C1C=CC(=O)C=C1", 0),  # quinone
            ("c1cc[te]c1", 5),
        ],
    )
    def test_aromaticity_is_rdkits(self, smiles, aromatic):
        assert sum(value(features, "aromatic") for features in rows(smiles)) == aromatic

    def test_charges_are_read_as_written(self):
        charges = [value(features, "charge") for features in rows("C[N+](=O)[O-]")]
        assert charges == [0, 1, 0, -1]

    def test_what_the_release_refuses_is_the_end_of_its_range(self):
        crowded = Chem.RWMol(Chem.MolFromSmiles("[U]" + "." + ".".join(["F"] * 12)))
        for i in range(1, 13):
            crowded.AddBond(0, i, Chem.BondType.SINGLE)
            crowded.GetAtomWithIdx(i).SetNoImplicit(True)
        crowded.UpdatePropertyCache(strict=False)
        features = np.array(Atoms75().row(crowded.GetMol())[0])
        assert value(features[0], "degree") == 10
        assert value(features[0], "hybridisation") == 0


def test_the_block_holds_the_rows_of_each_molecule_and_every_bond_once(molecules):
    block = molecules.block("atoms75")
    assert len(block) == len(molecules)
    for i, text in enumerate(molecules.smiles):
        atoms = slice(*block.atom_offsets[i : i + 2])
        found = block.atom_features()[block.atom_code[atoms]]
        assert np.array_equal(found, rows(text))
        mol = Chem.MolFromSmiles(text)
        bonds = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in mol.GetBonds()]
        assert block.bonds[slice(*block.bond_offsets[i : i + 2])].tolist() == [*map(list, bonds)]


def test_blocks_of_two_stores_are_joined(smiles):
    joined = Molecules.cat(
        [Molecules(smiles[:9]).compute("atoms75"), Molecules(smiles[9:]).compute("atoms75")]
    )
    whole = Molecules(smiles).block("atoms75")
    found = joined.block("atoms75")
    assert np.array_equal(
        found.atom_features()[found.atom_code], whole.atom_features()[whole.atom_code]
    )
    assert np.array_equal(found.bonds, whole.bonds)
    assert np.array_equal(found.atom_offsets, whole.atom_offsets)

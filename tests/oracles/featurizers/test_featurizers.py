"""Every feature block equals what RDKit says of the molecule."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import Crippen, rdFingerprintGenerator, rdMolDescriptors
from rdkit.Chem import Descriptors as RDKitDescriptors

from molmeta.featurizers import weisfeiler_lehman
from molmeta.featurizers.descriptors import DESCRIPTORS, MEANS, SPREADS
from molmeta.featurizers.graph import BOND_TYPES, ELEMENTS, HYBRIDISATIONS, GraphFeaturizer
from molmeta.molecules.blocks import ATOM_SIZES, BLOCK_WIDTHS, BOND_SIZES
from molmeta.molecules.molecules import Molecules


def test_ecfp4_equals_rdkit(molecules, rdkit_molecules):
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    expected = np.stack([generator.GetCountFingerprintAsNumPy(mol) for mol in rdkit_molecules])
    found = molecules.block("ecfp4").dense()
    assert found.shape == (len(molecules), BLOCK_WIDTHS["ecfp4"])
    assert expected.max() > 1
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("name", "generator"),
    [
        ("ecfp6", rdFingerprintGenerator.GetMorganGenerator(radius=3, fpSize=2048)),
        (
            "fcfp4",
            rdFingerprintGenerator.GetMorganGenerator(
                radius=2,
                fpSize=2048,
                atomInvariantsGenerator=rdFingerprintGenerator.GetMorganFeatureAtomInvGen(),
            ),
        ),
        ("torsion", rdFingerprintGenerator.GetTopologicalTorsionGenerator(fpSize=2048)),
        ("atom_pair", rdFingerprintGenerator.GetAtomPairGenerator(fpSize=2048)),
    ],
)
def test_other_fingerprints_equal_rdkit(name, generator, molecules, rdkit_molecules):
    expected = np.stack([generator.GetCountFingerprintAsNumPy(mol) for mol in rdkit_molecules])
    found = molecules.block(name).dense()
    np.testing.assert_array_equal(found, np.minimum(expected, 255))
    assert expected.sum() > 0


def test_ecfp4_keeps_a_count_above_255_as_255():
    paraffin = "C" * 400
    counts = rdFingerprintGenerator.GetMorganGenerator(
        radius=2, fpSize=2048
    ).GetCountFingerprintAsNumPy(Chem.MolFromSmiles(paraffin))
    assert counts.max() > 255
    found = Molecules([paraffin]).block("ecfp4").dense()[0]
    np.testing.assert_array_equal(found, np.minimum(counts, 255))


def test_descriptors_equal_rdkit(molecules, rdkit_molecules):
    oracle = {
        "molecular weight (Da)": RDKitDescriptors.MolWt,
        "logP (Crippen)": Crippen.MolLogP,
        "TPSA (Å²)": rdMolDescriptors.CalcTPSA,
        "hydrogen-bond donors": rdMolDescriptors.CalcNumHBD,
        "hydrogen-bond acceptors": rdMolDescriptors.CalcNumHBA,
        "rotatable bonds": rdMolDescriptors.CalcNumRotatableBonds,
        "rings": rdMolDescriptors.CalcNumRings,
        "aromatic rings": rdMolDescriptors.CalcNumAromaticRings,
        "fraction of sp3 carbons": rdMolDescriptors.CalcFractionCSP3,
        "heteroatoms": rdMolDescriptors.CalcNumHeteroatoms,
        "heavy atoms": lambda mol: sum(atom.GetAtomicNum() > 1 for atom in mol.GetAtoms()),
    }
    assert list(oracle) == list(DESCRIPTORS)
    expected = np.array([[f(mol) for f in oracle.values()] for mol in rdkit_molecules])
    scaled = molecules.block("descriptors").values
    assert scaled.shape == (len(molecules), BLOCK_WIDTHS["descriptors"])
    unit = 4 * np.finfo(np.float32).eps * np.maximum(np.abs(expected), MEANS)
    assert (np.abs(scaled.astype(float) * SPREADS + MEANS - expected) <= unit).all()


def test_atoms_equal_rdkit(molecules, rdkit_molecules):
    graphs = molecules.block("graph")
    assert graphs.atom_table.shape[1] == len(ATOM_SIZES)
    seen = set()
    for i, mol in enumerate(rdkit_molecules):
        codes = graphs.atom_code[graphs.atom_offsets[i] : graphs.atom_offsets[i + 1]]
        assert len(codes) == mol.GetNumAtoms()
        for atom, row in zip(mol.GetAtoms(), graphs.atom_table[codes].tolist(), strict=True):
            element, degree, charge, hydrogens, hybridisation, aromatic, ring, rings, *_ = row
            assert [*ELEMENTS, "another"][element] in (atom.GetAtomicNum(), "another")
            assert (element == len(ELEMENTS)) == (atom.GetAtomicNum() not in ELEMENTS)
            assert degree == len(atom.GetNeighbors())
            assert charge - 2 == atom.GetFormalCharge()
            assert hydrogens == atom.GetTotalNumHs()
            assert HYBRIDISATIONS[hybridisation] == atom.GetHybridization()
            info, index = mol.GetRingInfo(), atom.GetIdx()
            assert aromatic == atom.GetIsAromatic()
            assert ring == (min(info.MinAtomRingSize(index), 8) - 2 if atom.IsInRing() else 0)
            assert rings == min(info.NumAtomRings(index), 3)
            seen.add(charge)
    assert seen == {1, 2, 3}  # charges of -1, 0 and 1 are among the molecules


def test_chirality_and_donors_equal_rdkit(embedded):
    smiles = sorted({text for assay in embedded.values() for text in assay.molecules.smiles})
    sample = [text for text in smiles if "@" in text][:150] + smiles[:150]
    rdkit_molecules = [Chem.MolFromSmiles(text) for text in sample]
    graphs = Molecules(sample).block("graph")
    names, seen = list(ATOM_SIZES), Counter()
    pattern = Chem.MolFromSmarts("[N,n,O;!H0]")
    for i, mol in enumerate(rdkit_molecules):
        codes = graphs.atom_code[graphs.atom_offsets[i] : graphs.atom_offsets[i + 1]]
        rows = dict(zip(names, graphs.atom_table[codes].T.tolist(), strict=True))
        centres = dict(Chem.FindMolChiralCenters(mol, useLegacyImplementation=True))
        assert rows["chirality"] == [
            {"R": 1, "S": 2}.get(centres.get(k, ""), 0) for k in range(mol.GetNumAtoms())
        ]
        assert rows["donor"] == [
            int((k,) in mol.GetSubstructMatches(pattern)) for k in range(mol.GetNumAtoms())
        ]
        seen.update(rows["chirality"])
    assert seen[1] > 100 and seen[2] > 100


@pytest.mark.parametrize(
    ("smiles", "acceptors"),
    [
        ("CC(=O)Nc1ccccc1", [2]),
        ("c1cc[nH]c1", []),
        ("c1ccncc1", [3]),
        ("CN(C)C", [1]),
        ("CC#N", [2]),
        ("C[N+](C)(C)CC(=O)[O-]", [6, 7]),
        ("CN=C", [1]),
    ],
)
def test_acceptors(smiles, acceptors):
    graphs = Molecules([smiles]).block("graph")
    column = list(ATOM_SIZES).index("acceptor")
    assert np.flatnonzero(graphs.atom_table[graphs.atom_code, column]).tolist() == acceptors


def test_enantiomers_differ_and_chirality_outlives_a_copy():
    left, right = Molecules(["C[C@H](N)C(=O)O"]), Molecules(["C[C@@H](N)C(=O)O"])
    column = list(ATOM_SIZES).index("chirality")
    found = [m.block("graph").atom_table[m.block("graph").atom_code, column] for m in (left, right)]
    assert found[0].tolist() == [0, 2, 0, 0, 0, 0] and found[1].tolist() == [0, 1, 0, 0, 0, 0]
    bare = Chem.MolFromSmiles("C[C@H](N)C(=O)O")
    for atom in bare.GetAtoms():
        atom.ClearProp("_CIPCode")
    assert GraphFeaturizer().row(bare) == GraphFeaturizer().row(
        Chem.MolFromSmiles("C[C@H](N)C(=O)O")
    )


def test_bonds_equal_rdkit(molecules, rdkit_molecules):
    graphs = molecules.block("graph")
    stereo = {"STEREONONE": 0, "STEREOZ": 1, "STEREOE": 2}
    seen = set()
    for i, mol in enumerate(rdkit_molecules):
        span = slice(graphs.bond_offsets[i], graphs.bond_offsets[i + 1])
        digits = np.unravel_index(graphs.bond_code[span], tuple(BOND_SIZES.values()))
        found = {
            frozenset(pair): tuple(int(digit) for digit in row)
            for pair, *row in zip(graphs.bonds[span].tolist(), *digits, strict=True)
        }
        expected = {
            frozenset((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())): (
                BOND_TYPES.index(bond.GetBondType()),
                int(bond.GetIsConjugated()),
                int(bond.IsInRing()),
                stereo[bond.GetStereo().name],
            )
            for bond in mol.GetBonds()
        }
        assert found == expected
        seen |= {row[3] for row in found.values()}
    assert seen == {0, 1, 2}  # plain bonds, Z and E are among the molecules


def test_rare_atoms_fall_into_the_last_categories():
    graphs = Molecules(["[Pt]", "[Fe+3]", "F[P-](F)(F)(F)(F)F", "[SiH4]"]).block("graph")
    atoms, names = graphs.atom_table[graphs.atom_code], list(ATOM_SIZES)
    platinum, iron, _, phosphorus = atoms[:4]
    assert platinum[names.index("element")] == ATOM_SIZES["element"] - 1
    assert iron[names.index("charge")] == ATOM_SIZES["charge"] - 1
    assert phosphorus[names.index("degree")] == ATOM_SIZES["degree"] - 1
    assert (atoms < np.array(list(ATOM_SIZES.values()))).all()


def test_a_graph_takes_at_most_250_bytes_a_molecule(embedded):
    smiles = sorted({text for assay in embedded.values() for text in assay.molecules.smiles})
    sample = smiles[:: len(smiles) // 2000][:2000]
    assert len(sample) == 2000
    assert Molecules(sample).block("graph").nbytes / len(sample) <= 250


def test_weisfeiler_lehman_has_the_colours_that_exact_refinement_finds(smiles, monkeypatch):
    monkeypatch.setattr(weisfeiler_lehman, "FINGERPRINT_WIDTH", 2**32)  # no two share a column
    featurizer = weisfeiler_lehman.WeisfeilerLehman()
    for text in smiles[:40]:
        found = featurizer.row(Chem.MolFromSmiles(text))
        exact = Molecules([text]).environments(weisfeiler_lehman.ROUNDS, typed=True)
        assert len(found) == len(exact.codes) + sum(len(part.own) for part in exact.rounds)
        assert sum(found.values()) == (weisfeiler_lehman.ROUNDS + 1) * len(exact.atoms)


def test_weisfeiler_lehman_does_not_depend_on_the_order_of_atoms(smiles):
    for text in smiles[:20]:
        mol = Chem.MolFromSmiles(text)
        shuffled = Chem.MolToSmiles(mol, doRandom=True, canonical=False)
        blocks = [Molecules([s]).block("weisfeiler_lehman").dense() for s in (text, shuffled)]
        np.testing.assert_array_equal(*blocks)

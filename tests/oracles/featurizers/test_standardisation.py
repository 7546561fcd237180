"""One policy for SMILES: what it makes of salts, charges and rubbish."""

from __future__ import annotations

import re

import pytest
from rdkit import Chem

from molmeta.errors import ConfigError
from molmeta.featurizers.standardisation import Policy, Standardiser, standardise

GOOD = {
    "OCC": "CCO",
    "C1=CC=CC=C1": "c1ccccc1",
    "CC(=O)[O-].[Na+]": "CC(=O)O",  # a salt
    "CCN(CC)CC.Cl": "CCN(CC)CC",
    "CC[NH+](CC)CC.OS(=O)(=O)[O-]": "CCN(CC)CC",  # the organic part, though it is not heavier
    "CC(=O)[O-].CC(=O)[O-].[Ca+2]": "CC(=O)O",
    "[NH3+]CC(=O)[O-]": "NCC(=O)O",  # a zwitterion that can be neutral
    "C[N+](C)(C)CC(=O)[O-]": "C[N+](C)(C)CC(=O)[O-]",  # and one that cannot
    "C[n+]1ccccc1.[I-]": "C[n+]1ccccc1",  # a charge that cannot go
    "CN(=O)=O": "C[N+](=O)[O-]",  # nitro groups are charge-separated
    "O=[N+]([O-])c1ccccc1": "O=[N+]([O-])c1ccccc1",
    "C[C@H](N)C(=O)[O-]": "C[C@H](N)C(=O)O",  # stereo stays
    "C[C@@H](C(=O)O)C(=O)[O-]": "CC(C(=O)O)C(=O)O",  # unless it was the charge alone
    "F/C=C\\F.[Na+].[Cl-]": "F/C=C\\F",
    "[13CH3]C(=O)O": "[13CH3]C(=O)O",  # isotopes stay
    "[2H]O[2H]": "[2H]O[2H]",
    "[H]C([H])([H])[H]": "C",
    "O.O.O": "O",
    "  CCO\n": "CCO",  # blanks around
    "CCO ethanol": "CCO",  # its name
    "C[C@H](O)CC |o1:1|": "CC[C@H](C)O",  # an extension of CXSMILES
    "*CC": "*CC",
    "[Fe+2].[Cl-].[Cl-]": None,
    "[Na+].[Cl-]": None,
}
BAD = {
    "": "empty",
    "   ": "empty",
    "\t\n": "empty",
    "C1CC": "invalid",
    "not a molecule": "invalid",
    "CCO CCN": "trailing text",
    "c1ccccc": "invalid",
    "C(C)(C)(C)(C)C": "invalid",
    "[H][H]": "no atoms",
    "[H+]": "no atoms",
    "[H+].[H-]": "no atoms",
    "*": "no atoms",
}


@pytest.mark.parametrize("text", GOOD)
def test_a_good_smiles_becomes_canonical_and_stays_so(text):
    one = Standardiser()
    result = one(text)
    assert (result.status, result.reason) == ("ok", "")
    assert GOOD[text] in (None, result.smiles)
    mol = Chem.MolFromSmiles(result.smiles)
    assert mol is not None
    assert mol.GetNumHeavyAtoms() > 0
    assert Chem.MolToSmiles(mol) == result.smiles
    assert "." not in result.smiles
    assert one(result.smiles) == result


@pytest.mark.parametrize("text", BAD)
def test_a_bad_smiles_gets_a_status_and_a_reason(text, capfd):
    result = Standardiser()(text)
    assert (result.smiles, result.status) == ("", BAD[text])
    assert result.reason
    assert capfd.readouterr().err == ""


def test_ways_to_write_a_molecule_have_one_result():
    ways = ["CC(=O)Oc1ccccc1C(=O)O", "OC(=O)c1ccccc1OC(C)=O", "[Na+].[O-]C(=O)c1ccccc1OC(=O)C"]
    assert len({result.smiles for result in standardise(ways)}) == 1


def test_drugs_become_rdkits_canonical_smiles(drugs):
    canonical = [Chem.CanonSmiles(text) for text in drugs.smiles]
    assert [result.smiles for result in standardise(drugs.smiles)] == canonical


def test_many_keep_their_order_and_number():
    statuses = [result.status for result in standardise(["CCO", "", "C1CC", "[H][H]", "C"])]
    assert statuses == ["ok", "empty", "invalid", "no atoms", "ok"]


def test_a_policy_can_keep_fragments_and_charges():
    salt = "CC(=O)[O-].[Na+]"
    assert Standardiser(Policy(fragments="keep", neutralise=False))(salt).smiles == salt
    assert Standardiser(Policy(neutralise=False))(salt).smiles == "CC(=O)[O-]"
    with pytest.raises(ConfigError, match="'largest' or 'keep'"):
        Policy(fragments="biggest")  # type: ignore[arg-type]


def test_a_molecule_of_more_atoms_than_the_policy_allows_is_too_large():
    one = Standardiser(Policy(max_atoms=10))
    assert one("C" * 10).status == "ok"
    assert one("C" * 11).status == "too large"
    assert one("C" * 201).status == "too large"
    assert one("C" * 10 + ".CC").status == "ok"
    assert re.search(r"\b11\b.*atoms.*\b10\b|\b11\b.*\b10\b.*atoms", one("C" * 11).reason)


def test_a_ligand_that_is_nothing_without_its_metal_is_rejected():
    (found,) = standardise(["[Fe+2].c1cc[cH-]c1.c1cc[cH-]c1"])  # ferrocene, as in Tox21
    assert (found.smiles, found.status) == ("", "invalid")
    assert "c1cccc1" in found.reason

"""The compiled pass over RDKit's bytes says what the featurisers say, or nothing."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem

from molmeta import registry
from molmeta.errors import MolmetaError
from molmeta.featurizers import one_pass as pass_module
from molmeta.featurizers.one_pass import SERVED, TO_COMPILE, OnePass
from molmeta.molecules.describing import featurize

pytest.importorskip("numba")

from molmeta.featurizers import binary_molecules, compiled_pass
from molmeta.featurizers.compiled_pass import compiled_blocks, same_block

USUAL = (
    *(
        "C",
        "CC",
        "c1ccccc1",
        "C1CC1",
        "CC1CC1",
        "C12C3C4C1C5C2C3C45",
        "B",
        "OB(O)c1ccccc1",
        "[Na]Cl",
    ),
    *("C[N+](=O)[O-]", "C[n+]1ccccc1.[I-]", "[O-]C=O", "C[S+](C)C", "F[P-](F)(F)(F)(F)F", "[O-2]"),
    *(
        "C[C@H](O)[C@@H](N)C",
        "F/C=C/F",
        "C/C=C\\C",
        "C[Si](C)(C)C",
        "CS(=O)(=O)c1nnn[nH]1",
        "C[Se]C",
    ),
    *("C#CC#C", "N#N", "[C-]#[O+]", "O=C=O", "CN=C=S", "[CH3]", "C[CH2]", "C1CCCCCCCCCCC1", "OO"),
    *("c1ccc2c(c1)c1ccccc1c1ccccc21", "C[As](C)C", "[Fe+2]", "Cl[Pt](Cl)(N)N", "CC(C)(C)OC(=O)N"),
    *("C[C@]12CC[C@H]3[C@H]([C@@H]1CC[C@@H]2O)CCC4=CC(=O)CC[C@]34C", "S1SSSSSSS1", "C" * 255),
)
CYCLODEXTRIN = (  # γ, eight sugars
    "OCC1OC2OC3C(O)C(O)C(OC4C(O)C(O)C(OC5C(O)C(O)C(OC6C(O)C(O)C(OC7C(O)C(O)C(OC8C(O)C(O)C("
    "OC9C(O)C(O)C(OC1C(O)C2O)OC9CO)OC8CO)OC7CO)OC6CO)OC5CO)OC4CO)OC3CO"
)
UNUSUAL = {
    "O": "water, a hydrogen of which is typed by the other",
    "[H][H]": "hydrogen",
    "[2H]C": "an isotope",
    "[13CH4]": "an isotope",
    "*C": "a dummy",
    "[CH3:1]O": "a label",
    "N->[Fe]": "a dative bond",
    "C" * 256: "many atoms",
    "CC(C)(C)" * 50: "more matches than RDKit counts",
    CYCLODEXTRIN: "hundreds of rings of one size",
    "C[Pt@SP1](F)(Cl)Br": "stereo that is not tetrahedral",
}


def one_by_one(mol: Chem.Mol, name: str):
    """The block of a molecule as its featuriser makes it."""
    featurizer = SERVED[name]()
    return featurizer.collect([featurizer.row(mol)])


def differing(texts: list[str], least: float = 1.0) -> list[tuple[str, str]]:
    """Names of blocks and SMILES for which the compiled pass says something else.

    It must know the share `least` of the molecules.
    """
    mols = [Chem.MolFromSmiles(text) for text in texts]
    found, known = compiled_blocks(mols, list(SERVED))
    assert known.mean() >= least
    return [
        (name, texts[i])
        for name in SERVED
        for i, mol in enumerate(mols)
        if known[i] and not same_block(found[name].take(np.array([i])), one_by_one(mol, name))
    ]


def test_the_served_names_are_the_registered_featurisers():
    assert {name: registry.lookup("featurizer", name) for name in SERVED} == SERVED


def test_usual_molecules_are_described_as_by_rdkit():
    assert differing(list(USUAL)) == []


def test_a_sample_of_the_embedded_molecules_is_described_as_by_rdkit(embedded):
    assert differing(sorted(embedded.smiles())[::40], least=0.99) == []


@pytest.mark.parametrize("text", UNUSUAL, ids=UNUSUAL.values())
def test_what_is_unusual_is_not_guessed(text):
    mols = [Chem.MolFromSmiles(text) for text in ("CCO", text, "CCN")]
    _, known = compiled_blocks(mols, list(SERVED))
    assert known.tolist() == [True, False, True]


def test_a_query_is_not_guessed():
    assert not compiled_blocks([Chem.MolFromSmarts("C[N,O]")], ["ecfp4"])[1].any()


def test_another_version_of_the_format_is_not_guessed(monkeypatch):
    monkeypatch.setattr(binary_molecules, "VERSIONS", ((16, 3, 0),))
    assert not compiled_blocks([Chem.MolFromSmiles("CCO")], ["ecfp4"])[1].any()


def test_other_definitions_in_rdkit_are_found_out(monkeypatch):
    class Another(type(SERVED["descriptors"]())):
        def row(self, mol):
            return [value + 1 for value in super().row(mol)]

    with pytest.raises(MolmetaError, match="'descriptors' is not RDKit's"):
        compiled_pass.check(SERVED | {"descriptors": Another})


def test_molecules_that_it_knows_and_others_come_in_order(monkeypatch):
    texts = [*USUAL[:5], "[13CH4]", "[2H]C", *USUAL[5:], "C" * 256]
    mols = [Chem.MolFromSmiles(text) for text in texts]
    ready = OnePass()
    monkeypatch.setattr(pass_module, "TO_LOAD", 0)
    monkeypatch.setattr(pass_module, "TO_COMPILE", 0)
    monkeypatch.setattr(pass_module, "one_pass", ready)
    found = featurize(mols, [*SERVED, "weisfeiler_lehman"])
    assert ready._module is compiled_pass
    for name, made in SERVED.items():
        featurizer = made()
        assert same_block(found[name], featurizer.collect([featurizer.row(mol) for mol in mols]))
    assert len(found["weisfeiler_lehman"]) == len(mols)


def test_few_molecules_do_not_wait_for_it(monkeypatch, tmp_path):
    monkeypatch.setenv("MOLMETA_CACHE", str(tmp_path))
    few = OnePass()
    served, known = few([Chem.MolFromSmiles("CCO")] * (TO_COMPILE - 1), SERVED)
    assert served == {} and not known.any() and few._module is None


@pytest.mark.parametrize("error", [ImportError("no numba"), RuntimeError("no locator")])
def test_where_it_cannot_be_loaded_rdkit_describes_all(monkeypatch, error):
    def refuse(_):
        raise error

    monkeypatch.setattr(pass_module, "import_module", refuse)
    monkeypatch.setattr(pass_module, "TO_LOAD", 0)
    monkeypatch.setattr(pass_module, "TO_COMPILE", 0)
    without = OnePass()
    assert without([Chem.MolFromSmiles("CCO")], SERVED)[0] == {}
    assert without._failed


def test_a_featuriser_of_ones_own_is_asked():
    ready = OnePass()
    ready._module = compiled_pass
    mols = [Chem.MolFromSmiles("CCO")]
    assert set(ready(mols, SERVED | {"ecfp4": lambda: None})[0]) == set(SERVED) - {"ecfp4"}

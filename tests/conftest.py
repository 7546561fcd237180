"""What all tests share: real drugs in families, the embedded assays, one thread, one seed."""

from __future__ import annotations

import warnings
from types import ModuleType

import numpy as np
import pytest
import torch
from rdkit import Chem

from molmeta.datasets.chembl import load_embedded
from molmeta.molecules.molecules import Molecules
from molmeta.tasks.assay import Assays

FAMILIES: dict[str, list[str]] = {
    "profens": [
        "CC(C)Cc1ccc(C(C)C(=O)O)cc1",  # ibuprofen
        "COc1ccc2cc(C(C)C(=O)O)ccc2c1",  # naproxen
        "CC(C(=O)O)c1cccc(C(=O)c2ccccc2)c1",  # ketoprofen
        "CC(C(=O)O)c1ccc(-c2ccccc2)c(F)c1",  # flurbiprofen
        "CC(C(=O)O)c1cccc(Oc2ccccc2)c1",  # fenoprofen
    ],
    "sulfonamides": [
        "Cc1cc(NS(=O)(=O)c2ccc(N)cc2)no1",  # sulfamethoxazole
        "Nc1ccc(S(=O)(=O)Nc2ncccn2)cc1",  # sulfadiazine
        "Cc1ccnc(NS(=O)(=O)c2ccc(N)cc2)n1",  # sulfamerazine
        "Nc1ccc(S(=O)(=O)Nc2nccs2)cc1",  # sulfathiazole
        "COc1cc(NS(=O)(=O)c2ccc(N)cc2)nc(OC)n1",  # sulfadimethoxine
    ],
    "steroids": [
        "CC(=O)C1CCC2C3CCC4=CC(=O)CCC4(C)C3CCC12C",  # progesterone
        "CC12CCC3C(CCC4=CC(=O)CCC43C)C1CCC2O",  # testosterone
        "CC12CC(O)C3C(CCC4=CC(=O)CCC43C)C1CCC2(O)C(=O)CO",  # hydrocortisone
        "CC12CCC3c4ccc(O)cc4CCC3C1CCC2O",  # oestradiol
        "CC12CC(=O)C3C(CCC4=CC(=O)CCC43C)C1CCC2(O)C(=O)CO",  # cortisone
    ],
    "benzodiazepines": [
        "CN1C(=O)CN=C(c2ccccc2)c2cc(Cl)ccc21",  # diazepam
        "O=C1CN=C(c2ccccc2)c2cc(Cl)ccc2N1",  # nordazepam
        "O=C1Nc2ccc([N+](=O)[O-])cc2C(c2ccccc2)=NC1",  # nitrazepam
        "O=C1Nc2ccc(Cl)cc2C(c2ccccc2)=NC1O",  # oxazepam
        "CN1C(=O)C(O)N=C(c2ccccc2)c2cc(Cl)ccc21",  # temazepam
    ],
    "beta blockers": [
        "CC(C)NCC(O)COc1cccc2ccccc12",  # propranolol
        "CC(C)NCC(O)COc1ccc(CC(N)=O)cc1",  # atenolol
        "COCCc1ccc(OCC(O)CNC(C)C)cc1",  # metoprolol
        "CC(C)NCC(O)COc1cccc2[nH]ccc12",  # pindolol
        "CC(=O)Nc1ccc(OCC(O)CNC(C)C)cc1",  # practolol
    ],
}
EDGE_CASES = ["C", "[Na+]", "C/C=C\\C", "C/C=C/C", "C[N+](C)(C)CC(=O)[O-]", "[Se]=C(N)N", "FC#CI"]


@pytest.fixture(autouse=True)
def _same_start() -> None:
    """One thread and one seed, so that a failure comes again."""
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def smiles() -> list[str]:
    """25 drugs and seven small molecules: single atoms, charges, E and Z, rare elements."""
    return [text for family in FAMILIES.values() for text in family] + EDGE_CASES


@pytest.fixture(scope="session")
def rdkit_molecules(smiles: list[str]) -> list[Chem.Mol]:
    """The same, as RDKit reads them."""
    return [Chem.MolFromSmiles(text) for text in smiles]


@pytest.fixture
def molecules(smiles: list[str]) -> Molecules:
    """The same, as a store of its own that has no block yet."""
    return Molecules(smiles)


@pytest.fixture(scope="session")
def drugs() -> Molecules:
    """25 drugs, the five of a family next to each other; blocks computed."""
    listed = [text for family in FAMILIES.values() for text in family]
    return Molecules(listed).compute("graph", "ecfp4", "descriptors")


@pytest.fixture(scope="session")
def embedded() -> Assays:
    """The ChEMBL assays that are shipped."""
    return load_embedded()


@pytest.fixture
def rng() -> np.random.Generator:
    """A seeded generator."""
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def pyg() -> ModuleType:
    """torch_geometric, whose import uses a part of torch that is going away."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit", category=DeprecationWarning)
        import torch_geometric.nn

    return torch_geometric

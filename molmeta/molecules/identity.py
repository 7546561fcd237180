"""What it may mean that two molecules are the same, from the strictest key to mere likeness."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem import inchi, rdFingerprintGenerator, rdMolHash
from rdkit.Chem.Scaffolds import MurckoScaffold
from rdkit.DataStructs import ExplicitBitVect

from molmeta.errors import DataError
from molmeta.seeds import number


def inchi_key(mol: Chem.Mol) -> str:
    """The whole InChIKey: the same standard InChI, up to hash collisions."""
    return inchi.MolToInchiKey(mol) or Chem.MolToSmiles(mol)


def connectivity(mol: Chem.Mol) -> str:
    """The first block of the InChIKey: the same skeleton of atoms, whatever stereo and isotopes."""
    return inchi_key(mol).partition("-")[0]


def parent(mol: Chem.Mol) -> str:
    """Canonical SMILES without stereo and isotopes (salts and charges went when it was read)."""
    return Chem.MolToSmiles(mol, isomericSmiles=False)


def tautomer(mol: Chem.Mol) -> str:
    """RDKit's `HetAtomTautomerv2` hash: the same for most tautomers, without stereo."""
    flat = Chem.Mol(mol)
    Chem.RemoveStereochemistry(flat)
    return rdMolHash.MolHash(flat, rdMolHash.HashFunction.HetAtomTautomerv2)


def scaffold(mol: Chem.Mol) -> str:
    """Bemis–Murcko scaffold (1996): rings and what links them; the parent, where it has no ring."""
    core = MurckoScaffold.GetScaffoldForMol(mol)
    return parent(core) if core.GetNumAtoms() else parent(mol)


KEYS: dict[str, Callable[[Chem.Mol], str]] = {
    "InChIKey": inchi_key,
    "connectivity": connectivity,
    "parent": parent,
    "tautomer": tautomer,
    "scaffold": scaffold,
}


_MORGAN = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)


def ecfp4_bits(mol: Chem.Mol) -> ExplicitBitVect:
    """ECFP4 as 2,048 bits, of which Tanimoto's similarity is taken wherever two are compared."""
    return _MORGAN.GetFingerprint(mol)


def read_mol(smiles: str) -> Chem.Mol:
    """The molecule of a SMILES that was standardised before.

    Raises
    ------
    DataError
        RDKit cannot read it.
    """
    mol = Chem.MolFromSmiles(smiles)
    if mol is None:
        raise DataError(f"{smiles!r} is no SMILES that RDKit reads; standardise it first")
    return mol


def molecule_numbers(smiles: Sequence[str]) -> np.ndarray:
    """A 63-bit number for each molecule, of its `connectivity`: `[n]` int64."""
    with rdBase.BlockLogs():  # InChI warns of every undefined stereo centre
        return np.array([number(connectivity(read_mol(text))) for text in smiles], dtype=np.int64)


def scaffolds(smiles: Sequence[str]) -> list[str]:
    """The scaffold of each molecule."""
    return [scaffold(read_mol(text)) for text in smiles]

"""Blocks of many molecules from RDKit's bytes, and the proof that they are RDKit's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from rdkit import Chem

from molmeta.errors import MolmetaError
from molmeta.featurizers.atom_kinds import known_kinds
from molmeta.featurizers.binary_molecules import flatten
from molmeta.featurizers.compiled_descriptors import describe
from molmeta.featurizers.compiled_fingerprints import NAMES, count
from molmeta.featurizers.compiled_graph import graph_block
from molmeta.featurizers.descriptors import Descriptors

PROBES = (  # every kind of pattern and feature
    *("CC(=O)Oc1ccccc1C(=O)O", "CN1C=NC2=C1C(=O)N(C(=O)N2C)C", "C[C@H](N)C(=O)O", "OCC(O)CO"),
    *("C/C=C/C(=O)N1CCC[C@@H]1C#N", "C/C=C\\c1ccc[nH]1", "FC(F)(F)c1ccc(Cl)c(Br)c1I"),
    *("CC(C)(C)c1nnc(NC(=S)NC2CC2)s1", "O=[N+]([O-])c1ccco1", "CS(=O)(=O)NC(=N)N", "C1CC1C2CO2"),
    *("C[N+](C)(C)CC(=O)[O-]", "c1ccc2c(c1)[nH]c1ccccc12", "CP(=O)(O)OC", "C[Si](C)(C)C#CB(O)O"),
    *("NC(=O)C1=CC=CN(C1)C2OC(CO)C(O)C2O", "c1cnc2ncnn2c1", "C1CC2CCC1C2", "N#CC(=C)C=O", "CC"),
    *("C[Se]CC(N)=O", "O=C=NCc1cc[n+]([O-])cc1", "CN=[N+]=[N-]", "OC(=O)C(F)(F)C(Cl)(Cl)Cl", "C"),
    *("CNC(C)=NO", "CC(=O)SCC1CSC(=O)N1", "c1ccsc1-c1ccncc1", "C12C3C4C1C5C2C3C45", "COC(=O)C=NN"),
)


def compiled_blocks(
    mols: Sequence[Chem.Mol], names: Sequence[str]
) -> tuple[dict[str, Any], np.ndarray]:
    """The named blocks, and which molecules have rows in them; others' rows mean nothing."""
    flat = flatten(mols)
    known = flat.known.copy()
    found: dict[str, Any] = {}
    if "graph" in names:
        found["graph"] = graph_block(mols, flat)
    counted = [name for name in names if name in NAMES]
    if counted or "descriptors" in names:
        kinds, of_kind = known_kinds().of(mols, flat)
        water = (of_kind.number == 8) & (of_kind.hydrogens > 1)
        owner = np.repeat(np.arange(len(mols)), np.diff(flat.atoms))
        known[owner[water[kinds]]] = False  # a hydrogen of which is typed by the other
        values, described, features = describe(flat, kinds, of_kind)
        if "descriptors" in names:
            known &= described
            found["descriptors"] = Descriptors().collect(values.tolist())
        found |= count(flat, kinds, of_kind, features, counted)
    return found, known


def check(featurizers: Mapping[str, Callable[[], Any]]) -> None:
    """Compare all blocks of some molecules with what the featurisers make of them.

    Raises
    ------
    MolmetaError
        They are not the same: the RDKit that is installed has other definitions.
    """
    mols = [Chem.MolFromSmiles(text) for text in PROBES]
    found, known = compiled_blocks(mols, list(featurizers))
    for name, made in featurizers.items():
        one = made()
        for i, mol in enumerate(mols):
            expected = one.collect([one.row(mol)])
            if not known[i] or not same_block(found[name].take(np.array([i])), expected):
                raise MolmetaError(f"the compiled block '{name}' is not RDKit's for {PROBES[i]}")


def same_block(a: Any, b: Any) -> bool:
    """Whether two blocks say the same, whatever the order of their distinct atoms."""
    parts = [dict(vars(block)) for block in (a, b)]
    for part in parts:
        if "atom_table" in part:
            part["atom_code"] = part.pop("atom_table")[part["atom_code"]]
    return all(np.array_equal(parts[0][key], parts[1][key]) for key in parts[1])

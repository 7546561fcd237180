"""From a row of a library to its molecule."""

from __future__ import annotations

from typing import NamedTuple

from rdkit import Chem, rdBase

from molmeta.featurizers import Policy, Standardised, Standardiser
from molmeta.screening.libraries import Kind, Row


class Ask(NamedTuple):
    """What is asked of a row: its molecule as text, or what is wrong with it already."""

    text: str
    status: str = "ok"
    reason: str = ""

    @classmethod
    def of(cls, row: Row) -> Ask:
        """Of a row, without its other cells."""
        return cls(row.text, row.status, row.reason)


class MoleculeReader:
    """Reads rows as a model's policy has it; never raises for a row.

    Parameters
    ----------
    policy : Policy
    kind : {"smiles", "molblock"}
        What the rows are.
    """

    def __init__(self, policy: Policy, kind: Kind = "smiles") -> None:
        self.kind, self.standardiser = kind, Standardiser(policy)

    def __call__(self, row: Ask) -> Chem.Mol | Standardised:
        """The molecule of a row; or a status and a reason."""
        if row.status != "ok":
            return Standardised("", row.status, row.reason)  # type: ignore[arg-type]
        if self.kind == "smiles":
            return self.standardiser.molecule(row.text)
        return self._of_block(row.text)

    def _of_block(self, block: str) -> Chem.Mol | Standardised:
        try:
            with rdBase.BlockLogs():
                mol = Chem.MolFromMolBlock(block)
                smiles = "" if mol is None else Chem.MolToSmiles(mol)
        except (RuntimeError, ValueError) as error:
            return Standardised("", "invalid", f"RDKit cannot read this record: {error}")
        if mol is None:
            return Standardised("", "invalid", "RDKit cannot read this record")
        if not mol.GetNumAtoms():
            return Standardised("", "no atoms", "the record has no atoms")
        return self.standardiser.molecule(smiles)

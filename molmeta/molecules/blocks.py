"""Many molecules as named feature blocks in flat arrays, seen through an index.

`Molecules` is a view: a list of rows of a shared store. A block (`graph`, `ecfp4`, `descriptors`)
is computed for the whole store when something first asks for it, with the featuriser that the
registry has under that name.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
from rdkit import Chem
from torch import Tensor

from molmeta import registry
from molmeta.errors import MolmetaError
from molmeta.molecules.environments import Environments, distinct_environments
from molmeta.molecules.ragged import join_offsets, ragged_rows

if TYPE_CHECKING:
    from torch_geometric.data import Batch, Data


CHUNK = 2048  # molecules a process takes at once
FEW = 10  # a view that is smaller than its store by more than this factor has few of it

# the schema of the blocks: what encoders may rely on
ATOM_SIZES = {  # feature of an atom: number of its categories
    "element": 16,
    "degree": 7,
    "charge": 5,
    "hydrogens": 5,
    "hybridisation": 7,
    "aromatic": 2,
    "ring": 2,
}
BOND_SIZES = {"type": 5, "conjugated": 2, "ring": 2, "stereo": 3}
BOND_CODES = int(np.prod(tuple(BOND_SIZES.values())))
FINGERPRINTS = ("ecfp4", "ecfp6", "fcfp4", "torsion", "atom_pair", "weisfeiler_lehman")
FINGERPRINT_WIDTH = 2048
ATOM_WIDTHS = {"atoms75": 75}  # features of an atom in blocks of `FeatureGraphs`
BLOCK_WIDTHS = dict.fromkeys(FINGERPRINTS, FINGERPRINT_WIDTH) | {"descriptors": 11}


class Block(Protocol):
    """What every block can do."""

    def __len__(self) -> int: ...
    def take(self, index: np.ndarray) -> Self:
        """The rows `index`."""
        ...

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Blocks laid end to end."""
        ...


@dataclass(frozen=True)
class Dense:
    """A float row a molecule: `values [n, d]`."""

    values: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    def take(self, index: np.ndarray) -> Dense:
        """The rows `index`."""
        return Dense(self.values[index])

    @classmethod
    def concatenate(cls, parts: Sequence[Dense]) -> Dense:
        """Blocks laid end to end."""
        return cls(np.concatenate([part.values for part in parts]))


@dataclass(frozen=True)
class Counts:
    """Sparse counts: molecule i has `counts[o_i:o_i+1]` at `columns[o_i:o_i+1]` of `width`."""

    columns: np.ndarray
    counts: np.ndarray
    offsets: np.ndarray
    width: int

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def take(self, index: np.ndarray) -> Counts:
        """The rows `index`."""
        rows, offsets = ragged_rows(self.offsets, index)
        return Counts(self.columns[rows], self.counts[rows], offsets, self.width)

    def dense(self) -> np.ndarray:
        """`[n, width]` float32."""
        out = np.zeros((len(self), self.width), dtype=np.float32)
        out[np.repeat(np.arange(len(self)), np.diff(self.offsets)), self.columns] = self.counts
        return out

    @classmethod
    def concatenate(cls, parts: Sequence[Counts]) -> Counts:
        """Blocks laid end to end."""
        return cls(
            np.concatenate([part.columns for part in parts]),
            np.concatenate([part.counts for part in parts]),
            join_offsets([part.offsets for part in parts]),
            parts[0].width,
        )


@dataclass(frozen=True)
class Graphs:
    """Molecular graphs in six flat arrays, with the categories of ATOM_SIZES and BOND_SIZES.

    Attributes
    ----------
    atom_table : `[V, F]` uint8, the distinct atoms: one category a feature
    atom_code : `[A]` uint16, each atom's row of `atom_table`
    atom_offsets : `[n + 1]` int32
    bonds : `[B, 2]` int16, each bond once, atoms numbered within their molecule
    bond_code : `[B]` uint8, mixed-radix number of the bond's categories
    bond_offsets : `[n + 1]` int32
    """

    atom_table: np.ndarray
    atom_code: np.ndarray
    atom_offsets: np.ndarray
    bonds: np.ndarray
    bond_code: np.ndarray
    bond_offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.atom_offsets) - 1

    def take(self, index: np.ndarray) -> Self:
        """The rows `index`."""
        atoms, atom_offsets = ragged_rows(self.atom_offsets, index)
        bonds, bond_offsets = ragged_rows(self.bond_offsets, index)
        return type(self)(
            self.atom_table,
            self.atom_code[atoms],
            atom_offsets.astype(np.int32),
            self.bonds[bonds],
            self.bond_code[bonds],
            bond_offsets.astype(np.int32),
        )

    @property
    def nbytes(self) -> int:
        """Bytes in all arrays."""
        return sum(getattr(self, field.name).nbytes for field in fields(self))

    def atom_features(self) -> np.ndarray:
        """The atom table one-hot encoded, `[V, sum(atom_sizes)]` float32."""
        return one_hot(self.atom_table, tuple(ATOM_SIZES.values()))

    def bond_features(self) -> np.ndarray:
        """Every bond code one-hot encoded, `[prod(bond_sizes), sum(bond_sizes)]` float32."""
        sizes = tuple(BOND_SIZES.values())
        codes = np.arange(BOND_CODES)
        return one_hot(np.stack(np.unravel_index(codes, sizes), axis=1), sizes)

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Blocks laid end to end, under one table of distinct atoms."""
        known: dict[bytes, int] = {}
        recode = [
            [known.setdefault(row.tobytes(), len(known)) for row in part.atom_table]
            for part in parts
        ]
        first = parts[0].atom_table
        table = np.frombuffer(b"".join(known), first.dtype).reshape(-1, first.shape[1])
        codes = [np.array(r)[part.atom_code] for r, part in zip(recode, parts, strict=True)]
        return cls(
            table,
            np.concatenate(codes).astype(np.uint16),
            join_offsets([part.atom_offsets for part in parts]).astype(np.int32),
            np.concatenate([part.bonds for part in parts]),
            np.concatenate([part.bond_code for part in parts]),
            join_offsets([part.bond_offsets for part in parts]).astype(np.int32),
        )


@dataclass(frozen=True)
class FeatureGraphs(Graphs):
    """Molecular graphs whose atoms have features that are no categories.

    Attributes
    ----------
    atom_table : `[V, F]` int8, the features of the distinct atoms
    """

    def atom_features(self) -> np.ndarray:
        """The atom table as it is, `[V, F]` float32."""
        return self.atom_table.astype(np.float32)


def one_hot(categories: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """Rows of categories `[n, F]` as one-hot rows `[n, sum(sizes)]` float32."""
    out = np.zeros((len(categories), sum(sizes)), dtype=np.float32)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    np.put_along_axis(out, categories.astype(np.int64) + starts, 1.0, axis=1)
    return out


class _Store:
    """SMILES and the blocks computed from them so far."""

    def __init__(self, smiles: list[str], parsed: Sequence[Chem.Mol] | None = None) -> None:
        self.smiles, self.parsed = smiles, parsed
        self.blocks: dict[str, Block] = {}
        self.environments: dict[tuple[str, int, bool], Environments] = {}

    def compute(self, names: Sequence[str], workers: int) -> None:
        """Compute the missing blocks in one pass over the molecules, parsed once."""
        missing = [name for name in names if name not in self.blocks]
        if not missing:
            return
        if workers == 1 or len(self.smiles) < CHUNK:
            self.blocks |= featurize(self.smiles, missing, self.parsed)
            return
        starts = range(0, len(self.smiles), CHUNK)
        chunks = [self.smiles[start : start + CHUNK] for start in starts]
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
            parts = list(pool.map(featurize, chunks, [missing] * len(chunks)))
        for name in missing:
            blocks = [part[name] for part in parts]
            self.blocks[name] = type(blocks[0]).concatenate(blocks)


def featurize(
    smiles: Sequence[str], names: Sequence[str], parsed: Sequence[Chem.Mol] | None = None
) -> dict[str, Any]:
    """The named blocks of some molecules; each SMILES is parsed once, or was `parsed` already.

    Raises
    ------
    MolmetaError
        RDKit cannot read a SMILES.
    """
    featurizers = [registry.lookup("featurizer", name)() for name in names]
    rows: list[list[Any]] = [[] for _ in names]
    for i, text in enumerate(smiles):
        mol = Chem.MolFromSmiles(text) if parsed is None else parsed[i]
        if mol is None:
            raise MolmetaError(
                f"RDKit cannot read the SMILES {text!r}; standardise the list first, "
                "which reports every such row"
            )
        for collected, featurizer in zip(rows, featurizers, strict=True):
            collected.append(featurizer.row(mol))
    return {
        name: featurizer.collect(collected)
        for name, collected, featurizer in zip(names, rows, featurizers, strict=True)
    }


class Molecules:
    """A view on molecules: `len`, `x[index]` and `Molecules.cat`; blocks computed when asked for.

    Parameters
    ----------
    smiles : sequence of str
        SMILES as they shall be featurised (see `molmeta.featurizers.standardise`).
    parsed : sequence of Mol, optional
        The same, where RDKit has read them already.

    Examples
    --------
    >>> x = Molecules(["CCO", "c1ccccc1", "CC(=O)O"])
    >>> len(x[1:]), x[[2, 0]].smiles
    (2, ['CC(=O)O', 'CCO'])
    """

    def __init__(self, smiles: Sequence[str], parsed: Sequence[Chem.Mol] | None = None) -> None:
        self._store = _Store(list(smiles), parsed)
        self.index = np.arange(len(self._store.smiles), dtype=np.int64)
        self.memo: dict[Any, Any] = {}

    @classmethod
    def _view(cls, store: _Store, index: np.ndarray) -> Molecules:
        view = cls.__new__(cls)
        view._store, view.index, view.memo = store, index, {}
        return view

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, index: Any) -> Molecules:
        if isinstance(index, Tensor):
            index = index.cpu().numpy()
        if not isinstance(index, slice):
            index = np.asarray(index)
            index = index if index.size else index.astype(np.int64)
        return self._view(self._store, np.atleast_1d(self.index[index]))

    def __repr__(self) -> str:
        return f"Molecules({len(self)} of {len(self._store.smiles)}; blocks {self.computed})"

    @property
    def smiles(self) -> list[str]:
        """The SMILES of this view."""
        return [self._store.smiles[i] for i in self.index]

    @property
    def computed(self) -> list[str]:
        """Names of the blocks that exist already."""
        return sorted(self._store.blocks)

    def compute(self, *names: str, workers: int = 1) -> Molecules:
        """Compute several blocks in one pass, for the whole store; returns this view.

        With `workers` > 1 as many processes share a large store; they are spawned, so a script
        that asks for them keeps its own code under `if __name__ == "__main__"`.
        """
        self._store.compute(names, workers)
        return self

    def block(self, name: str) -> Any:
        """A block of the whole *store*; its rows `self.index` belong to this view."""
        self._store.compute([name], workers=1)
        return self._store.blocks[name]

    def attach(self, name: str, block: Block) -> None:
        """Give the whole *store* a block that no featuriser computes."""
        self._store.blocks[name] = block

    def apart(self) -> Molecules:
        """The same in a store of their own, without blocks: for few of a large store."""
        return Molecules(self.smiles)

    def alone_if_few(self) -> Molecules:
        """The same; apart, if they are few of a large store of which nothing is computed yet.

        So that 32 molecules of a large table do not wait for the blocks of all.
        """
        few = FEW * len(self) < len(self._store.smiles) and not self._store.blocks
        return self.apart() if few else self

    @staticmethod
    def stores(views: Sequence[Molecules]) -> list[Molecules]:
        """Each store behind some views, once and whole."""
        stores = {id(view._store): view._store for view in views}.values()
        return [Molecules._view(one, np.arange(len(one.smiles))) for one in stores]

    def environments(self, radius: int, typed: bool = False, block: str = "graph") -> Environments:
        """The distinct atom environments of the whole *store*, in a block of graphs, found once."""
        found, key = self._store.environments, (block, radius, typed)
        if key not in found:
            graphs: Graphs = self.block(block)
            first_atom = np.repeat(graphs.atom_offsets[:-1], np.diff(graphs.bond_offsets))
            bonds = graphs.bonds + first_atom[:, None].astype(np.int32)
            found[key] = distinct_environments(
                graphs.atom_code, bonds, graphs.bond_code, radius, typed
            )
        return found[key]

    @staticmethod
    def cat(parts: Sequence[Molecules]) -> Molecules:
        """Views laid end to end; views of different stores are copied into a new one."""
        store = parts[0]._store
        if all(part._store is store for part in parts):
            return Molecules._view(store, np.concatenate([part.index for part in parts]))
        joined = Molecules([smiles for part in parts for smiles in part.smiles])
        for name in set.intersection(*(set(part.computed) for part in parts)):
            blocks = [part.block(name).take(part.index) for part in parts]
            joined._store.blocks[name] = type(blocks[0]).concatenate(blocks)
        return joined

    def to_pyg_list(self) -> list[Data]:
        """One torch_geometric `Data` a molecule.

        `x [atoms, F]` and `edge_attr [2 · bonds, G]` are one-hot floats, every bond stands in
        both directions, and `smiles` is kept.
        """
        import torch
        from torch_geometric.data import Data

        graphs = self.block("graph").take(self.index)
        atoms, bonds = graphs.atom_features(), graphs.bond_features()
        out = []
        for i, smiles in enumerate(self.smiles):
            code = graphs.atom_code[graphs.atom_offsets[i] : graphs.atom_offsets[i + 1]]
            span = slice(graphs.bond_offsets[i], graphs.bond_offsets[i + 1])
            pairs = graphs.bonds[span].astype(np.int64)
            edges = np.concatenate([pairs, pairs[:, ::-1]]).T
            features = np.tile(bonds[graphs.bond_code[span]], (2, 1))
            out.append(
                Data(
                    x=torch.from_numpy(atoms[code]),
                    edge_index=torch.from_numpy(np.ascontiguousarray(edges)),
                    edge_attr=torch.from_numpy(features),
                    smiles=smiles,
                )
            )
        return out

    def to_pyg(self) -> Batch:
        """All molecules of this view as one torch_geometric `Batch`."""
        from torch_geometric.data import Batch

        return Batch.from_data_list(self.to_pyg_list())  # type: ignore[return-value]

"""Many molecules as named feature blocks in flat arrays, seen through an index.

`Molecules` is a view: a list of rows of a shared store. A block (`graph`, `ecfp4`, `descriptors`)
is computed for the whole store when something first asks for it, with the featuriser that the
registry has under that name; of many molecules it is kept on disk (`Molecules.keep_in`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from rdkit import Chem
from torch import Tensor

from molmeta.errors import MolmetaError
from molmeta.molecules.blocks import Block, Dense, Graphs
from molmeta.molecules.describing import featurize, featurize_smiles
from molmeta.molecules.environments import Environments, distinct_environments
from molmeta.molecules.prepared import BLOCKS, Prepared
from molmeta.processes import CHUNK, in_chunks

if TYPE_CHECKING:
    from torch_geometric.data import Batch, Data

FEW = 10  # a view that is smaller than its store by more than this factor has few of it


class _Store:
    """Molecules and the blocks computed from them so far; SMILES are written when asked for."""

    def __init__(
        self, count: int, smiles: list[str] | None = None, parsed: Sequence[Chem.Mol] | None = None
    ) -> None:
        self._count, self._smiles, self.parsed = count, smiles, parsed
        self.blocks: dict[str, Block] = {}
        self.environments: dict[tuple[str, int, bool], Environments] = {}
        self.prepared: Prepared | None = None
        self.vectors: dict[Any, Dense | None] = {}

    def __len__(self) -> int:
        return self._count

    @property
    def smiles(self) -> list[str]:
        """All SMILES."""
        if self._smiles is None:
            if self.parsed is None:
                raise MolmetaError("of these molecules blocks were kept, but no SMILES")
            self._smiles = [Chem.MolToSmiles(mol) for mol in self.parsed]
        return self._smiles

    def __getstate__(self) -> dict[str, Any]:
        """For another process, which opens again what is kept on disk."""
        kept = self.prepared is not None
        blocks = {
            name: block
            for name, block in self.blocks.items()
            if not kept or type(block) not in BLOCKS.values()
        }
        found = {} if kept else self.environments
        alone = {"_smiles": self.smiles, "parsed": None, "blocks": blocks, "environments": found}
        return {**vars(self), **alone, "vectors": {}}

    def compute(self, names: Sequence[str], workers: int) -> None:
        """Open or compute the missing blocks, in one pass over the molecules, parsed once."""
        missing = [name for name in names if name not in self.blocks]
        if self._smiles is None and self.parsed is None:
            return  # what was kept is all that there is
        if self.prepared is not None:
            for name in missing:
                if block := self.prepared.block(name):
                    self.blocks[name] = block
            missing = [name for name in missing if name not in self.blocks]
        if not missing:
            return
        parts = list(self._featurized(missing, workers))
        for name in missing:
            blocks = [part.pop(name) for part in parts]
            self.blocks[name] = type(blocks[0]).concatenate(blocks)
            if self.prepared is not None:
                self.prepared.keep(name, self.blocks[name])

    def _featurized(self, names: list[str], workers: int) -> Iterator[dict[str, Any]]:
        """Chunk by chunk, so that no more than one is in the form that RDKit gives."""
        if self.parsed is not None and (workers == 1 or len(self) <= CHUNK):
            yield from in_chunks(featurize, self.parsed, names)
        else:
            yield from in_chunks(featurize_smiles, self.smiles, names, workers=workers)


class Molecules:
    """A view on molecules: `len`, `x[index]` and `Molecules.cat`; blocks computed when asked for.

    Parameters
    ----------
    smiles : sequence of str, optional
        SMILES as they shall be featurised (see `molmeta.featurizers.standardise`); those of
        `parsed`, if only these are given.
    parsed : sequence of Mol, optional
        The same, where RDKit has read them already.

    Examples
    --------
    >>> x = Molecules(["CCO", "c1ccccc1", "CC(=O)O"])
    >>> len(x[1:]), x[[2, 0]].smiles
    (2, ['CC(=O)O', 'CCO'])
    """

    def __init__(
        self, smiles: Sequence[str] | None = None, parsed: Sequence[Chem.Mol] | None = None
    ) -> None:
        if smiles is None and parsed is None:
            raise MolmetaError("molecules are SMILES, or what RDKit has read of them; give one")
        texts = None if smiles is None else list(smiles)
        self._store = _Store(len(parsed if texts is None else texts), texts, parsed)  # type: ignore[arg-type]
        self.index = np.arange(len(self._store), dtype=np.int64)
        self.memo: dict[Any, Any] = {}

    @classmethod
    def of_blocks(cls, blocks: Mapping[str, Block], count: int) -> Molecules:
        """So many molecules of which there are these blocks and nothing else."""
        store = _Store(count)
        store.blocks.update(blocks)
        return cls._view(store, np.arange(count, dtype=np.int64))

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
        return f"Molecules({len(self)} of {len(self._store)}; blocks {self.computed})"

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
        if name not in self._store.blocks:
            raise MolmetaError(f"of these molecules blocks were kept, but not '{name}'")
        return self._store.blocks[name]

    def keep_in(self, folder: Path) -> Molecules:
        """Keep the blocks of the whole *store* in a folder (see `Prepared`); returns this view."""
        if self._store.prepared is None:
            self._store.prepared = Prepared(folder, self._store.smiles)
        return self

    def attach(self, name: str, block: Block) -> None:
        """Give the whole *store* a block that no featuriser computes."""
        self._store.blocks[name] = block

    def remember(self, by: Any, vectors: Dense | None = None) -> None:
        """Keep what `by` gives as vectors of the whole *store*; or have it given already."""
        self._store.vectors[by] = vectors

    def remembered(self, by: Any) -> Dense | None:
        """The vectors of the whole *store* that `by` gave, if they were kept."""
        return self._store.vectors.get(by)

    def vectors(self, by: Any, compute: Callable[[Molecules], Tensor]) -> Tensor:
        """Vectors of this view `[n, d]`: what was remembered, or else computed.

        What is computed for the whole store, in its order, is kept where `remember` asked for it.
        """
        known = self._store.vectors.get(by)
        if known is not None:
            return torch.from_numpy(known.values[self.index])
        found = compute(self)
        if by in self._store.vectors and np.array_equal(self.index, np.arange(len(self._store))):
            self._store.vectors[by] = Dense(found.detach().cpu().numpy())
        return found

    def apart(self) -> Molecules:
        """The same in a store of their own, without blocks: for few of a large store."""
        return Molecules(self.smiles)

    def alone_if_few(self) -> Molecules:
        """The same; apart, if they are few of a large store of which nothing is computed yet.

        So that 32 molecules of a large table do not wait for the blocks of all.
        """
        few = FEW * len(self) < len(self._store) and not self._store.blocks
        return self.apart() if few else self

    @staticmethod
    def stores(views: Sequence[Molecules]) -> list[Molecules]:
        """Each store behind some views, once and whole."""
        stores = {id(view._store): view._store for view in views}.values()
        return [Molecules._view(one, np.arange(len(one))) for one in stores]

    def environments(self, radius: int, typed: bool = False, block: str = "graph") -> Environments:
        """The distinct atom environments of the whole *store*, in a block of graphs, found once."""
        found, key = self._store.environments, (block, radius, typed)
        prepared = self._store.prepared
        kept = prepared and key not in found and prepared.environments(*key)
        if kept:
            found[key] = kept
        if key not in found:
            graphs: Graphs = self.block(block)
            first_atom = np.repeat(graphs.atom_offsets[:-1], np.diff(graphs.bond_offsets))
            bonds = graphs.bonds + first_atom[:, None].astype(np.int32)
            found[key] = distinct_environments(
                graphs.atom_code, bonds, graphs.bond_code, radius, typed
            )
            if prepared:
                prepared.keep_environments(*key, found[key])
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

"""Weisfeiler–Lehman colours, counted."""

from __future__ import annotations

from collections import Counter
from zlib import crc32

from rdkit import Chem

from molmeta.featurizers.fingerprint import collect_counts
from molmeta.featurizers.graph import GraphFeaturizer
from molmeta.molecules import FINGERPRINT_WIDTH, Counts

ROUNDS = 3


class WeisfeilerLehman:
    r"""The `weisfeiler_lehman` block: how often each colour occurs, in rounds 0 to 3.

    Shervashidze et al.: *Weisfeiler–Lehman Graph Kernels* (JMLR 2011), with the atoms and bonds of
    the `graph` block. An atom's colour becomes

    .. math:: c_v^{(l)} = \mathrm{hash}\big(c_v^{(l-1)},
              \{\!\{ (b_{uv}, c_u^{(l-1)}) : u \in N(v) \}\!\}\big)

    No message-passing network can tell apart two atoms of one colour (Xu et al. 2019): this is what
    a graph encoder can see, untrained. Columns are folded to 2,048; a count above 255 stays 255.
    """

    def __init__(self) -> None:
        self._graph = GraphFeaturizer()

    def row(self, mol: Chem.Mol) -> Counter[int]:
        """Count of each column that occurs."""
        colours, begins, ends, codes = self._graph.row(mol)
        around: list[list[tuple[int, int]]] = [[] for _ in colours]
        for begin, end, code in zip(begins, ends, codes, strict=True):
            around[begin].append((code, end))
            around[end].append((code, begin))
        found = Counter(_column(colour) for colour in colours)
        for _ in range(ROUNDS):
            colours = [
                _hash((colour, *sorted((code, colours[u]) for code, u in near)))
                for colour, near in zip(colours, around, strict=True)
            ]
            found.update(map(_column, colours))
        return found

    def collect(self, rows: list[Counter[int]]) -> Counts:
        """All rows as sparse counts."""
        return collect_counts(rows)


def _hash(value: object) -> int:
    """The same in every process and version of Python."""
    return crc32(repr(value).encode())


def _column(colour: int) -> int:
    return _hash(colour) % FINGERPRINT_WIDTH

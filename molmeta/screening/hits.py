"""What is kept beside the output: the best of the ranking, and how well it found known actives."""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rdkit import Chem, DataStructs
from rdkit.ML.Scoring.Scoring import CalcBEDROC

from molmeta.errors import DataError
from molmeta.metrics import enrichment_factor, roc_auc
from molmeta.molecules import ecfp4_bits

CANDIDATES = 20  # rows for each hit that are held, for the filter to choose from
ALPHA = 20.0  # of BEDROC: 80 % of it come from the best 8 % of the ranking
FRACTIONS = (0.01, 0.05, 0.1)


@dataclass
class Best:
    """The best rows by one score, of which no two are alike.

    Chosen among the best `CANDIDATES` times as many different SMILES; where these are too much
    alike, fewer are found.

    Attributes
    ----------
    most : int
        Rows that are wanted.
    alike : float
        Tanimoto's similarity (ECFP4) that no two reach; 1 keeps all but the same.
    """

    most: int
    alike: float = 0.7
    _held: list[tuple[float, int, str]] = field(default_factory=list)
    _texts: set[str] = field(default_factory=set)

    def add(self, row: int, score: float, smiles: str) -> None:
        """Look at a row; rows come in order, and of equal scores the earlier is better."""
        full = len(self._held) == CANDIDATES * self.most
        if (full and score <= self._held[0][0]) or smiles in self._texts:
            return
        if full:
            self._texts.discard(heapq.heappop(self._held)[2])
        heapq.heappush(self._held, (score, -row, smiles))
        self._texts.add(smiles)

    def rows(self, taken: list[Any] | None = None) -> list[int]:
        """Numbers of the rows, the best first; unlike those `taken`, to which they are added."""
        taken = [] if taken is None else taken
        found: list[int] = []
        for _, row, smiles in sorted(self._held, reverse=True):
            mol = Chem.MolFromSmiles(smiles) if len(found) < self.most else None
            if mol is None:
                continue
            bits = ecfp4_bits(mol)
            if max(DataStructs.BulkTanimotoSimilarity(bits, taken), default=0.0) < self.alike:
                taken.append(bits)
                found.append(-row)
        return found


class Hits:
    """The best rows by one score; where a domain is known, the best inside it, then those outside.

    Parameters
    ----------
    most, alike
        As of `Best`, of each part; no two of both parts are alike.
    """

    def __init__(self, most: int, alike: float) -> None:
        self.parts = {part: Best(most, alike) for part in ("", "inside", "outside")}

    def add(self, row: int, score: float, smiles: str, part: str) -> None:
        """Look at a row of a part: `inside` or `outside`, or "" where no domain is known."""
        self.parts[part].add(row, score, smiles)

    def rows(self) -> list[tuple[int, str, int]]:
        """Rank within its part, part, and number of each row."""
        taken: list[Any] = []
        return [
            (rank, part, row)
            for part, best in self.parts.items()
            for rank, row in enumerate(best.rows(taken), start=1)
        ]


@dataclass
class Labels:
    """Known labels of a library's rows, with their scores: four bytes each."""

    active: list[bool] = field(default_factory=list)
    scores: array[float] = field(default_factory=lambda: array("f"))

    def add(self, label: bool | None, scores: Sequence[float]) -> None:
        """Look at a row; one without a label does not count."""
        if label is not None:
            self.active.append(label)
            self.scores.extend(scores)

    def told(self, names: Sequence[str]) -> list[str]:
        """A line for each score: enrichment factors, BEDROC and ROC-AUC."""
        active = np.array(self.active, dtype=np.int64)
        if not 0 < active.sum() < len(active):
            return [f"{len(active)} scored rows have a label, {active.sum()} of them active: no "
                    "enrichment"]  # fmt: skip
        lines = [f"{len(active)} scored rows have a label, {active.sum()} of them active"]
        columns = np.frombuffer(self.scores, np.float32).reshape(-1, len(names)).T
        for name, score in zip(names, columns, strict=True):
            ranked = active[np.argsort(-score, kind="stable")]
            bedroc = CalcBEDROC(ranked[:, None].tolist(), 0, ALPHA)
            factors = ", ".join(
                f"{enrichment_factor(active, score, f):.1f} in the best {f:.0%}" for f in FRACTIONS
            )
            area = roc_auc(active, score)
            lines.append(
                f"{name}: enrichment {factors}; BEDROC (α = 20) {bedroc:.3f}; ROC-AUC {area:.3f}"
            )
        return lines


def label_of(cell: Any, where: str) -> bool | None:
    """Whether a row is known as active; None where nothing is known.

    Raises
    ------
    DataError
        The label is neither 0 nor 1.
    """
    text = "" if cell is None else str(cell).strip().lower()
    if text in ("", "nan", "none"):
        return None
    try:
        return {0.0: False, 1.0: True}[float({"true": 1, "false": 0}.get(text, text))]
    except (KeyError, ValueError):
        raise DataError(f"{where}: the label is {cell!r}; give 1, 0 or nothing") from None

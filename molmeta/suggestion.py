"""Which molecules of a library to measure next."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from rdkit import Chem, DataStructs
from rdkit.SimDivFilters import MaxMinPicker

from molmeta.errors import ConfigError, MolmetaError
from molmeta.identity import ecfp4_bits
from molmeta.registry import nearest

STRATEGIES = ("exploit", "diverse", "explore")
ALIKE = 0.5  # two molecules of a diverse batch are less similar than this
UPPER = 0.5  # share of the library, by its score, in which explore looks
SLACK = 10  # candidates for each place of a batch that a budget may pass over


def suggest(
    mols: Sequence[Chem.Mol],
    score: ArrayLike,
    measured: Sequence[Chem.Mol],
    n: int,
    *,
    strategy: str = "diverse",
    costs: ArrayLike | None = None,
    budget: float | None = None,
) -> pd.DataFrame:
    """A batch of molecules to measure next.

    Parameters
    ----------
    mols : sequence of Mol
        The library, as it was standardised.
    score : array-like
        `[len(mols)]`: what they are ranked by.
    measured : sequence of Mol
        Those that were measured: they are never suggested again.
    n : int
        Molecules of the batch, at most.
    strategy : str
        - `exploit`: the best of the ranking. Finds most actives now, if the model is right.
        - `diverse`: the best of the ranking of which no two are more alike than .5 (Tanimoto,
          ECFP4): as many actives of more kinds. Where fewer than n are left, the bound is raised.
        - `explore`: of the better half of the ranking those that are farthest from each other and
          from what was measured (MaxMin; Ashton et al. 2002): teaches the model most.
    costs : array-like, optional
        Of each molecule.
    budget : float, optional
        What the batch may cost in all; a molecule that no longer fits is passed over. Without
        costs, each costs 1.

    Returns
    -------
    DataFrame
        `position` in the library, `score`, `similarity` to the nearest measured or earlier
        suggested molecule, `cost`; in the order in which they were chosen.

    Raises
    ------
    ConfigError
        There is no such strategy, or n is no positive number.
    MolmetaError
        Scores or costs are not one a molecule, or the budget is too small for any.
    """
    if strategy not in STRATEGIES:
        raise ConfigError(f"there is no strategy '{strategy}'{nearest(strategy, STRATEGIES)}")
    if n < 1:
        raise ConfigError(f"n is {n}; ask for one molecule or more")
    scores = _one_each(score, mols, "scores")
    prices = np.ones(len(mols)) if costs is None else _one_each(costs, mols, "costs")
    known, old = {Chem.MolToSmiles(mol) for mol in measured}, [ecfp4_bits(m) for m in measured]
    ranked = np.argsort(-scores, kind="stable")
    order = (
        int(i)
        for i in ranked[np.isfinite(scores[ranked])]
        if Chem.MolToSmiles(mols[int(i)]) not in known
    )
    bits = cache(lambda i: ecfp4_bits(mols[int(i)]))
    if strategy == "diverse":
        order = _unlike(order, bits)
    elif strategy == "explore":
        most = n if budget is None else SLACK * n
        order = _farthest(list(order), bits, old, most)
    rows, seen = [], list(old)
    for position in _affordable(order, prices, n, budget):
        near = max(DataStructs.BulkTanimotoSimilarity(bits(position), seen), default=0.0)
        rows.append((position, scores[position], near, prices[position]))
        seen.append(bits(position))
    if not rows and budget is not None:
        raise MolmetaError(f"the budget of {budget:g} buys none of the {len(mols)} molecules")
    return pd.DataFrame(rows, columns=["position", "score", "similarity", "cost"])


def _unlike(order: Iterable[int], bits: Callable[[int], Any]) -> Iterator[int]:
    """Down the ranking, first those unlike all before, then those less unlike, to the last."""
    taken: list[Any] = []
    left = order
    for bound in (*np.arange(ALIKE, 1, 0.1), np.inf):
        later = []
        for position in left:
            near = max(DataStructs.BulkTanimotoSimilarity(bits(position), taken), default=0.0)
            if near < bound:
                taken.append(bits(position))
                yield position
            else:
                later.append(position)
        left = later


def _farthest(
    order: Sequence[int], bits: Callable[[int], Any], old: Sequence[Any], most: int
) -> Iterator[int]:
    """RDKit's MaxMin picks in the upper part of the ranking; they begin with what was measured."""
    upper = order[: max(most, math.ceil(UPPER * len(order)))]
    pool = [*old, *(bits(i) for i in upper)]
    if not upper:
        return
    size = min(len(pool), len(old) + most)
    picked = MaxMinPicker().LazyBitVectorPick(pool, len(pool), size, list(range(len(old))), seed=0)
    for place in list(picked)[len(old) :]:
        yield upper[place - len(old)]


def _affordable(
    candidates: Iterable[int], prices: np.ndarray, n: int, budget: float | None
) -> list[int]:
    chosen: list[int] = []
    left = np.inf if budget is None else budget
    for position in candidates:
        if len(chosen) == n:
            break
        if prices[position] <= left:
            chosen.append(position)
            left -= prices[position]
    return chosen


def _one_each(values: ArrayLike, mols: Sequence[Chem.Mol], what: str) -> np.ndarray:
    found = np.asarray(values, dtype=np.float64)
    if found.shape != (len(mols),):
        raise MolmetaError(f"{len(mols)} molecules have {found.size} {what}; give one each")
    return found

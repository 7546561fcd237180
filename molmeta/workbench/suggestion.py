"""Which molecules of a library to measure next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from rdkit import Chem, DataStructs
from tqdm import tqdm

from molmeta.errors import ConfigError, MolmetaError
from molmeta.models import Domain
from molmeta.molecules import ecfp4_bits
from molmeta.registry import nearest
from molmeta.seeds import generator

STRATEGIES = ("exploit", "diverse", "explore")
ALIKE = 0.5  # two molecules of a diverse batch are less similar than this
LARGEST = 2000  # molecules whose joint variance explore looks at
NOISE = 0.4  # of a label, for a variance of one


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
        Of the first two, molecules inside the domain of what was measured come first, and those
        outside after them: of these the model knows little.

        - `exploit`: the best of the ranking. Finds most actives now, if the model is right.
        - `diverse`: the best of the ranking of which no two are more alike than .5 (Tanimoto,
          ECFP4): as many actives of more kinds. Where fewer than n are left, the bound is raised.
        - `explore`: those that, once measured, leave the least uncertainty over the whole library,
          whatever their score: teaches the model most. The variance is that of a Gaussian process
          with the Tanimoto kernel (Cohn, Ghahramani, Jordan 1996; Seo et al. 2000); a library of
          more than 2,000 molecules is looked at through as many of them.
    costs : array-like, optional
        Of each molecule.
    budget : float, optional
        What the batch may cost in all; a molecule that no longer fits is passed over. Without
        costs, each costs 1.

    Returns
    -------
    DataFrame
        `position` in the library, `score`, `similarity` to the nearest measured or earlier
        suggested molecule, `cost`, `inside` the domain (`Domain`) or not; by `explore` in the
        order in which they were chosen, else those inside first.

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
    bits = cache(lambda i: ecfp4_bits(mols[int(i)]))
    inside = _inside(measured, [bits(i) for i in range(len(mols))])
    ranked = np.lexsort((prices, -scores, ~inside))  # of equal scores the cheapest first
    order = _once((int(i) for i in ranked[np.isfinite(scores[ranked])]), mols, known)
    if strategy == "diverse":
        order = _unlike(order, bits)
    elif strategy == "explore":
        order = _informative(list(order), bits, old)
    rows, seen = [], list(old)
    chosen = _affordable(order, prices, n, budget)
    if strategy != "explore":
        chosen.sort(key=lambda position: not inside[position])
    for position in chosen:
        near = max(DataStructs.BulkTanimotoSimilarity(bits(position), seen), default=0.0)
        rows.append((position, scores[position], near, prices[position], inside[position]))
        seen.append(bits(position))
    if not rows and budget is not None:
        raise MolmetaError(f"the budget of {budget:g} buys none of the {len(mols)} molecules")
    return pd.DataFrame(rows, columns=["position", "score", "similarity", "cost", "inside"])


def _inside(measured: Sequence[Chem.Mol], bits: Sequence[Any]) -> np.ndarray:
    """Whether each fingerprint is inside the domain of what was measured; if nothing was, it is."""
    if not measured:
        return np.ones(len(bits), dtype=bool)
    domain = Domain.of([Chem.MolToSmiles(mol) for mol in measured])
    return domain.inside(domain.nearest(bits)[1])


def _once(order: Iterable[int], mols: Sequence[Chem.Mol], known: set[str]) -> Iterator[int]:
    """Those that are not known, and of the same molecule in several rows the first."""
    seen = set(known)
    for position in order:
        smiles = Chem.MolToSmiles(mols[position])
        if smiles not in seen:
            seen.add(smiles)
            yield position


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


def _informative(
    order: Sequence[int], bits: Callable[[int], Any], old: Sequence[Any]
) -> Iterator[int]:
    """One by one those that leave the least variance over the library, given all before."""
    left = np.array(order, dtype=np.int64)
    if len(left) > LARGEST:
        left = np.sort(generator("explore", len(left)).permutation(left)[:LARGEST])
    pool = [*old, *(bits(int(i)) for i in left)]
    covariance = np.array([DataStructs.BulkTanimotoSimilarity(one, pool) for one in pool])
    for place in range(len(old)):
        covariance = _given(covariance, place)
    open_ = np.zeros(len(pool), dtype=bool)
    open_[len(old) :] = True
    while open_.any():
        gain = np.square(covariance).sum(axis=0) / (covariance.diagonal() + NOISE)
        place = int(np.where(open_, gain, -1).argmax())
        open_[place] = False
        yield int(left[place - len(old)])
        covariance = _given(covariance, place)


def _given(covariance: np.ndarray, place: int) -> np.ndarray:
    """The covariance once the molecule at a place is measured."""
    row = covariance[place]
    return covariance - np.outer(row, row) / (row[place] + NOISE)


def _affordable(
    candidates: Iterable[int], prices: np.ndarray, n: int, budget: float | None
) -> list[int]:
    chosen: list[int] = []
    left = np.inf if budget is None else budget
    with tqdm(total=n, desc="choosing", unit=" molecules", delay=2, disable=None) as bar:
        for position in candidates:
            if len(chosen) == n:
                break
            if prices[position] <= left:
                chosen.append(position)
                left -= prices[position]
                bar.update()
    return chosen


def _one_each(values: ArrayLike, mols: Sequence[Chem.Mol], what: str) -> np.ndarray:
    found = np.asarray(values, dtype=np.float64)
    if found.shape != (len(mols),):
        raise MolmetaError(f"{len(mols)} molecules have {found.size} {what}; give one each")
    return found

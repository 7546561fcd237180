"""Assays split into three: to learn from, to stop by, and to be judged on (Nguyen et al. 2020)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from rdkit.DataStructs import ConvertToNumpyArray

from molmeta.errors import TooFewMeasurements
from molmeta.molecules import ecfp4_bits, read_mol
from molmeta.seeds import generator
from molmeta.tasks import Assay, Assays, Split, in_one_store

IN, OUT = "in-distribution", "out-of-distribution"
LEAST = 32  # measurements that a support leaves for stopping and judging
SIMILAR = 0.3


@dataclass(frozen=True)
class SplitAssay:
    """An assay whose measurements have a part each.

    Attributes
    ----------
    assay : Assay
        Of two classes.
    train, validation, test : ndarray
        Positions of the measurements that supports are drawn from, that fine-tuning is stopped by,
        and that a ranking is judged on.
    group : str
        `in-distribution`, `out-of-distribution`, or nothing.
    """

    assay: Assay
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    group: str = ""

    def support(self, size: int, seed: int) -> np.ndarray:
        """Positions of a stratified support of `size`, one of each class at least."""
        active, rng = self.assay.active[self.train], generator("dealt", self.assay.name, size, seed)
        if size == len(active):
            return self.train
        ones = int(np.clip(round(size * active.mean()), 1, size - 1))
        ones = int(np.clip(ones, size - np.sum(active == 0), active.sum()))
        sides = [rng.permutation(np.flatnonzero(active == k)) for k in (0, 1)]
        return self.train[np.concatenate([sides[0][: size - ones], sides[1][:ones]])]

    @property
    def can_be_judged(self) -> bool:
        """Whether every part has both classes."""
        parts = (self.train, self.validation, self.test)
        shares = [self.assay.active[part].mean() if len(part) else 0.0 for part in parts]
        return all(0 < share < 1 for share in shares)

    def sizes(self, support_sizes: Iterable[int]) -> list[int]:
        """The support sizes that its training part allows."""
        return [size for size in support_sizes if size <= len(self.train)]


class Study(NamedTuple):
    """What a study of initialisations needs.

    Attributes
    ----------
    train : list of Assay
        Meta-training episodes are drawn from these.
    validation, test : list of SplitAssay
        To select by, and to be judged on.
    pretraining : list of Assay
        What a multi-task network learns: the training and the validation assays.
    held_out : frozenset of str
        Molecules by whose labels multi-task training is stopped.
    forest_blocks : tuple of str
        What the forest reads of molecules.
    """

    train: list[Assay]
    validation: list[SplitAssay]
    test: list[SplitAssay]
    pretraining: list[Assay]
    held_out: frozenset[str]
    forest_blocks: tuple[str, ...] = ("ecfp4", "descriptors")


def into_parts(
    assay: Assay, support_sizes: Sequence[int], group: str = "", seed: int = 0
) -> SplitAssay:
    """Split an assay into parts, each in the proportion of its classes.

    The parts for stopping and for judging are of one size: a fifth of the assay each, or less, so
    that the largest support that leaves `LEAST` measurements can be drawn from the rest.

    Raises
    ------
    TooFewMeasurements
        The assay does not have `LEAST` measurements beside the smallest support.
    """
    possible = [size for size in support_sizes if size + LEAST <= len(assay)]
    if not possible:
        raise TooFewMeasurements(
            f"assay {assay.name} has {len(assay)} measurements; a support of {min(support_sizes)} "
            f"and {LEAST} to stop by and to judge on need {min(support_sizes) + LEAST}"
        )
    size = min(len(assay) // 5, (len(assay) - max(possible) - 2) // 2)
    rng = generator("deal", assay.name, seed)
    order = rng.permutation(len(assay))
    order = order[np.argsort(assay.active[order], kind="stable")]  # inactives, then actives
    # every (n / size)-th, twice, is stratified: no class is drawn from more often than the other
    places = (np.arange(2 * size) * len(order)) // (2 * size)
    taken = order[places]
    rest = np.setdiff1d(np.arange(len(assay)), taken)
    return SplitAssay(assay, rest, np.sort(taken[0::2]), np.sort(taken[1::2]), group)


def recreate(
    split: Split,
    support_sizes: Sequence[int],
    *,
    validation_size: int = 96,
    validation_assays: int = 16,
    groups: Mapping[str, str] | None = None,
    seed: int = 0,
) -> Study:
    """The study of Nguyen et al. 2020 on other assays, of two classes each.

    A test assay is of the group that `groups` has for it; else it is in-distribution by its
    target's class, where the assays have one (`info` "target_class"): one that training assays
    have too; or else by `similarity_to_nearest`, of .3 and more. Assays too small are left out: of
    validation those below `validation_size` + 32 measurements, of the test those below 128 (or, if
    all supports are smaller, what the largest needs); and those without both classes in every part.

    Differences from the paper
    --------------------------
    ChEMBL-20 of Mayr et al. is not to be had. No molecule of a test assay is in training here, if
    the split is so; nothing is known of that in the paper.
    """
    least = min(128, max(support_sizes) + LEAST)
    tested = [assay for assay in split.test.values() if len(assay) >= least]
    groups = groups or {}
    unknown = [assay for assay in tested if assay.name not in groups]
    told = _groups(unknown, split.train) if unknown else []
    by_name = {one.name: group for one, group in zip(unknown, told, strict=True)}
    rng = generator("recreate", seed)
    large = sorted(n for n, a in split.validation.items() if len(a) >= validation_size + LEAST)
    chosen = sorted(large[i] for i in rng.permutation(len(large))[:validation_assays])
    pretraining = [*split.train.values(), *split.validation.values()]
    smiles = sorted(set().union(*(assay.molecules.smiles for assay in pretraining)))
    held_out = rng.permutation(len(smiles))[: len(smiles) // 10]
    validation = [
        into_parts(split.validation[name], [validation_size], seed=seed) for name in chosen
    ]
    test = [
        into_parts(one, support_sizes, groups.get(one.name) or by_name[one.name], seed)
        for one in tested
    ]
    validation, test = ([one for one in side if one.can_be_judged] for side in (validation, test))
    return Study(
        list(split.train.values()),
        validation,
        test,
        pretraining,
        frozenset(smiles[i] for i in held_out),
    )


def at_most(split: Split, most: int) -> Split:
    """No more than `most` measurements of each assay, drawn by chance, over fewer molecules."""
    sides = [
        Assays(
            assay.take(np.sort(generator("at most", name, 0).permutation(len(assay))[:most]))
            for name, assay in side.items()
        )
        for side in split
    ]
    return Split(*in_one_store(sides))


def _groups(tested: Sequence[Assay], train: Assays) -> list[str]:
    known = {assay.info.get("target_class") for assay in train.values()}
    if None not in known and all("target_class" in assay.info for assay in tested):
        return [IN if assay.info["target_class"] in known else OUT for assay in tested]
    found = similarity_to_nearest(tested, list(train.values()))
    return [IN if similarity >= SIMILAR else OUT for similarity in found]


def similarity_to_nearest(tested: Sequence[Assay], train: Sequence[Assay]) -> np.ndarray:
    r"""How much the molecules of assays `[n]` resemble those of the training assay nearest to each.

    .. math:: \max_B \frac{1}{|A|} \sum_{a \in A} \max_{b \in B} s(a, b)

    with Tanimoto's similarity s of ECFP4 (2048 bits).
    """
    smiles = sorted(set().union(*(assay.molecules.smiles for assay in train)))
    bits, position = _bits(smiles), {text: i for i, text in enumerate(smiles)}
    columns = [torch.tensor([position[text] for text in a.molecules.smiles]) for a in train]
    starts = np.cumsum([0, *map(len, columns)])[:-1]
    members, counts = torch.cat(columns), bits.sum(dim=1)
    found = []
    for assay in tested:
        total = np.zeros(len(train))
        for own in _bits(assay.molecules.smiles).split(256):  # so that memory stays small
            both = own @ bits.T
            similar = both / (own.sum(dim=1, keepdim=True) + counts - both)
            total += np.maximum.reduceat(similar[:, members].numpy(), starts, axis=1).sum(axis=0)
        found.append(total.max() / len(assay))
    return np.array(found)


def _bits(smiles: Sequence[str]) -> torch.Tensor:
    rows = np.zeros((len(smiles), 2048), dtype=np.int8)
    for row, text in zip(rows, smiles, strict=True):
        ConvertToNumpyArray(ecfp4_bits(read_mol(text)), row)
    return torch.from_numpy(rows).float()

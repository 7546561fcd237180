"""Which model to use on one's own measurements: by molecule and by scaffold, and as they grow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from molmeta.baselines import linear_probe
from molmeta.encoders import FeaturesWithPrior
from molmeta.errors import MolmetaError, TooFewMeasurements
from molmeta.learners import Embedded
from molmeta.models import BaseModel, fold_of_each, from_pretrained
from molmeta.molecules import scaffolds
from molmeta.seeds import generator
from molmeta.tasks import Assay, Classification, exact
from molmeta.workbench.comparison import FOLDS, REFERENCE, Comparison
from molmeta.workbench.fits import Models, Part, Row, fit_parts

RANDOM, SCAFFOLD = "stratified", "scaffold"
SPLITS = (RANDOM, SCAFFOLD)
REPEATS = 5
CURVES = 2  # repeats of which learning curves are drawn
LEAST = 16
BASELINES = ("gaussian_process", REFERENCE)
COLUMNS = ["learner", "split", "repeat", "fold", "size", "metric", "value"]


def standard_models(base: BaseModel | None = None) -> dict[str, BaseModel]:
    """The default model, a linear probe on its network, a Gaussian process, and the forest."""
    base = base or from_pretrained()
    models = {base.experiment.name: base}
    probe = linear_probe_of(base)
    if probe is not None:
        models["linear_probe"] = probe
    return {**models, **{name: from_pretrained(name) for name in BASELINES}}


def linear_probe_of(base: BaseModel) -> BaseModel | None:
    """Logistic (or ridge) regression on the vectors of a model's network, if it has one."""
    encoder = base.learner.encoder if isinstance(base.learner, Embedded) else None
    if not isinstance(encoder, FeaturesWithPrior):
        return None
    learner = linear_probe(encoder.network, Classification(2)).eval()
    model = replace(base.experiment.model, learner={"name": "linear_probe"})
    return BaseModel(
        learner, replace(base.experiment, name="linear_probe", model=model), base.sha256
    )


def compare(
    assay: Assay,
    models: Models | None = None,
    *,
    repeats: int = REPEATS,
    workers: int = 1,
    say: Callable[[str], None] | None = None,
) -> Comparison:
    """Cross-validate models on one's own measurements, by molecule and by scaffold.

    Parameters
    ----------
    assay : Assay
        Binary, or of measured values.
    models : mapping, optional
        By name, the forest (`random_forest`) among them; by default `standard_models()`.
    repeats : int
        Of each kind of fold, dealt anew. Learning curves are drawn of the first two.
    workers : int
        Processes. With several, a script needs `if __name__ == "__main__":`.
    say : callable, optional
        Told before the most of it how long it will take.

    Raises
    ------
    TooFewMeasurements
        Fewer than 16 molecules, or fewer than 4 of a class.
    """
    models = models or standard_models()
    if REFERENCE not in models:
        raise MolmetaError(f"compare needs the model '{REFERENCE}' to compare with")
    _check_size(assay)
    assay = replace(assay, molecules=assay.molecules.alone_if_few())
    kinds, names = scaffolds(assay.molecules.smiles), tuple(models)
    whole = [
        part
        for split in SPLITS
        for repeat in range(repeats)
        for part in _parts(assay, split, kinds, repeat, names)
    ]
    tried = {part.split for part in whole}
    impossible = {
        split: "no division by scaffold leaves both classes on both sides"
        for split in SPLITS
        if split not in tried
    }
    both = tuple(dict.fromkeys([names[0], REFERENCE]))
    curves = range(min(CURVES, repeats))
    smaller = [part for repeat in curves for part in _smaller(assay, repeat, both)]
    found = fit_parts(assay, models, whole + smaller, workers=workers, say=say)
    scores = [row for rows in found[: len(whole)] for row in rows]
    curve = [row for rows in found[len(whole) :] for row in rows]
    curve += [row for row in scores if _ends_curve(assay, row, both)]
    tables = [pd.DataFrame(rows, columns=COLUMNS) for rows in (scores, curve)]
    return Comparison(assay, tables[0], tables[1], impossible)


def _check_size(assay: Assay) -> None:
    binary = isinstance(assay.target, Classification)
    least = int(min(np.bincount(assay.active, minlength=2))) if binary else FOLDS
    if len(assay) < LEAST or least < FOLDS:
        raise TooFewMeasurements(
            f"assay {assay.name} has {len(assay)} molecules"
            + (f", {least} of the rarer class" if binary else "")
            + f"; a comparison needs {LEAST} and {FOLDS} of each class: measure more"
        )


def _parts(
    assay: Assay, split: str, kinds: Sequence[str], repeat: int, names: tuple[str, ...]
) -> Iterator[Part]:
    fold = _folds(assay, split, kinds, repeat)
    for k in range(FOLDS):
        train, test = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        if _both(assay, train) and _both(assay, test):
            yield Part(split, repeat, k, train, test, names)


def _smaller(assay: Assay, repeat: int, names: tuple[str, ...]) -> Iterator[Part]:
    """Nested parts of each fold's training part; the whole of it is scored already."""
    for part in _parts(assay, RANDOM, [], repeat, names):
        order = part.train[_spread(assay.active[part.train], repeat, part.fold)]
        for size in _sizes(_most(assay)):
            if size < len(part.train) and _both(assay, order[:size]):
                yield replace(part, train=order[:size])


def _ends_curve(assay: Assay, row: Row, names: tuple[str, ...]) -> bool:
    """Whether a score of the folds is the last of a learning curve."""
    learner, split, repeat, _, size, *_ = row
    return learner in names and split == RANDOM and repeat < CURVES and size == _most(assay)


def _most(assay: Assay) -> int:
    """The size at which learning curves end."""
    return len(assay) * (FOLDS - 1) // FOLDS


def _sizes(most: int) -> list[int]:
    """8, 16, 32, … and the most."""
    doubled = [2**power for power in range(3, 12) if 2**power < 0.75 * most]
    return [*doubled, most]


def _spread(active: np.ndarray, repeat: int, fold: int) -> np.ndarray:
    """An order of which every beginning has about the share of actives of the whole."""
    order = generator("learning curve", 0, repeat, fold).permutation(len(active))
    place = np.empty(len(active))
    for label in (0, 1):
        own = order[active[order] == label]
        place[own] = (np.arange(len(own)) + 0.5) / max(len(own), 1)
    return np.argsort(place, kind="stable")


def _folds(assay: Assay, split: str, kinds: Sequence[str], repeat: int) -> np.ndarray:
    if split == RANDOM:
        return fold_of_each(assay, FOLDS, 1000 * repeat)
    state = int(generator("scaffold folds", 0, repeat).integers(2**31))
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=state)
    out = np.empty(len(assay), dtype=np.int64)
    for k, (_, test) in enumerate(folds.split(np.zeros(len(assay)), assay.active, kinds)):
        out[test] = k
    return out


def _both(assay: Assay, rows: np.ndarray) -> bool:
    if isinstance(assay.target, Classification):
        return 0 < assay.active[rows].sum() < len(rows)
    return int(exact(assay.take(rows)).sum()) > 1

"""Which model to use on one's own measurements: by molecule and by scaffold, and as they grow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from molmeta import metrics
from molmeta.baselines import linear_probe
from molmeta.encoders import FeaturesWithPrior
from molmeta.errors import MolmetaError, TooFewMeasurements
from molmeta.learners import Embedded
from molmeta.models import BaseModel, fold_of_each, from_pretrained
from molmeta.molecules import scaffolds
from molmeta.seeds import generator
from molmeta.tasks import Assay, Classification, exact
from molmeta.workbench.comparison import FOLDS, REFERENCE, Comparison

RANDOM, SCAFFOLD = "stratified", "scaffold"
SPLITS = (RANDOM, SCAFFOLD)
REPEATS = 5
LEAST = 16
BASELINES = ("gaussian_process", REFERENCE)
Row = tuple[str, str, int, int, int, str, float]


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
    models: Mapping[str, BaseModel] | None = None,
    *,
    repeats: int = REPEATS,
) -> Comparison:
    """Cross-validate models on one's own measurements, by molecule and by scaffold.

    Parameters
    ----------
    assay : Assay
        Binary, or of measured values.
    models : mapping, optional
        By name, the forest (`random_forest`) among them; by default `standard_models()`.
    repeats : int
        Of each kind of fold, dealt anew.

    Raises
    ------
    TooFewMeasurements
        Fewer than 16 molecules, or fewer than 4 of a class.
    """
    models = models or standard_models()
    if REFERENCE not in models:
        raise MolmetaError(f"compare needs the model '{REFERENCE}' to compare with")
    binary = isinstance(assay.target, Classification)
    least = int(min(np.bincount(assay.active, minlength=2))) if binary else FOLDS
    if len(assay) < LEAST or least < FOLDS:
        raise TooFewMeasurements(
            f"assay {assay.name} has {len(assay)} molecules"
            + (f", {least} of the rarer class" if binary else "")
            + f"; a comparison needs {LEAST} and {FOLDS} of each class: measure more"
        )
    kinds = scaffolds(assay.molecules.smiles)
    scores: list[Row] = []
    impossible: dict[str, str] = {}
    for split in SPLITS:
        found = [
            row
            for repeat in range(repeats)
            for row in _cross_validate(assay, models, split, kinds, repeat)
        ]
        if found:
            scores += found
        else:
            impossible[split] = "no division by scaffold leaves both classes on both sides"
    curve = [row for repeat in range(repeats) for row in _learning_curve(assay, models, repeat)]
    columns = ["learner", "split", "repeat", "fold", "size", "metric", "value"]
    tables = [pd.DataFrame(rows, columns=columns) for rows in (scores, curve)]
    return Comparison(assay, tables[0], tables[1], impossible)


def _cross_validate(
    assay: Assay,
    models: Mapping[str, BaseModel],
    split: str,
    kinds: Sequence[str],
    repeat: int,
) -> Iterator[Row]:
    fold = _folds(assay, split, kinds, repeat)
    for k in range(FOLDS):
        train, test = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        if not _both(assay, train) or not _both(assay, test):
            continue
        for name, model in models.items():
            for metric, value in _score(model, assay, train, test):
                yield name, split, repeat, k, len(train), metric, value


def _learning_curve(assay: Assay, models: Mapping[str, BaseModel], repeat: int) -> Iterator[Row]:
    """The first model and the forest on nested parts of each fold's training part."""
    fold = _folds(assay, RANDOM, [], repeat)
    names = dict.fromkeys([next(iter(models)), REFERENCE])
    for k in range(FOLDS):
        train, test = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        for size in _sizes(len(assay) * (FOLDS - 1) // FOLDS):
            part = train[_spread(assay.active[train], repeat, k)][:size]
            if _both(assay, part) and _both(assay, test):
                for name in names:
                    for metric, value in _score(models[name], assay, part, test):
                        yield name, RANDOM, repeat, k, size, metric, value


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


def _score(
    model: BaseModel, assay: Assay, train: np.ndarray, test: np.ndarray
) -> Iterator[tuple[str, float]]:
    predicted = model.adapt(model.readable(assay.take(train))).predict(assay.molecules[test])
    asked = assay.take(test)
    if isinstance(assay.target, Classification):
        yield "roc_auc", metrics.roc_auc(asked.active, predicted)
        yield "delta_auprc", metrics.delta_auprc(asked.active, predicted)
    else:  # a bound is learned from, but no error from it is known
        known = exact(asked)
        yield "spearman", metrics.spearman(asked.values[known], predicted[known])
        yield "rmse", metrics.rmse(asked.values[known], predicted[known])

"""The methods of Nguyen et al. 2020, and the forest: from a trained model to predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from molmeta.datasets import IN, OUT, SplitAssay
from molmeta.learners import MAML, Embedded, Learner, has_quirk
from molmeta.models import load_experiment, untrained
from molmeta.reproduce.early_stopping import (
    FineTuning,
    Task,
    learner_outputs,
    neighbours_outputs,
    new_head,
    scores_of,
    tuned_outputs,
)
from molmeta.reproduce.sizes import META, MULTI_TASK
from molmeta.tasks import Examples

FOREST = "random_forest"
FOREST_WITH_VALIDATION = "random_forest_with_validation"
BASELINES = ("fine_tune_all", "fine_tune_top", "knn")  # of the multi-task network
COLUMNS = [
    *("learner", "task", "group", "support_size", "model_seed", "split_seed"),
    *("metric", "value", "prevalence"),
]

ORDER = (*META, *BASELINES, FOREST, FOREST_WITH_VALIDATION)
LABELS = {
    "maml": "MAML",
    "fomaml": "FOMAML",
    "anil": "ANIL",
    "fine_tune_all": "Finetune-All",
    "fine_tune_top": "Finetune-Top",
    "knn": "kNN, multi-task",
    FOREST: "random forest",
    FOREST_WITH_VALIDATION: "random forest, with the stopping set",
}

Predict = Callable[[Task, Examples, Examples], Tensor]


class Method(NamedTuple):
    """How a task is learned.

    Attributes
    ----------
    name : str
        Of the row in the tables.
    encoder : nn.Module, optional
        A frozen encoder, whose vectors are then read in place of molecules.
    predict : callable
        Task, support and what to predict, to outputs `[n, 2]`.
    """

    name: str
    encoder: nn.Module | None
    predict: Predict


def groups_of(scores: pd.DataFrame) -> list[str]:
    """The groups of test assays that have scores, in the order of the tables."""
    found = set(scores["group"])
    return [group for group in (IN, OUT, *sorted(found - {IN, OUT, ""}), "") if group in found]


def present(scores: pd.DataFrame, names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of some methods that have scores."""
    found = set(scores["learner"])
    return tuple(name for name in names if name in found)


def methods_of(
    kind: str, learner: Learner, compat: str, settings: FineTuning, seed: int
) -> list[Method]:
    """What a trained model is used for.

    The released code weights actives by inactives over actives in the test
    (`weighted_fine_tuning`).
    """
    tune = partial(tuned_outputs, settings, has_quirk(compat, "weighted_fine_tuning"))
    if kind == MULTI_TASK:
        assert isinstance(learner, Embedded)
        encoder = learner.encoder
        head = new_head(encoder.dim, seed).to(learner.device)  # type: ignore[arg-type]
        whole = nn.Sequential(encoder, head)
        return [
            Method(BASELINES[0], None, partial(tune, whole)),
            Method(BASELINES[1], encoder, partial(tune, head)),
            Method(BASELINES[2], encoder, lambda _, s, judged: neighbours_outputs(s, judged)),
        ]
    encoder, head = parts_of(learner)
    if kind == "anil":
        return [Method(kind, encoder, partial(tune, head))]
    return [Method(kind, None, partial(tune, nn.Sequential(encoder, head)))]


def forests(blocks: Sequence[str]) -> list[Method]:
    """The forest on the support; and on the support and what the networks stop by."""
    shipped = load_experiment(FOREST)
    features = {**shipped.model.encoder, "blocks": list(blocks)}
    model = untrained(replace(shipped, model=replace(shipped.model, encoder=features))).learner
    assert isinstance(model, Embedded)
    alone, encoder = partial(learner_outputs, model.learner), model.encoder
    return [
        Method(FOREST, encoder, lambda _, s, judged: alone(s, judged)),
        Method(
            FOREST_WITH_VALIDATION, encoder, lambda t, s, judged: alone(_with_stop(t, s), judged)
        ),
    ]


def parts_of(learner: Learner) -> tuple[nn.Module, nn.Module]:
    """Encoder and head of a meta-trained learner."""
    if isinstance(learner, Embedded):
        assert isinstance(learner.learner, MAML)
        return learner.encoder, learner.learner.network
    assert isinstance(learner, MAML) and isinstance(learner.network, nn.Sequential)
    return learner.network[0], learner.network[1]


def selection_score(
    kind: str, learner: Learner, tasks: Sequence[SplitAssay], size: int, compat: str
) -> float:
    """Mean AUPRC on validation tasks after fine-tuning on `size` measurements, without weights.

    Judged on what fine-tuning is not stopped by; the release judges on just that
    (`selected_by_stopping_set`).
    """
    (method,) = methods_of(kind, learner, "corrected", FineTuning(), 0)
    by_stopping_set = has_quirk(compat, "selected_by_stopping_set")
    found = []
    for split in tasks:
        judged = replace(split, test=split.validation) if by_stopping_set else split
        rows = score(method, judged, [size], 0, 1, learner.device)
        found.append(next(row["value"] for row in rows if row["metric"] == "auprc"))
    return float(np.mean(found))


def score(
    method: Method,
    split: SplitAssay,
    support_sizes: Sequence[int],
    model_seed: int,
    split_seeds: int,
    device: torch.device,
) -> Iterator[dict[str, object]]:
    """The rows of one task."""
    task = Task.of(split, device, method.encoder)
    judged = task.part(split.test)
    for size in split.sizes(support_sizes):
        for split_seed in range(split_seeds):
            support = task.part(split.support(size, split_seed))
            outputs = method.predict(task, support, judged)
            common = (method.name, split.assay.name, split.group, size, model_seed, split_seed)
            for metric, value in scores_of(outputs, judged):
                prevalence = float(judged.y.float().mean())
                yield dict(zip(COLUMNS, (*common, metric, value, prevalence), strict=True))


def score_all(
    methods: Sequence[Method],
    split: SplitAssay,
    support_sizes: Sequence[int],
    model_seed: int,
    split_seeds: int,
    device: torch.device,
) -> pd.DataFrame:
    """The rows of one task with several methods."""
    rows = [
        row
        for method in methods
        for row in score(method, split, support_sizes, model_seed, split_seeds, device)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _with_stop(task: Task, support: Examples) -> Examples:
    more = task.part(task.split.validation)
    both = (torch.cat([support.x, more.x]), torch.cat([support.y, more.y]))
    return Examples(*both, support.target)

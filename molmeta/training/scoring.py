"""Score a learner on evaluation episodes: the one loop behind validation and benchmarks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from molmeta import metrics
from molmeta.learners import Embedded, Learner
from molmeta.models import encode_all
from molmeta.tasks import (
    Assay,
    Draw,
    Episode,
    Images,
    Regression,
    evaluation_episode,
    evaluation_images,
    fits,
    stratified,
)


class Score(NamedTuple):
    """One number: the columns of every results table, but for the learner's name."""

    task: str
    support_size: int
    draw: int
    metric: str
    value: float
    prevalence: float


def score_learner(
    learner: Learner,
    assays: Iterable[Assay],
    support_sizes: Sequence[int],
    draws: int,
    seed: int = 0,
    draw_support: Draw = stratified,
) -> Iterator[Score]:
    """ΔAUPRC and ROC-AUC (and RMSE of a regression) on every evaluation episode.

    A frozen encoder encodes each molecule of an assay once, for all episodes, and a kernel compares
    them once. An assay too small for a support size has no episode of that size.
    """
    learner.eval()
    for assay in assays:
        head, encoded = _encode(learner, assay)
        for size in (size for size in support_sizes if fits(assay, size)):
            for draw in range(draws):
                episode = evaluation_episode(
                    encoded, size, draw, seed, learner.described_by, draw_support
                ).to(learner.device)
                for metric, value, prevalence in score_episode(head, episode):
                    yield Score(assay.name, size, draw, metric, value, prevalence)


def score_episode(learner: Learner, episode: Episode) -> Iterator[tuple[str, float, float]]:
    """(metric, value, prevalence of the query) of one episode."""
    with torch.no_grad():
        outputs = learner(episode.query.x, learner.adapt(episode.support))
    y = episode.query.y.cpu().numpy()
    score = episode.target.score(outputs).cpu().numpy()
    active = episode.target.active(y)
    prevalence = float(active.mean())
    yield "delta_auprc", metrics.delta_auprc(active, score), prevalence
    yield "roc_auc", metrics.roc_auc(active, score), prevalence
    if isinstance(episode.target, Regression):
        yield "rmse", metrics.rmse(y, score), prevalence


def mean_score(
    learner: Learner, assays: Sequence[Assay], support_sizes: Sequence[int], draws: int
) -> float:
    """Mean ΔAUPRC over draws, sizes and assays: what early stopping looks at."""
    scores = score_learner(learner, assays, support_sizes, draws, seed=1)
    return float(np.mean([score.value for score in scores if score.metric == "delta_auprc"]))


def score_images(
    learner: Learner,
    images: Images,
    task: str,
    n_way: int,
    shots: Sequence[int],
    query_shots: int,
    draws: int,
    seed: int = 0,
) -> Iterator[Score]:
    """Accuracy on every evaluation episode; `support_size` is n_way · k, `prevalence` 1 / n_way."""
    learner.eval()
    for k_shot in shots:
        for draw in range(draws):
            episode = evaluation_images(
                *(images, n_way, k_shot, query_shots, draw, seed),
                described=learner.described_by is not None,
            ).to(learner.device)
            with torch.no_grad():
                outputs = learner(episode.query.x, learner.adapt(episode.support))
            hits = (outputs.argmax(dim=1) == episode.query.y).double().mean().item()
            yield Score(task, n_way * k_shot, draw, "accuracy", hits, 1 / n_way)


def mean_accuracy(
    learner: Learner,
    images: Images,
    n_way: int,
    shots: Sequence[int],
    query_shots: int,
    draws: int,
) -> float:
    """Mean accuracy over draws and shots: what early stopping looks at."""
    scores = score_images(learner, images, "", n_way, shots, query_shots, draws, seed=1)
    return float(np.mean([score.value for score in scores]))


def _encode(learner: Learner, assay: Assay) -> tuple[Learner, Assay]:
    """What is left of a learner once an assay's molecules are vectors, and that assay."""
    if not isinstance(learner, Embedded):
        return learner, assay
    vectors = encode_all(learner.encoder, assay.molecules)
    if learner.support_encoder is not None:
        head = Embedded(torch.nn.Identity(), learner.learner, learner.support_encoder)
        return head, replace(assay, molecules=vectors)
    head, rows = learner.learner.among(vectors)
    return head, replace(assay, molecules=rows)

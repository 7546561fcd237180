"""Nguyen et al. 2020, run again: train every initialisation, fine-tune it, and judge it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from molmeta.datasets import SplitAssay, Study
from molmeta.device import resolve
from molmeta.errors import ConfigError, TooFewMeasurements
from molmeta.evaluation import Results, cost, run_jobs
from molmeta.files import read_checked, write_checked
from molmeta.learners import COMPAT, MultiTaskByMolecule
from molmeta.models import Episodes, from_pretrained
from molmeta.registry import nearest
from molmeta.reproduce.early_stopping import FineTuning
from molmeta.reproduce.methods import FOREST, forests, methods_of, score_all, selection_score
from molmeta.reproduce.sizes import META, MULTI_TASK, TRAINED, Size, experiment
from molmeta.seeds import torch_seeded
from molmeta.tasks import Assay, AssayEpisodes, at_random, large_enough
from molmeta.training import (
    MoleculeBatches,
    compute_features,
    digest,
    rank,
    run_training,
    start_learner,
    world_size,
)

SELECT_BY = 96  # measurements of a validation task that are fine-tuned on


@dataclass(frozen=True)
class Job:
    """One model of a study: how it is trained, and where it is kept."""

    kind: str
    seed: int
    study: Study
    size: Size
    compat: str
    save_dir: Path
    device: str
    progress: bool | None

    @property
    def folder(self) -> Path:
        """Of its model and its scores."""
        return self.save_dir / f"{self.kind}-seed{self.seed}"


def reproduce(
    study: Study,
    size: Size,
    save_dir: Path,
    *,
    compat: str = COMPAT[0],
    methods: Sequence[str] = (*TRAINED, FOREST),
    device: str = "auto",
    workers: int = 2,
    progress: bool | None = None,
) -> Results:
    """Train, fine-tune on every test assay, and score.

    All models and scores are kept below `save_dir`, so that the same command goes on where it was
    stopped. Under `torchrun`, the processes share each training; process 0 scores.

    Parameters
    ----------
    methods : sequence of str
        Those of `TRAINED`, which are trained (`multi_task` is judged as Finetune-All, Finetune-Top
        and kNN), and `random_forest`.
    workers : int
        Processes, each with a thread; one where `torchrun` started several.

    Returns
    -------
    Results
        Scores have the columns of `reproduce.methods.COLUMNS`.

    Raises
    ------
    ConfigError
        There is no such method or `compat`.
    TooFewMeasurements
        No assay is left to select by, or to be judged on.
    """
    for name in methods:
        if name not in (*TRAINED, FOREST):
            raise ConfigError(f"there is no method '{name}'{nearest(name, (*TRAINED, FOREST))}")
    if compat not in COMPAT:
        raise ConfigError(f"there is no compat '{compat}'{nearest(compat, COMPAT)}")
    workers = 1 if world_size() > 1 else workers
    _check(study, methods)
    kinds = [name for name in TRAINED if name in methods]
    settings = (study, size, compat, save_dir, device, progress)
    jobs = [
        Job(kind, seed, *settings)
        for seed in range(size.model_seeds)
        for kind in kinds
        if not seed or kind not in size.once
    ]
    prepare(study, kinds, FOREST in methods)
    costs = run_jobs(_train, [(job,) for job in jobs], workers).costs
    if rank() > 0:
        return Results(pd.DataFrame(), costs)
    scored = [*jobs, *([Job(FOREST, 0, *settings)] if FOREST in methods else [])]
    parts = run_jobs(_score, [(job,) for job in scored], workers)
    return Results(parts.scores, costs)


def _check(study: Study, methods: Sequence[str]) -> None:
    needed = {"test": study.test}
    if set(methods) & set(META):
        needed["validation"] = study.validation
    for part, assays in needed.items():
        if not assays:
            raise TooFewMeasurements(
                f"no {part} assay is large enough, with both classes in each of its parts: give "
                "larger assays"
            )


def prepare(study: Study, kinds: Sequence[str], forest: bool) -> None:
    """Compute the features of all molecules ahead, once for all jobs."""
    tested = [split.assay for split in study.test]
    if kinds:
        every = [*study.pretraining, *study.train, *(d.assay for d in study.validation), *tested]
        for assay in every:
            assay.molecules.compute("atoms75")
    if forest:
        for method in forests(study.forest_blocks):
            compute_features(method.encoder, tested)  # type: ignore[arg-type]


def _meta(job: Job) -> None:
    study = job.study
    one = experiment(job.kind, job.size, job.compat, job.seed, _fraction_active(study.train))
    drawn = one.episodes
    assert isinstance(drawn, Episodes)
    kept, small = large_enough(study.train, drawn.support_sizes, drawn.query_size)
    if len(kept) < drawn.meta_batch_size:
        raise TooFewMeasurements(
            f"{len(kept)} training assays have the {max(drawn.support_sizes) + drawn.query_size} "
            f"measurements of an episode; a step needs {drawn.meta_batch_size} such assays"
        )
    sampler = AssayEpisodes(
        kept,
        drawn.support_sizes,
        drawn.query_size,
        drawn.meta_batch_size,
        job.seed,
        draw_support=at_random,
    )
    run_training(
        one,
        start_learner(one, job.device),
        sampler,
        lambda learner: selection_score(job.kind, learner, study.validation, SELECT_BY, job.compat),
        (digest(kept), digest(split.assay for split in study.validation)),
        [
            f"meta-trained on {len(kept)} assays, {len(small)} left out as too small; "
            f"compat {job.compat}; seed {job.seed}",
            f"selected by mean AUPRC of {len(study.validation)} validation assays, fine-tuned on "
            f"{SELECT_BY} measurements",
        ],
        save_dir=job.save_dir / one.name,
        progress=job.progress,
    )


def _multi_task(job: Job) -> None:
    study, size = job.study, job.size
    smiles = frozenset().union(*(assay.molecules.smiles for assay in study.pretraining))
    batches = MoleculeBatches.of(
        study.pretraining, size.batch, job.seed, keep=smiles - study.held_out
    )
    held_out = MoleculeBatches.of(study.pretraining, size.batch, keep=study.held_out & smiles)
    one = experiment(job.kind, size, job.compat, job.seed, epoch=batches.epoch)
    model = start_learner(one, job.device)
    names = [assay.name for assay in study.pretraining]
    with torch_seeded("for training", job.seed):
        learner = MultiTaskByMolecule(model, model.encoder, names).to(model.device)  # type: ignore[arg-type]
    run_training(
        one,
        learner,
        batches,  # type: ignore[arg-type]
        lambda learner: -held_out.loss(learner),  # type: ignore[arg-type]
        (digest(study.pretraining), sha256("\n".join(sorted(study.held_out)).encode()).hexdigest()),
        [
            f"trained on {len(names)} assays at once; compat {job.compat}; seed {job.seed}",
            f"selected by minus the loss on {len(held_out.molecules)} molecules held out",
        ],
        save_dir=job.save_dir / one.name,
        progress=job.progress,
    )


def _train(job: Job) -> Results:
    """Train a model, or find it trained; what it took."""
    build = _multi_task if job.kind == MULTI_TASK else _meta
    build(job)
    if rank() > 0:
        return Results(pd.DataFrame(), pd.DataFrame())
    took = cost(from_pretrained(job.folder), job.folder)
    return Results(pd.DataFrame(), took.assign(learner=job.kind))


def _score(job: Job) -> Results:
    """The scores of a model on every test assay; those that are kept are taken from there."""
    study, size, compat = job.study, job.size, job.compat
    settings = FineTuning()
    folder, where = job.folder, resolve(job.device)
    if job.kind == FOREST:
        methods, weights = forests(study.forest_blocks), ""
    else:
        model = from_pretrained(folder, where)
        methods, weights = (
            methods_of(job.kind, model.learner, compat, settings, job.seed),
            model.sha256,
        )
    depends: list[Any] = [asdict(settings), compat, weights, size.support_sizes, size.split_seeds]
    key = sha256(json.dumps(depends).encode()).hexdigest()[:12]
    parts = []
    for split in study.test:
        path = folder / f"scores-{key}" / f"{_digest(split)}.csv"
        if not path.exists():
            found = score_all(methods, split, size.support_sizes, job.seed, size.split_seeds, where)
            write_checked(path, found.to_csv(index=False, lineterminator="\n"))
        parts.append(pd.read_csv(StringIO(read_checked(path)), keep_default_na=False))
    return Results(pd.concat(parts, ignore_index=True), pd.DataFrame())


def _digest(split: SplitAssay) -> str:
    content = sha256(digest([split.assay]).encode())
    for positions in (split.train, split.validation, split.test):
        content.update(positions.tobytes())
    return content.hexdigest()[:16]


def _fraction_active(assays: Sequence[Assay]) -> float:
    return float(np.mean([assay.active.mean() for assay in assays]))

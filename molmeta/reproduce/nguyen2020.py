"""Nguyen et al. 2020, run again: train every initialisation, fine-tune it, and judge it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from molmeta.datasets import SplitAssay, Study
from molmeta.device import resolve
from molmeta.errors import ConfigError, TooFewMeasurements
from molmeta.evaluation import Results, cost, run_jobs
from molmeta.files import write_atomic
from molmeta.learners import COMPAT, Learner, MultiTaskByMolecule
from molmeta.models import Episodes, from_pretrained
from molmeta.registry import nearest
from molmeta.reproduce.early_stopping import FineTuning
from molmeta.reproduce.methods import FOREST, forests, methods_of, score_all, selection_score
from molmeta.reproduce.molecule_batches import MoleculeBatches
from molmeta.reproduce.sizes import META, MULTI_TASK, TRAINED, Size, experiment
from molmeta.seeds import torch_seeded
from molmeta.tasks import Assay, AssayEpisodes, at_random, large_enough
from molmeta.training import compute_features, digest, rank, run_training, start_learner, world_size

SELECT_BY = 96  # measurements of a validation task that are fine-tuned on


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
    jobs = [(kind, seed) for seed in range(size.model_seeds) for kind in kinds]
    prepare(study, kinds, FOREST in methods)
    settings = (study, size, compat, save_dir, device, progress)
    costs = run_jobs(_train_job, [(*job, *settings) for job in jobs], workers).costs
    if rank() > 0:
        return Results(pd.DataFrame(), costs)
    scored = [*jobs, *([(FOREST, 0)] if FOREST in methods else [])]
    parts = run_jobs(_score_job, [(*job, *settings[:-1]) for job in scored], workers)
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


def train(
    kind: str,
    seed: int,
    study: Study,
    size: Size,
    compat: str,
    save_dir: Path,
    device: str = "auto",
    progress: bool | None = None,
) -> Learner:
    """Train one model, or take it from its folder."""
    build = _multi_task if kind == MULTI_TASK else _meta
    return build(kind, seed, study, size, compat, save_dir, device, progress)


def _meta(
    kind: str,
    seed: int,
    study: Study,
    size: Size,
    compat: str,
    save_dir: Path,
    device: str,
    progress: bool | None,
) -> Learner:
    one = experiment(kind, size, compat, seed, _fraction_active(study.train))
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
        seed,
        draw_support=at_random,
    )
    return run_training(
        one,
        start_learner(one, device),
        sampler,
        lambda learner: selection_score(kind, learner, study.validation, SELECT_BY, compat),
        (digest(kept), digest(split.assay for split in study.validation)),
        [
            f"meta-trained on {len(kept)} assays, {len(small)} left out as too small; "
            f"compat {compat}; seed {seed}",
            f"selected by mean AUPRC of {len(study.validation)} validation assays, fine-tuned on "
            f"{SELECT_BY} measurements",
        ],
        save_dir=save_dir / one.name,
        progress=progress,
    ).learner


def _multi_task(
    kind: str,
    seed: int,
    study: Study,
    size: Size,
    compat: str,
    save_dir: Path,
    device: str,
    progress: bool | None,
) -> Learner:
    smiles = frozenset().union(*(assay.molecules.smiles for assay in study.pretraining))
    batches = MoleculeBatches.of(study.pretraining, smiles - study.held_out, size.batch, seed)
    held_out = MoleculeBatches.of(study.pretraining, study.held_out & smiles, size.batch)
    one = experiment(kind, size, compat, seed, epoch=batches.epoch)
    model = start_learner(one, device)
    names = [assay.name for assay in study.pretraining]
    with torch_seeded("for training", seed):
        learner = MultiTaskByMolecule(model, model.encoder, names).to(model.device)  # type: ignore[arg-type]
    return run_training(
        one,
        learner,
        batches,  # type: ignore[arg-type]
        lambda learner: -held_out.loss(learner),  # type: ignore[arg-type]
        (digest(study.pretraining), sha256("\n".join(sorted(study.held_out)).encode()).hexdigest()),
        [
            f"trained on {len(names)} assays at once; compat {compat}; seed {seed}",
            f"selected by minus the loss on {len(held_out.molecules)} molecules held out",
        ],
        save_dir=save_dir / one.name,
        progress=progress,
    ).learner


def _train_job(
    kind: str,
    seed: int,
    study: Study,
    size: Size,
    compat: str,
    save_dir: Path,
    device: str,
    progress: bool | None,
) -> Results:
    train(kind, seed, study, size, compat, save_dir, device, progress)
    if rank() > 0:
        return Results(pd.DataFrame(), pd.DataFrame())
    folder = save_dir / f"{kind}-seed{seed}"
    return Results(pd.DataFrame(), cost(from_pretrained(folder), folder).assign(learner=kind))


def _score_job(
    kind: str, seed: int, study: Study, size: Size, compat: str, save_dir: Path, device: str
) -> Results:
    settings = FineTuning()
    folder, where = save_dir / f"{kind}-seed{seed}", resolve(device)
    if kind == FOREST:
        methods, weights = forests(study.forest_blocks), ""
    else:
        model = from_pretrained(folder, where)
        methods, weights = methods_of(kind, model.learner, compat, settings, seed), model.sha256
    depends: list[Any] = [asdict(settings), compat, weights, size.support_sizes, size.split_seeds]
    key = sha256(json.dumps(depends).encode()).hexdigest()[:12]
    parts = []
    for split in study.test:
        path = folder / f"scores-{key}" / f"{_digest(split)}.csv"
        if not path.exists():
            found = score_all(methods, split, size.support_sizes, seed, size.split_seeds, where)
            write_atomic(path, found.to_csv(index=False, lineterminator="\n").encode())
        parts.append(pd.read_csv(path, keep_default_na=False))
    return Results(pd.concat(parts, ignore_index=True), pd.DataFrame())


def _digest(split: SplitAssay) -> str:
    content = sha256(digest([split.assay]).encode())
    for positions in (split.train, split.validation, split.test):
        content.update(positions.tobytes())
    return content.hexdigest()[:16]


def _fraction_active(assays: Sequence[Assay]) -> float:
    return float(np.mean([assay.active.mean() for assay in assays]))

"""Whole studies: train what must be trained, score everything on the same episodes, write it up."""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from molmeta.cards import environment_json
from molmeta.checkpoints import from_pretrained, write_atomic
from molmeta.config import Experiment, experiment_names, load_experiment
from molmeta.datasets.chembl import Split
from molmeta.errors import ConfigError
from molmeta.evaluation import benchmark, markdown, verdict
from molmeta.models import BaseModel
from molmeta.sampling import evaluation_episode
from molmeta.training import compute_features, meta_train

REFERENCE = "random_forest"


@dataclass(frozen=True)
class Protocol:
    """How learners are judged.

    Attributes
    ----------
    support_sizes : tuple of int
        Measurements of the new assay, in all.
    draws : int
        Supports drawn for each assay and size.
    seed : int
        Of the evaluation episodes.
    """

    support_sizes: tuple[int, ...] = (16, 32, 64)
    draws: int = 10
    seed: int = 0


def run_study(
    names: Sequence[str],
    split: Split,
    protocol: Protocol,
    save_dir: Path,
    *,
    workers: int = 2,
    progress: bool | None = None,
) -> pd.DataFrame:
    """Train, score on the test assays, once, and return the tidy results.

    Parameters
    ----------
    names : sequence of str
        Shipped experiments, TOML files or model folders. What must be trained is trained on
        `split.train` and kept below `save_dir`; the forest is always among them.
    split : Split
        Assays for training, selection and test; real measurements are made binary at the median.
    workers : int
        Processes; a learner is trained and scored in one, with one thread.

    Raises
    ------
    ConfigError
        A name is neither an experiment nor a folder, or two have the same one.
    """
    names = list(dict.fromkeys([*names, REFERENCE]))
    split = Split(*(assays.binarise() for assays in split))
    experiments = [_configured(name) for name in names]  # a wrong name, and a support that is too
    for assay in split.test.values():  # large, are refused before anything is computed
        for size in protocol.support_sizes:
            evaluation_episode(assay, size, 0, protocol.seed)
    for name, experiment in zip(names, experiments, strict=True):
        trained_here = experiment.training.steps and not Path(name).is_dir()
        read = split if trained_here else [split.test]
        assays = [assay for side in read for assay in side.values()]
        compute_features(experiment.model.build(), assays, workers)
    jobs = [(name, split, protocol, save_dir, progress) for name in names]
    if workers == 1:
        parts = [_train_and_score(*job) for job in jobs]
    else:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, context, torch.set_num_threads, (1,)) as pool:
            parts = [
                future.result() for future in [pool.submit(_train_and_score, *j) for j in jobs]
            ]
    return pd.concat(parts, ignore_index=True)


def trained_model(
    name: str, split: Split, save_dir: Path, progress: bool | None = None
) -> BaseModel:
    """The model behind a name: loaded from a folder, taken from an earlier run, or trained now."""
    if Path(name).is_dir():
        return from_pretrained(name)
    experiment = _configured(name)
    if not experiment.training.steps:
        return from_pretrained(name)
    return meta_train(
        experiment,
        split.train,
        split.validation,
        save_dir=save_dir / experiment.name,
        progress=progress,
    )


def write_results(
    scores: pd.DataFrame, path: Path, protocol: Protocol, command: str, assays: Mapping[str, object]
) -> str:
    """`<path>`.csv, and beside it a Markdown summary and the environment; returns the summary."""
    summary = (
        f"{len(assays)} test assays, {protocol.draws} supports of each size (seed "
        f"{protocol.seed}); query: all other molecules of the assay. Mean over draws, then "
        "assays; differences on the same episodes, 95 % bootstrap over assays. The test assays "
        "were looked at once in this run.\n\n"
        f"{markdown(scores, REFERENCE)}\n{verdict(scores, REFERENCE)}"
    )
    write_atomic(path, scores.to_csv(index=False, lineterminator="\n").encode())
    page = f"# {path.stem}\n\nMade by `{command}`.\n\n{summary}"
    write_atomic(path.with_suffix(".md"), page.encode())
    write_atomic(path.with_name(f"{path.stem}.environment.json"), environment_json().encode())
    return summary


def _configured(name: str) -> Experiment:
    if Path(name).is_dir():
        return from_pretrained(name).experiment
    if name.endswith(".toml") or name in experiment_names():
        return load_experiment(name)
    raise ConfigError(
        f"'{name}' is neither a model folder nor an experiment; experiments: "
        + ", ".join(experiment_names())
    )


def _train_and_score(
    name: str, split: Split, protocol: Protocol, save_dir: Path, progress: bool | None
) -> pd.DataFrame:
    model = trained_model(name, split, save_dir, progress)
    return benchmark(
        {model.experiment.name: model.learner},
        list(split.test.values()),
        protocol.support_sizes,
        protocol.draws,
        protocol.seed,
    )

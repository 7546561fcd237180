"""Whole studies: train what must be trained, score everything on the same episodes, write it up."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch

from molmeta.assay import Assays
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
ALL = "all"
PARTS = ("test", "validation")


class Results(NamedTuple):
    """What a study found.

    Attributes
    ----------
    scores : DataFrame
        Tidy: `learner, task, support_size, draw, metric, value, prevalence`.
    costs : DataFrame
        `learner, parameters, steps, seconds`: what each learner took to train.
    """

    scores: pd.DataFrame
    costs: pd.DataFrame


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
    part : str
        `test`; or `validation`, to choose what is worth a look at the test assays.
    """

    support_sizes: tuple[int, ...] = (16, 32, 64)
    draws: int = 10
    seed: int = 0
    part: str = "test"


def run_study(
    names: Sequence[str],
    split: Split,
    protocol: Protocol,
    save_dir: Path,
    *,
    workers: int = 2,
    progress: bool | None = None,
) -> Results:
    """Train, and score on the test assays, once.

    Parameters
    ----------
    names : sequence of str
        Shipped experiments (`all` for each of them), TOML files or model folders. What must be
        trained is trained on `split.train` and kept below `save_dir`; the forest is always among
        them.
    split : Split
        Assays for training, selection and test; real measurements are made binary at the median.
    workers : int
        Processes; a learner is trained and scored in one, with one thread.

    Raises
    ------
    ConfigError
        A name is neither an experiment nor a folder, or two have the same one.
    """
    named = [one for name in names for one in (experiment_names() if name == ALL else [name])]
    names = list(dict.fromkeys([*named, REFERENCE]))
    split = Split(*(assays.binarise() for assays in split))
    tested: Assays = getattr(split, protocol.part)
    experiments = [_configured(name) for name in names]  # a wrong name, and a support that is too
    for assay in tested.values():  # large, are refused before anything is computed
        for size in protocol.support_sizes:
            evaluation_episode(assay, size, 0, protocol.seed)
    for name, experiment in zip(names, experiments, strict=True):
        trained_here = experiment.training.steps and not Path(name).is_dir()
        read = split if trained_here else [tested]
        assays = [assay for side in read for assay in side.values()]
        compute_features(experiment.model.build(), assays, workers)
    jobs = [(name, split, protocol, save_dir, progress) for name in names]
    return run_jobs(_train_and_score, jobs, workers)


def run_jobs(
    function: Callable[..., Results], jobs: Sequence[tuple[Any, ...]], workers: int
) -> Results:
    """Call a function with each tuple of arguments, a thread a process, and join the results."""
    if workers == 1:
        parts = [function(*job) for job in jobs]
    else:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, context, torch.set_num_threads, (1,)) as pool:
            parts = [future.result() for future in [pool.submit(function, *job) for job in jobs]]
    return Results(*(pd.concat(tables, ignore_index=True) for tables in zip(*parts, strict=True)))


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
    results: Results, path: Path, protocol: Protocol, command: str, assays: Mapping[str, object]
) -> str:
    """`<path>`.csv, and beside it a Markdown summary and the environment; returns the summary."""
    looks = (
        "The test assays were looked at once in this run."
        if protocol.part == "test"
        else "These are the validation assays, by which training was stopped: no test result."
    )
    summary = (
        f"{len(assays)} {protocol.part} assays, {protocol.draws} supports of each size (seed "
        f"{protocol.seed}); query: all other molecules of the assay. Mean over draws, then "
        "assays; differences on the same episodes, 95 % bootstrap over assays. A constant score "
        f"has ΔAUPRC 0. {looks}\n\n"
        f"{markdown(results.scores, REFERENCE)}\n{costs_table(results.costs)}\n"
        f"{verdict(results.scores, REFERENCE)}"
    )
    write_tables(results, path, command, summary)
    return summary


def write_tables(results: Results, path: Path, command: str, summary: str) -> None:
    """The tidy scores as `<path>`, and beside it the summary (.md) and the environment."""
    write_atomic(path, results.scores.to_csv(index=False, lineterminator="\n").encode())
    page = f"# {path.stem}\n\nMade by `{command}`.\n\n{summary}"
    write_atomic(path.with_suffix(".md"), page.encode())
    write_atomic(path.with_name(f"{path.stem}.environment.json"), environment_json().encode())


def costs_table(costs: pd.DataFrame) -> str:
    """What each learner took to train, in Markdown: means over its runs."""
    lines = ["| learner | parameters | steps | training, seconds |", "|---|---:|---:|---:|"]
    for name, part in costs.groupby("learner", sort=False):
        mean = part.mean(numeric_only=True)
        lines.append(
            f"| {name} | {mean['parameters']:,.0f} | {mean['steps']:.0f} | {mean['seconds']:.0f} |"
        )
    return "\n".join(lines) + "\n"


def cost(model: BaseModel, folder: Path) -> pd.DataFrame:
    """What a model took to train, its encoder included, by its folder; 0 where it has none."""
    row: dict[str, Any] = {"learner": model.experiment.name, "steps": 0, "seconds": 0.0}
    row["parameters"] = sum(p.numel() for p in model.learner.parameters())
    if (folder / "history.csv").exists():
        row["steps"] = int(pd.read_csv(folder / "history.csv")["step"].max())
    for path in (folder / "environment.json", folder / "encoder" / "environment.json"):
        if path.exists():
            row["seconds"] += json.loads(path.read_text(encoding="utf-8")).get(
                "training_seconds", 0
            )
    return pd.DataFrame([row])


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
) -> Results:
    model = trained_model(name, split, save_dir, progress)
    scores = benchmark(
        {model.experiment.name: model.learner},
        list(getattr(split, protocol.part).values()),
        protocol.support_sizes,
        protocol.draws,
        protocol.seed,
    )
    folder = Path(name) if Path(name).is_dir() else save_dir / model.experiment.name
    return Results(scores, cost(model, folder))

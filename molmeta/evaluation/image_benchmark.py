"""Image benchmarks: train every learner on every split, score all on the same episodes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from molmeta.datasets import load_image_splits
from molmeta.errors import ConfigError
from molmeta.evaluation.assay_benchmark import ALL, cost, run_jobs
from molmeta.evaluation.protocol import COLUMNS, summarise
from molmeta.evaluation.results import Results, costs_table, write_tables
from molmeta.models import BaseModel, Experiment, experiment_names, load_experiment
from molmeta.tasks import ImageSplit, evaluation_images
from molmeta.training import for_images, meta_train_images, score_images

REFERENCE = "nearest_neighbours"
# Accuracies in % of the papers, 5-way and 20-way tasks of 1 and 5 shots, on the full Omniglot with
# their own splits. * from memory of the paper, not from its table.
PUBLISHED = {
    "siamese": ("96.7*", "98.4*", "88.0*", "96.5*"),
    "relation": ("99.6", "99.8", "97.6*", "99.1*"),
    "matching": ("98.1", "98.9", "93.8", "98.5"),
    "prototypical": ("98.8", "99.7", "96.0", "98.9"),
    "few_shot_gnn": ("99.2*", "99.7*", "97.4*", "99.0*"),
    "mann": ("82.8* (2nd instance)", "94.9* (5th instance)", "–", "–"),
    "meta_networks": ("98.95*", "–", "–", "–"),
    "maml": ("98.7 (t)", "99.9 (t)", "95.8 (t)", "98.9 (t)"),
    "fomaml": ("98.3*", "99.2*", "89.4*", "97.9*"),
    "reptile": ("–", "99.5 (t)", "–", "–"),
    "anil": ("–", "–", "96.2", "98.0"),
}


@dataclass(frozen=True)
class ImageProtocol:
    """How learners of images are judged.

    Attributes
    ----------
    n_ways, shots : tuple of int
        Classes of a task, and images of each to learn from.
    query_shots, draws : int
        Queries a class; tasks of each kind and split.
    seed : int
        Of the evaluation episodes.
    part : str
        `test`; or `validation`, to choose what is worth a look at the test classes.
    full : bool
        Convolutions of 64 channels and 40,000 steps, as published; else the experiments' own.
    """

    n_ways: tuple[int, ...] = (5, 20)
    shots: tuple[int, ...] = (1, 5)
    query_shots: int = 5
    draws: int = 100
    seed: int = 0
    part: str = "test"
    full: bool = False


def run_image_benchmark(
    names: Sequence[str],
    data: str,
    paths: Sequence[str],
    protocol: ImageProtocol,
    save_dir: Path,
    *,
    workers: int = 2,
    progress: bool | None = None,
) -> Results:
    """Train on each split of a data set, and score on its test classes, once.

    Parameters
    ----------
    names : sequence of str
        Shipped image experiments (`images/maml`, or `maml` for short; `all` for each of them that
        the data have what it reads) or TOML files. The nearest neighbour on pixels is always
        among them.
    data, paths
        As for `load_image_splits`.
    save_dir : Path
        Trained models, `<n_way>-way/<split>/<learner>`; runs that are there are taken up. A
        learner whose weights do not depend on n_way is trained once, on the largest.
    workers : int
        Processes; a learner is trained and scored in one, with one thread.

    Raises
    ------
    MolmetaError
        A name is no image experiment; a split has too few classes or images for the protocol.
    """
    paths = tuple(paths)
    splits = load_image_splits(data, paths)
    names = _named(names, splits)
    for split in splits:  # what the protocol asks too much of is refused before any training
        for n_way in protocol.n_ways:
            for k in protocol.shots:
                evaluation_images(getattr(split, protocol.part), n_way, k, protocol.query_shots, 0)
    jobs = [
        (name, (data, paths, fold), n_ways, protocol, save_dir, progress)
        for name in names
        for n_ways in trained_together(load_experiment(name), protocol.n_ways)
        for fold in range(len(splits))
    ]
    return run_jobs(_train_and_score, jobs, workers)


def trained_together(experiment: Experiment, n_ways: tuple[int, ...]) -> list[tuple[int, ...]]:
    """The kinds of task that one trained learner takes.

    All, where no weight's shape depends on the number of classes: such a learner is trained once,
    on tasks of the most classes, which serve those of fewer as well (Snell et al. 2017, section
    3.1). Else each kind has a learner of its own.
    """
    shapes = set()
    for n_way in n_ways:
        target = {**experiment.model.target, "n_way": n_way}
        weights = replace(experiment.model, target=target).build().state_dict()
        shapes.add(tuple((name, tuple(tensor.shape)) for name, tensor in weights.items()))
    return [n_ways] if len(shapes) == 1 else [(n_way,) for n_way in n_ways]


def write_image_results(
    results: Results, path: Path, protocol: ImageProtocol, command: str, data: str
) -> str:
    """`<path>`.csv, and beside it a Markdown summary and the environment; returns the summary."""
    looks = (
        "The test classes were looked at once in this run."
        if protocol.part == "test"
        else "These are the validation classes, by which training was stopped: no test result."
    )
    tasks = results.scores["task"].nunique()
    summary = (
        f"Accuracy in %, mean over {protocol.draws} tasks of each kind on each of {tasks} "
        f"{protocol.part} sets (seed {protocol.seed}, {protocol.query_shots} queries a class); in "
        f"brackets the difference to {REFERENCE} (most similar image, Tanimoto on pixels) on the "
        f"same tasks, with its 95 % bootstrap interval over the sets. {looks} Learners whose "
        "weights do not depend on the number of classes were trained once, on tasks of the most "
        "classes.\n\n"
        f"{image_markdown(results.scores)}\n{costs_table(results.costs)}"
    )
    if data == "omniglot":
        summary += f"\n{_published(results.scores)}"
    write_tables(results, path, command, summary)
    return summary


def kinds(scores: pd.DataFrame) -> list[tuple[int, int]]:
    """(n_way, k) of the tasks in a results table, by n_way and k."""
    pairs = scores[["prevalence", "support_size"]].drop_duplicates()
    ways = [(round(1 / share), int(size)) for share, size in pairs.itertuples(index=False)]
    return sorted((n_way, size // n_way) for n_way, size in ways)


def image_markdown(scores: pd.DataFrame) -> str:
    """A row a learner, a column a kind of task: accuracy and paired difference in %."""
    columns = kinds(scores)
    cells: dict[str, list[str]] = {}
    for n_way, k in columns:
        for row in _of_kind(scores, n_way, k):
            text = f"{100 * row['mean']:.1f}"
            if row["learner"] != REFERENCE:
                ends = ", ".join(f"{100 * row[end]:+.1f}" for end in ("low", "high"))
                text += f" ({100 * row['difference']:+.1f} [{ends}])"
            cells.setdefault(str(row["learner"]), []).append(text)
    heads = [f"{n_way}-way {k}-shot" for n_way, k in columns]
    lines = [f"| learner | {' | '.join(heads)} |", "|---|" + "---|" * len(heads)]
    lines += [f"| {name} | {' | '.join(row)} |" for name, row in cells.items()]
    return "\n".join(lines) + "\n"


def _of_kind(scores: pd.DataFrame, n_way: int, k: int) -> list[dict[Hashable, Any]]:
    chance, size = scores["prevalence"].sub(1 / n_way).abs() < 1e-9, n_way * k
    part = scores[chance & (scores["support_size"] == size)]
    return summarise(part, REFERENCE, "accuracy").to_dict("records")


def _published(scores: pd.DataFrame) -> str:
    """The papers' accuracies beside ours."""
    columns = [kind for kind in ((5, 1), (5, 5), (20, 1), (20, 5)) if kind in kinds(scores)]
    ours: dict[str, dict[tuple[int, int], float]] = {}
    for kind in columns:
        for row in _of_kind(scores, *kind):
            ours.setdefault(str(row["learner"]), {})[kind] = 100 * row["mean"]
    heads = [
        f"{n_way}-way {k}-shot, {whose}" for n_way, k in columns for whose in ("ours", "paper")
    ]
    lines = [
        "The papers' figures are for the full Omniglot (some 1,200 characters to learn from, with "
        "rotations, tested on some 400 of alphabets seen and unseen), 64 channels and tens of "
        "thousands of steps, where this run had the data and the budget above: they show what the "
        "methods reach, and are not the mark for this table. (t) transductive through BatchNorm; "
        "* as remembered from the paper, not read from its table.\n",
        f"| learner | {' | '.join(heads)} |",
        "|---|" + "---|" * len(heads),
    ]
    order = [(5, 1), (5, 5), (20, 1), (20, 5)]
    for name, figures in PUBLISHED.items():
        if name in ours:
            pairs = [(f"{ours[name][kind]:.1f}", figures[order.index(kind)]) for kind in columns]
            lines.append(f"| {name} | {' | '.join(text for pair in pairs for text in pair)} |")
    return "\n".join(lines) + "\n"


def _named(names: Sequence[str], splits: Sequence[ImageSplit]) -> list[str]:
    """Experiments by their full names, the reference among them."""
    shipped = experiment_names("images")
    every = [name for name in shipped if _readable(load_experiment(name), splits[0])]
    full: list[str] = []
    for name in names:
        long = f"images/{name}" if f"images/{name}" in shipped else name
        full += every if name == ALL else [long]
    full = list(dict.fromkeys([*full, f"images/{REFERENCE}"]))
    for name in full:
        experiment = load_experiment(name)
        if not _readable(experiment, splits[0]):
            raise ConfigError(f"{name} reads attributes of the classes; these images have none")
    return full


def _readable(experiment: Experiment, split: ImageSplit) -> bool:
    described = experiment.model.learner.get("description") == "attributes"
    return split.train.attributes is not None or not described


def published_size(experiment: Experiment) -> Experiment:
    """The experiment with 64 channels and up to 40,000 steps, from a random start."""
    encoder = {**experiment.model.encoder}
    if "width" in encoder:
        encoder["width"] = 64
    training = replace(
        experiment.training,
        steps=40_000,
        evaluate_every=500,
        patience=20,
        validation_draws=50,
        encoder_lr=None,
        encoder_from="",
    )
    return replace(experiment, model=replace(experiment.model, encoder=encoder), training=training)


def _train_and_score(
    name: str,
    source: tuple[str, tuple[str, ...], int],
    n_ways: tuple[int, ...],
    protocol: ImageProtocol,
    save_dir: Path,
    progress: bool | None,
) -> Results:
    """Train one learner on the tasks of the most classes, score it on all of `n_ways`."""
    data, paths, fold = source
    split, experiment = load_image_splits(data, paths)[fold], load_experiment(name)
    most = max(n_ways)
    folder = save_dir / f"{most}-way" / split.name / experiment.name
    if experiment.training.steps:
        model = meta_train_images(
            published_size(experiment) if protocol.full else experiment,
            split.train,
            split.validation,
            n_way=most,
            save_dir=folder,
            progress=progress,
        )
    else:
        experiment = for_images(experiment, split.test, most)
        model = BaseModel(experiment.model.build(), experiment, "")
    rows = [
        (experiment.name, *row)
        for n_way in n_ways
        for row in score_images(
            model.learner,
            getattr(split, protocol.part),
            split.name,
            n_way,
            protocol.shots,
            protocol.query_shots,
            protocol.draws,
            protocol.seed,
        )
    ]
    return Results(pd.DataFrame(rows, columns=COLUMNS), cost(model, folder))

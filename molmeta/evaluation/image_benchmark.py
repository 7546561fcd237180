"""Image benchmarks: train every learner on every split, score all on the same episodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from molmeta.datasets import load_image_splits
from molmeta.errors import ConfigError
from molmeta.evaluation.image_results import REFERENCE
from molmeta.evaluation.jobs import run_jobs
from molmeta.evaluation.protocol import COLUMNS, ImageProtocol
from molmeta.evaluation.results import Results
from molmeta.evaluation.trained_models import ALL, cost
from molmeta.models import (
    BaseModel,
    Experiment,
    Shots,
    experiment_names,
    load_experiment,
    model_folder,
)
from molmeta.tasks import ImageSplit, evaluation_images
from molmeta.training import for_images, meta_train_images, score_images


def run_image_benchmark(
    names: Sequence[str],
    data: str,
    paths: Sequence[str],
    protocol: ImageProtocol,
    save_dir: Path,
    *,
    workers: int = 2,
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
        learner whose weights do not depend on n_way is trained once, on the largest. What encoders
        begin with (`encoder_from`) is trained once for each split.
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
        (name, (data, paths, fold), n_ways, protocol, save_dir)
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
    """The experiment with 64 channels and up to 40,000 steps, from a random start.

    Pictures and classes are not changed: the published setting has rotated classes and no more.
    """
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
    assert isinstance(experiment.episodes, Shots)
    episodes = replace(
        experiment.episodes, change_drawings=False, change_classes=0.0, compose_classes=0.0
    )
    model = replace(experiment.model, encoder=encoder)
    return replace(experiment, model=model, episodes=episodes, training=training)


def begun(experiment: Experiment, split: ImageSplit, n_way: int, folder: Path) -> Experiment:
    """The experiment with an encoder that begins as one that is trained, or was, in a folder."""
    name = experiment.training.encoder_from
    if not name or model_folder(name):
        return experiment
    first = load_experiment(name)
    trained = folder / first.name
    meta_train_images(first, split.train, split.validation, n_way=n_way, save_dir=trained)
    return replace(experiment, training=replace(experiment.training, encoder_from=str(trained)))


def _train_and_score(
    name: str,
    source: tuple[str, tuple[str, ...], int],
    n_ways: tuple[int, ...],
    protocol: ImageProtocol,
    save_dir: Path,
) -> Results:
    """Train one learner on the tasks of the most classes, score it on all of `n_ways`."""
    data, paths, fold = source
    split, experiment = load_image_splits(data, paths)[fold], load_experiment(name)
    most = max(n_ways)
    folder = save_dir / f"{most}-way" / split.name / experiment.name
    if experiment.training.steps:
        largest = max(protocol.n_ways)
        shared = save_dir / f"{largest}-way" / split.name
        model = meta_train_images(
            published_size(experiment)
            if protocol.full
            else begun(experiment, split, largest, shared),
            split.train,
            split.validation,
            n_way=most,
            save_dir=folder,
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

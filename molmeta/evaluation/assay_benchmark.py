"""Whole benchmarks: train what must be trained, and score everything on the same episodes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from hashlib import sha256
from io import StringIO
from pathlib import Path

import pandas as pd

from molmeta.errors import TooFewMeasurements
from molmeta.evaluation.jobs import join, run_jobs
from molmeta.evaluation.leakage import audit
from molmeta.evaluation.protocol import Protocol, benchmark
from molmeta.evaluation.results import REFERENCE, Results
from molmeta.evaluation.trained_models import ALL, configured, cost, trained_model
from molmeta.files import read_checked, write_checked
from molmeta.models import BaseModel, experiment_names
from molmeta.tasks import BLOCK, Assay, Assays, Split, attach_known_labels, evaluation_episode, fits
from molmeta.training import compute_features, digest, feature_blocks, progress_of

BEST_LOOK = "_best_look"


def run_benchmarks(
    names: Sequence[str],
    splits: Sequence[Split],
    protocol: Protocol,
    save_dir: Path,
    *,
    workers: int = 2,
) -> tuple[Results, str]:
    """`run_benchmark` on one split or several, and what each split shares, to be written beside it.

    Several splits have a folder each below `save_dir`.
    """
    parts, notes = [], []
    for number, split in enumerate(splits, start=1):
        folder = save_dir / f"split-{number}" if len(splits) > 1 else save_dir
        parts.append(run_benchmark(names, split, protocol, folder, workers=workers))
        notes.append(audited(split, folder, workers))
    return join(parts), "\n".join(notes)


def audited(split: Split, folder: Path, workers: int) -> str:
    """The audit of a split as Markdown; kept in a folder, as it takes minutes."""
    sides = sha256("".join(digest(part.values()) for part in split).encode()).hexdigest()
    path = folder / f"audit-{sides[:12]}.md"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_checked(path, audit(split, workers).markdown())
    return read_checked(path)


def run_benchmark(
    names: Sequence[str],
    split: Split,
    protocol: Protocol,
    save_dir: Path,
    *,
    workers: int = 2,
) -> Results:
    """Train, and score on the test assays, once.

    What is trained and scored is kept below `save_dir`, so that the same command goes on where it
    was stopped.

    Parameters
    ----------
    names : sequence of str
        Shipped experiments (`all` for each of them), TOML files or model folders. What must be
        trained is trained on `split.train`; the forest is always among them.
    split : Split
        Assays for training, selection and test; real measurements are made binary at the median.
    workers : int
        Processes; a learner is trained and scored in one, with one thread.

    Raises
    ------
    ConfigError
        A name is neither an experiment nor a folder, or a learner cannot learn from values.
    TooFewMeasurements
        No assay is large enough for a support size.
    """
    named = [one for name in names for one in (experiment_names() if name == ALL else [name])]
    names = list(dict.fromkeys([*named, REFERENCE]))
    split = prepared(split, protocol)
    save_dir = save_dir / "measured" if protocol.measured else save_dir
    tested: Assays = getattr(split, protocol.part)
    experiments = [configured(name, protocol) for name in names]  # wrong names, and supports that
    _check_sizes(tested, protocol)  # are too large, are refused before anything is computed
    learners = [one.model.build() for one in experiments]
    if any(BLOCK in feature_blocks(learner) for learner in learners):
        attach_known_labels(
            known_assays(split, protocol),
            [assay.molecules for side in split for assay in side.values()],
        )
    for name, one, learner in zip(names, experiments, learners, strict=True):
        read = split if one.trains and not Path(name).is_dir() else [tested]
        assays = [assay for side in read for assay in side.values()]
        compute_features(learner, assays, workers)
    jobs = [(name, split, protocol, save_dir, False) for name in names]
    if protocol.best_look:
        jobs += [(*job[:-1], True) for job, one in zip(jobs, experiments, strict=True)
                 if one.trains]  # fmt: skip
    return run_jobs(_train_and_score, jobs, workers)


def prepared(split: Split, protocol: Protocol) -> Split:
    """The split's assays as classes, or as values with a threshold.

    Assays of one class are left out of training and validation; in the test they are an error.
    """
    train, validation = (
        side.binarise_where_possible()[0] for side in (split.train, split.validation)
    )
    if protocol.measured:
        train, validation = (
            values.select(classes).measured()
            for values, classes in ((split.train, train), (split.validation, validation))
        )
        return Split(train, validation, split.test.measured())
    return Split(train, validation, split.test.binarise())


def known_assays(split: Split, protocol: Protocol) -> list[Assay]:
    """Those whose labels may be known when a part is scored."""
    sides = (split.train,) if protocol.part == "validation" else (split.train, split.validation)
    return [assay for side in sides for assay in side.values()]


def _check_sizes(tested: Assays, protocol: Protocol) -> None:
    for size in protocol.support_sizes:
        large = [assay for assay in tested.values() if fits(assay, size)]
        if not large:
            largest = max(map(len, tested.values()), default=0)
            raise TooFewMeasurements(
                f"none of the {len(tested)} {protocol.part} assays is large enough for a support "
                f"of {size} and a query; the largest has {largest} "
                "measurements: ask for a smaller support"
            )
        for assay in large:
            evaluation_episode(assay, size, 0, protocol.seed, draw_support=protocol.draw_support)


def _train_and_score(
    name: str, split: Split, protocol: Protocol, save_dir: Path, best_look: bool
) -> Results:
    folder, learned = save_dir, split
    if best_look:
        folder, learned = save_dir / BEST_LOOK, split._replace(validation=split.test)
    model = trained_model(name, learned, folder, protocol)
    run = Path(name) if Path(name).is_dir() else folder / model.experiment.name
    scores, looks = _scores(model, split, protocol, folder / model.experiment.name)
    costs = cost(model, run)
    if best_look:
        scores["learner"] += BEST_LOOK
        costs["learner"] += BEST_LOOK
        looks += len(progress_of(run).history)
    return Results(scores, costs.assign(looks=looks))


def _scores(
    model: BaseModel, split: Split, protocol: Protocol, folder: Path
) -> tuple[pd.DataFrame, int]:
    """A model's scores, from its folder if they are there, and how many were ever taken.

    Each look at a part of the assays leaves a file, named by the assays and by all that the scores
    depend on but the code: their number is that of the looks.
    """
    assays = list(getattr(split, protocol.part).values())
    labels = digest(known_assays(split, protocol)) if BLOCK in feature_blocks(model.learner) else ""
    depends = json.dumps(
        [asdict(protocol), asdict(model.experiment), model.sha256, labels], default=str
    )
    stem = f"scores-{digest(assays)[:12]}"
    path = folder / f"{stem}-{sha256(depends.encode()).hexdigest()[:12]}.csv"
    if not path.exists():
        found = benchmark(
            {model.experiment.name: model.learner},
            assays,
            protocol.support_sizes,
            protocol.draws,
            protocol.seed,
            protocol.draw_support,
        )
        folder.mkdir(parents=True, exist_ok=True)
        write_checked(path, found.to_csv(index=False, lineterminator="\n"))
    return pd.read_csv(StringIO(read_checked(path))), len(list(folder.glob(f"{stem}-*.csv")))

"""Meta-train on assays or images; the same command goes on with a run that was stopped."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from molmeta.cli import options
from molmeta.cli.parsing import Parser
from molmeta.errors import ConfigError

if TYPE_CHECKING:
    from molmeta.models import BaseModel, Experiment
    from molmeta.tasks import Assays


def arguments(verb: Parser) -> None:
    """Arguments of `molmeta train`."""
    verb.add_argument(
        "--config",
        required=True,
        metavar="NAME",
        help="an experiment that is shipped (such as prototypical), or a TOML file",
    )
    options.data_path(
        verb,
        "assays to learn from: a CSV file, a folder or a table of FS-Mol, or 'embedded' for the "
        "18 + 4 that are shipped",
    )
    options.split_flags(verb)
    options.images_flag(verb)
    verb.add_argument("--n-way", type=int, metavar="N", help="of images: classes of a task")
    options.table(verb)
    options.threshold_flag(verb)
    verb.add_argument(
        "--validation-assays",
        nargs="+",
        metavar="NAME",
        help="assays to select by; without it, a tenth of them, drawn by the seed",
    )
    verb.add_argument("--save-dir", required=True, type=Path, help="folder of the run")
    verb.add_argument("--steps", type=int, help="most meta-batches, in place of the experiment's")
    verb.add_argument("--seed", type=int, help="in place of the experiment's")
    verb.add_argument("--workers", type=int, default=1, help="processes that compute features")
    options.compute(verb)


def run(args: argparse.Namespace) -> None:
    """Run `molmeta train`, in each of the processes that `torchrun` started."""
    from molmeta.models import load_experiment

    train(args, load_experiment(args.config))


def train(args: argparse.Namespace, experiment: Experiment) -> None:
    """Train an experiment as the arguments say."""
    from molmeta.training import processes

    with processes():
        _train(args, experiment)


def _train(args: argparse.Namespace, experiment: Experiment) -> None:
    from molmeta.training import rank

    changed = {k: getattr(args, k) for k in ("steps", "seed") if getattr(args, k) is not None}
    experiment = replace(experiment, training=replace(experiment.training, **changed))
    say = options.say if rank() == 0 else lambda text: None
    model = (_on_images if args.images else _on_assays)(args, experiment, say)
    if rank() == 0:
        say((args.save_dir / "README.md").read_text(encoding="utf-8"))
        say(f"{model.experiment.name} is in {args.save_dir}")


def _on_assays(
    args: argparse.Namespace, experiment: Experiment, say: Callable[[str], None]
) -> BaseModel:
    from molmeta.datasets import embedded_split, is_fs_mol
    from molmeta.training import meta_train, split_for_training

    if options.is_shipped(args):
        train, validation, _ = embedded_split()
    elif args.split or any(map(is_fs_mol, options.assay_paths(args))):
        if args.validation_assays:
            raise ConfigError(
                "the split says which assays are selected by; leave --validation-assays out"
            )
        (train, validation, _), *_ = options.read_splits(args)
    else:
        table, _ = options.read_assays(args, experiment.model.policy)
        train, validation, one_class = split_for_training(
            table, experiment, args.validation_assays, options.threshold(args.threshold)
        )
        if one_class:
            say(f"{len(one_class)} assays left out, of one class: {', '.join(one_class)}")
    if left_out := getattr(args, "without", None):
        train = _without(train, left_out, say)
    return meta_train(
        experiment,
        train,
        validation,
        save_dir=args.save_dir,
        device=args.device,
        workers=args.workers,
    )


def _without(train: Assays, paths: Sequence[str], say: Callable[[str], None]) -> Assays:
    from molmeta.datasets import read_molecules

    for path in paths:
        before, smiles = len(train.smiles()), read_molecules(path)
        train = train.without(smiles)
        say(f"{path}: {before - len(train.smiles())} of its {len(smiles)} molecules taken out")
    return train.select([name for name, assay in train.items() if len(assay)])


def _on_images(
    args: argparse.Namespace, experiment: Experiment, say: Callable[[str], None]
) -> BaseModel:
    from molmeta.datasets import load_image_splits
    from molmeta.training import meta_train_images

    splits = load_image_splits(args.images, options.image_paths(args))
    train, validation, test, name = splits[0]
    if len(splits) > 1:
        say(f"the first of {len(splits)} folds, which leaves {name} for the test")
    counts = [part.n_classes for part in (train, validation, test)]
    say("{} classes to learn from, {} to select by, {} left for the test".format(*counts))
    return meta_train_images(
        experiment,
        train,
        validation,
        n_way=args.n_way,
        save_dir=args.save_dir,
        device=args.device,
    )

"""Meta-train a learner on assays; the same command goes on with a run that was stopped."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from molmeta.cli import options


def arguments(verb: argparse.ArgumentParser) -> None:
    """Arguments of `molmeta train`."""
    verb.add_argument(
        "--config",
        required=True,
        metavar="NAME",
        help="an experiment that is shipped (such as prototypical), or a TOML file",
    )
    verb.add_argument(
        "--data-path",
        default=options.EMBEDDED,
        metavar="CSV",
        help="assays to learn from, or 'embedded' for the 18 + 4 that are shipped",
    )
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
    options.compute(verb)


def run(args: argparse.Namespace) -> None:
    """Run `molmeta train`, in each of the processes that `torchrun` started."""
    from molmeta.distributed import processes

    with processes():
        _train(args)


def _train(args: argparse.Namespace) -> None:
    from molmeta.config import load_experiment
    from molmeta.datasets.chembl import embedded_split
    from molmeta.datasets.table import read_table
    from molmeta.distributed import rank
    from molmeta.training import meta_train
    from molmeta.workflows import split_for_training

    say = options.say if rank() == 0 else lambda text: None
    experiment = load_experiment(args.config)
    changed = {k: getattr(args, k) for k in ("steps", "seed") if getattr(args, k) is not None}
    experiment = replace(experiment, training=replace(experiment.training, **changed))
    if args.data_path == options.EMBEDDED:
        train, validation, _ = embedded_split()
    else:
        table = read_table(
            args.data_path,
            smiles_column=args.smiles_columns,
            target_columns=args.target_columns,
            assay_column=args.assay_column,
            policy=experiment.model.policy,
        )
        say(f"{args.data_path}: {table.report}")
        train, validation, one_class = split_for_training(
            table, experiment, args.validation_assays, options.threshold(args.threshold)
        )
        if one_class:
            say(f"{len(one_class)} assays left out, of one class: {', '.join(one_class)}")
    model = meta_train(experiment, train, validation, save_dir=args.save_dir, device=args.device)
    if rank() == 0:
        say((args.save_dir / "README.md").read_text(encoding="utf-8"))
        say(f"{model.experiment.name} is in {args.save_dir}")

"""Run a published study again: train, fine-tune, judge, and write tables and the figure."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from molmeta.cli import options
from molmeta.cli.parsing import Parser
from molmeta.errors import ConfigError

if TYPE_CHECKING:
    from molmeta.datasets import Study
    from molmeta.reproduce import Size

STUDIES = ("nguyen2020",)
DEVIATIONS = (
    *("divided_twice", "weighted_training", "summed", "anil_moves_all"),
    *("weighted_fine_tuning", "selected_by_stopping_set"),
)


def arguments(verb: Parser) -> None:
    """Arguments of `molmeta reproduce`."""
    verb.add_argument(
        "study",
        choices=STUDIES,
        help="nguyen2020: 'Meta-Learning Initializations for Low-Resource Drug Discovery'",
    )
    verb.add_argument(
        "--size",
        default="smoke",
        choices=("smoke", "cpu", "night", "paper"),
        help="smoke: a minute; cpu: some hours on two cores; night: a sixteenth of the published "
        "meta-training, some nights on two cores; paper: as published, for a GPU",
    )
    verb.add_argument(
        "--compat",
        default="corrected",
        choices=("corrected", "gsk2020", *DEVIATIONS),
        metavar="HOW",
        help="corrected: as the paper says; gsk2020: with all of the released code's deviations "
        f"from it; or one of these alone: {', '.join(DEVIATIONS)}",
    )
    options.data_path(
        verb,
        "a table of assays for a re-creation ('embedded': those that are shipped), or the "
        "data folder of the paper's release",
    )
    options.table(verb)
    options.threshold_flag(verb)
    options.split_flags(verb)
    verb.add_argument(
        "--methods",
        nargs="+",
        default=["maml", "fomaml", "anil", "multi_task", "random_forest"],
        metavar="NAME",
        help="what to train and judge; multi_task is judged as Finetune-All, Finetune-Top and kNN",
    )
    verb.add_argument("--model-seeds", type=int, metavar="N", help="models of each kind")
    verb.add_argument("--split-seeds", type=int, metavar="N", help="supports of each size")
    verb.add_argument(
        "--save-dir", type=Path, default=Path("molmeta-reproduce"), help="folder of models"
    )
    verb.add_argument("--output", type=Path, help="CSV of results; default: in --save-dir")
    verb.add_argument("--workers", type=int, default=2, help="processes, each with a thread")
    options.compute(verb)
    verb.add_argument("--overwrite", action="store_true", help="replace results that are there")
    verb.set_defaults(n_way=None)


def run(args: argparse.Namespace) -> None:
    """Run `molmeta reproduce`, in each of the processes that `torchrun` started."""
    from molmeta.training import processes

    with processes():
        found = _reproduce(args)
    if found is not None:
        print(found)


def _reproduce(args: argparse.Namespace) -> str | None:
    """What process 0 has to say."""
    from molmeta.files import check_output
    from molmeta.reproduce import reproduce, write_curves, write_reproduction
    from molmeta.training import rank

    size = _size(args)
    output = args.output or args.save_dir / "results.csv"
    known = list(map(Path, args.data_path))
    check_output(output, known, overwrite=args.overwrite or not args.output)
    study, about = _study(args, size)
    results = reproduce(
        study,
        size,
        args.save_dir,
        compat=args.compat,
        methods=args.methods,
        device=args.device,
        workers=args.workers,
    )
    if rank() > 0:
        return None
    write_curves(args.save_dir, output)
    return write_reproduction(results, output, _command(args), about)


def _size(args: argparse.Namespace) -> Size:
    from dataclasses import replace

    from molmeta.reproduce import SIZES

    given = {name: getattr(args, name) for name in ("model_seeds", "split_seeds")}
    for name, number in given.items():
        if number is not None:
            options.at_least_one(f"--{name.replace('_', '-')}", number)
    return replace(SIZES[args.size], **{k: v for k, v in given.items() if v is not None})


def _study(args: argparse.Namespace, size: Size) -> tuple[Study, str]:
    """What is learned from and judged on, and what to say of it."""
    from molmeta.datasets import at_most, is_release, read_groups, read_release, recreate
    from molmeta.evaluation import Protocol, prepared
    from molmeta.reproduce import describe

    path = args.data_path[0]
    if is_release(path):
        study = read_release(path)
        return study, describe(study, size, args.compat, released=True)
    splits = options.read_splits(args)
    if len(splits) > 1:
        raise ConfigError(
            f"--protocol {args.protocol} makes {len(splits)} splits; a study takes one"
        )
    split = prepared(splits[0], Protocol())
    if size.most:
        split = at_most(split, size.most)
    groups = read_groups(args.split) if args.split else {}
    study = recreate(
        split, size.support_sizes, validation_assays=size.validation_assays, groups=groups
    )
    return study, describe(study, size, args.compat, released=False, grouped=bool(groups))


def _command(args: argparse.Namespace) -> str:
    """What makes these results again."""
    words: Sequence[str] = [
        *("molmeta reproduce", args.study, "--size", args.size),
        *(["--compat", args.compat] if args.compat != "corrected" else []),
        *options.data_words(args),
        *(["--threshold", args.threshold] if args.threshold != "median" else []),
        *(["--model-seeds", str(args.model_seeds)] if args.model_seeds else []),
        *(["--split-seeds", str(args.split_seeds)] if args.split_seeds else []),
        *("--methods", *args.methods),
    ]
    return " ".join(words)

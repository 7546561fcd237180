"""Compare learners and baselines on the same episodes, with paired intervals."""

from __future__ import annotations

import argparse
from pathlib import Path

from molmeta.cli import options
from molmeta.cli.parsing import Parser
from molmeta.errors import ConfigError

SIZES = {False: (16, 32, 64), True: (16, 32, 64, 128, 256)}  # whether FS-Mol's protocol is asked


def arguments(verb: Parser) -> None:
    """Arguments of `molmeta benchmark`."""
    verb.add_argument(
        "--learners",
        nargs="+",
        required=True,
        metavar="NAME",
        help="experiments that are shipped ('all' for each of them), TOML files (both are trained "
        "first, on the embedded assays) or folders of `molmeta train`; the random forest is "
        "always added (of images: the nearest neighbour on pixels)",
    )
    options.data_path(
        verb,
        "assays to test on: a CSV file, a folder of FS-Mol's tasks, a collection of "
        "MoleculeNet (tox21, sider, muv, toxcast), or 'embedded' for the 8 that are shipped",
    )
    options.split_flags(verb)
    options.images_flag(verb)
    options.table(verb)
    options.threshold_flag(verb)
    verb.add_argument(
        "--regression", action="store_true", help="learn from measured values, rank by classes"
    )
    verb.add_argument(
        "--best-look",
        action="store_true",
        help="train each learner once more, with weights chosen by the test assays, to show what "
        "a published best test score is worth",
    )
    verb.add_argument(
        "--support-sizes", nargs="+", type=int, metavar="N", help="measurements; 16, 32 and 64"
    )
    verb.add_argument("--n-way", nargs="+", type=int, metavar="N", help="of images; 5 and 20")
    verb.add_argument(
        "--shots",
        nargs="+",
        type=int,
        metavar="K",
        help="examples of each class, in place of --support-sizes; of images 1 and 5",
    )
    verb.add_argument("--query-shots", type=int, metavar="Q", help="of images: queries a class; 5")
    verb.add_argument(
        "--draws", type=int, help="supports of each size and assay; 10, or 100 of images"
    )
    verb.add_argument(
        "--published-size",
        action="store_true",
        help="of images: 64 channels and up to 40,000 steps, as in the papers",
    )
    verb.add_argument(
        "--part",
        choices=("test", "validation"),
        default="test",
        help="'validation' scores what is selected by, so that the test part stays unseen",
    )
    verb.add_argument("--seed", type=int, default=0, help="of the episodes")
    verb.add_argument("--save-dir", type=Path, default=Path("runs"), help="of trained models")
    verb.add_argument(
        "--output",
        required=True,
        type=Path,
        metavar="CSV",
        help="the tidy results; a summary (.md) is written beside it",
    )
    verb.add_argument(
        "--groups-path",
        type=Path,
        metavar="CSV",
        help="a table with a row an assay: the summary has means by group, too",
    )
    verb.add_argument("--group-column", metavar="NAME", help="its column that names the group")
    verb.add_argument("--workers", type=int, default=1, help="processes")
    verb.add_argument("--overwrite", action="store_true", help="replace the output if it exists")


def run(args: argparse.Namespace) -> None:
    """Run `molmeta benchmark`."""
    from molmeta.files import check_output

    inputs = [Path(path) for path in args.data_path if path != options.EMBEDDED]
    check_output(args.output, inputs, overwrite=args.overwrite)
    print(_images(args) if args.images else _assays(args))


def _command(args: argparse.Namespace, *more: str) -> str:
    """What makes these results again."""
    words = ["molmeta benchmark --learners", *args.learners, *more]
    return " ".join(words + (["--part", args.part] if args.part != "test" else []))


def _assays(args: argparse.Namespace) -> str:
    from molmeta.evaluation import Protocol, run_benchmarks, write_results

    groups = _groups(args)
    support_sizes = args.support_sizes or SIZES[args.protocol == options.PUBLISHED]
    if args.query_shots or args.published_size:
        raise ConfigError("--query-shots and --published-size are of images; give --images")
    splits = options.read_splits(args)
    protocol = Protocol(
        tuple(2 * k for k in args.shots) if args.shots else tuple(support_sizes),
        args.draws or 10,
        args.seed,
        args.part,
        balanced=bool(args.shots),
        measured=args.regression,
        best_look=args.best_look,
    )
    results, notes = run_benchmarks(
        args.learners, splits, protocol, args.save_dir, workers=args.workers
    )
    sizes = ["--shots", *args.shots] if args.shots else ["--support-sizes", *support_sizes]
    command = _command(
        *(args, *options.data_words(args)),
        *(["--regression"] if args.regression else []),
        *(["--best-look"] if args.best_look else []),
        *(["--groups-path", args.groups_path.name] if args.groups_path else []),
        *(["--group-column", args.group_column] if args.group_column else []),
        *(*map(str, sizes), "--draws", str(protocol.draws), "--seed", str(args.seed)),
    )
    return write_results(results, args.output, protocol, command, notes, groups)


def _groups(args: argparse.Namespace) -> dict[str, str] | None:
    from molmeta.evaluation import read_groups

    if (args.groups_path is None) != (args.group_column is None):
        raise ConfigError("--groups-path and --group-column belong together; give both")
    return read_groups(args.groups_path, args.group_column) if args.groups_path else None


def _images(args: argparse.Namespace) -> str:
    from molmeta.evaluation import (
        ImageProtocol,
        run_image_benchmark,
        write_image_results,
        write_training,
    )

    default = ImageProtocol()
    protocol = ImageProtocol(
        n_ways=tuple(args.n_way or default.n_ways),
        shots=tuple(args.shots or default.shots),
        query_shots=args.query_shots or default.query_shots,
        draws=args.draws or default.draws,
        seed=args.seed,
        part=args.part,
        full=args.published_size,
    )
    paths = options.image_paths(args)
    results = run_image_benchmark(
        args.learners, args.images, paths, protocol, args.save_dir, workers=args.workers
    )
    command = _command(
        *(args, "--images", args.images),
        *(["--data-path", *(Path(path).name for path in paths)] if paths else []),
        *("--n-way", *map(str, protocol.n_ways), "--shots", *map(str, protocol.shots)),
        *(["--query-shots", str(args.query_shots)] if args.query_shots else []),
        *("--draws", str(protocol.draws), "--seed", str(args.seed)),
        *(["--published-size"] if args.published_size else []),
    )
    write_training(args.save_dir, args.output, sorted(set(results.scores["learner"])))
    return write_image_results(results, args.output, protocol, command, args.images)

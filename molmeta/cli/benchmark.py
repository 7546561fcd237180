"""Compare learners and baselines on the same episodes, with paired intervals."""

from __future__ import annotations

import argparse
from pathlib import Path

from molmeta.cli import options


def arguments(verb: argparse.ArgumentParser) -> None:
    """Arguments of `molmeta benchmark`."""
    verb.add_argument(
        "--learners",
        nargs="+",
        required=True,
        metavar="NAME",
        help="experiments that are shipped, TOML files (both are trained first, on the embedded "
        "assays) or folders of `molmeta train`; the random forest is always added",
    )
    verb.add_argument(
        "--data-path",
        default=options.EMBEDDED,
        metavar="CSV",
        help="assays to test on, or 'embedded' for the 8 that are shipped",
    )
    options.table(verb)
    options.threshold_flag(verb)
    verb.add_argument("--support-sizes", nargs="+", type=int, default=[16, 32, 64], metavar="N")
    verb.add_argument("--draws", type=int, default=10, help="supports of each size and assay")
    verb.add_argument("--seed", type=int, default=0, help="of the episodes")
    verb.add_argument("--save-dir", type=Path, default=Path("runs"), help="of trained models")
    verb.add_argument(
        "--output",
        required=True,
        type=Path,
        metavar="CSV",
        help="the tidy results; a summary (.md) is written beside it",
    )
    verb.add_argument("--workers", type=int, default=1, help="processes")
    verb.add_argument("--overwrite", action="store_true", help="replace the output if it exists")


def run(args: argparse.Namespace) -> None:
    """Run `molmeta benchmark`."""
    from molmeta.datasets.chembl import embedded_split
    from molmeta.datasets.table import read_table
    from molmeta.screening import check_output
    from molmeta.studies import Protocol, run_study, write_results

    split = embedded_split()
    inputs = []
    if args.data_path != options.EMBEDDED:
        inputs = [Path(args.data_path)]
        table = read_table(
            args.data_path,
            smiles_column=args.smiles_columns,
            target_columns=args.target_columns,
            assay_column=args.assay_column,
        )
        options.say(f"{args.data_path}: {table.report}")
        split = split.tested_on(table.assays.binarise(options.threshold(args.threshold)))
    check_output(args.output, inputs, overwrite=args.overwrite)
    protocol = Protocol(tuple(args.support_sizes), args.draws, args.seed)
    scores = run_study(args.learners, split, protocol, args.save_dir, workers=args.workers)
    command = f"molmeta benchmark --learners {' '.join(args.learners)} --data-path {args.data_path}"
    print(write_results(scores, args.output, protocol, command, split.test))

"""Which model to use on your own measurements: cross-validation, and a recommendation."""

from __future__ import annotations

import argparse
from pathlib import Path

from molmeta.cli import options


def arguments(verb: argparse.ArgumentParser) -> None:
    """Arguments of `molmeta compare`."""
    options.one_assay(verb)
    verb.add_argument("--repeats", type=int, default=5, metavar="N", help="of the 4 folds")
    verb.add_argument("--output", type=Path, metavar="MD", help="write the report there as well")
    verb.add_argument("--overwrite", action="store_true", help="replace the output if it exists")
    options.compute(verb)


def run(args: argparse.Namespace) -> None:
    """Run `molmeta compare`."""
    from molmeta.files import check_output, write_atomic
    from molmeta.workbench import compare_table

    options.at_least_one("--repeats", args.repeats)
    if args.output:
        check_output(args.output, [Path(args.data_path)], overwrite=args.overwrite)
    found = compare_table(
        args.data_path,
        model_path=args.model_path,
        threshold=options.threshold_or_values(args),
        repeats=args.repeats,
        device=args.device,
        say=options.say,
        **options.columns(args),
    )
    if args.output:
        write_atomic(args.output, found.markdown().encode())
    print(found.markdown())

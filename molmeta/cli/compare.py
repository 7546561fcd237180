"""Which model to use on your own measurements: cross-validation, and a recommendation."""

from __future__ import annotations

import argparse

from molmeta.cli import options
from molmeta.cli.parsing import Parser


def arguments(verb: Parser) -> None:
    """Arguments of `molmeta compare`."""
    options.one_assay(verb)
    verb.add_argument("--repeats", type=int, default=5, metavar="N", help="of the 4 folds")
    options.output(verb, "write the report there as well", "MD", required=False)
    options.workers(verb)
    options.compute(verb)


def run(args: argparse.Namespace) -> None:
    """Run `molmeta compare`."""
    options.at_least_one("--repeats", args.repeats)
    options.check_output(args, args.data_path)
    from molmeta.files import write_atomic
    from molmeta.workbench import compare_table

    found = compare_table(
        args.data_path,
        model_path=args.model_path,
        threshold=options.threshold_or_values(args),
        repeats=args.repeats,
        device=args.device,
        workers=options.cores(args),
        say=options.say,
        **options.columns(args),
    )
    if args.output:
        write_atomic(args.output, found.markdown().encode())
    print(found.markdown())

"""One HTML page about an assay: data, models, ranked library, reasons, and what to measure next."""

from __future__ import annotations

import argparse
from pathlib import Path

from molmeta.cli import options
from molmeta.cli.parsing import Parser


def arguments(verb: Parser) -> None:
    """Arguments of `molmeta report`."""
    options.one_assay(verb)
    options.library(verb, "molecules to rank (see `screen`)", required=False)
    options.output(verb, "the page", "HTML")
    verb.former(report_path="--output")
    verb.add_argument("--top", type=int, default=50, metavar="N", help="rows that are shown")
    verb.add_argument("--suggest", type=int, default=8, metavar="N", help="molecules to measure")
    verb.add_argument(
        "--strategy", default="diverse", choices=("exploit", "diverse", "explore"), help="of these"
    )
    verb.add_argument(
        "--repeats",
        type=int,
        metavar="N",
        help="of the comparison (2 up to 256 measurements, and none beyond); 0 leaves it out",
    )
    options.workers(verb)
    options.compute(verb)


def run(args: argparse.Namespace) -> None:
    """Run `molmeta report`."""
    options.at_least_one("--top", args.top)
    options.check_output(args, args.data_path, args.library_path)
    from molmeta.workbench import Wishes, write_report

    words = ["molmeta report", Path(args.data_path).name]
    words += [Path(args.library_path).name] if args.library_path else []
    verdict = write_report(
        args.data_path,
        args.output,
        library_path=args.library_path,
        model_path=args.model_path,
        threshold=options.threshold_or_values(args),
        wishes=Wishes(top=args.top, suggested=args.suggest, strategy=args.strategy),
        repeats=args.repeats,
        library_smiles_column=args.library_smiles_column,
        overwrite=args.overwrite,
        device=args.device,
        workers=options.cores(args),
        say=options.say,
        command=" ".join(words),
        **options.columns(args),
    )
    if verdict:
        print(verdict)
    options.say(f"written to {args.output}")

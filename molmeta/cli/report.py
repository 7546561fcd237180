"""One HTML page about an assay: data, models, ranked library, reasons, and what to measure next."""

from __future__ import annotations

import argparse
from pathlib import Path

from molmeta.cli import options


def arguments(verb: argparse.ArgumentParser) -> None:
    """Arguments of `molmeta report`."""
    options.one_assay(verb)
    verb.add_argument(
        "library", nargs="?", metavar="LIBRARY", help="molecules to rank (see `screen`)"
    )
    verb.add_argument(
        "--library-smiles-column", default="smiles", metavar="NAME", help="of the library"
    )
    verb.add_argument("--report-path", required=True, type=Path, metavar="HTML", help="the page")
    verb.add_argument("--top", type=int, default=50, metavar="N", help="rows that are shown")
    verb.add_argument("--suggest", type=int, default=8, metavar="N", help="molecules to measure")
    verb.add_argument(
        "--strategy", default="diverse", choices=("exploit", "diverse", "explore"), help="of these"
    )
    verb.add_argument(
        "--repeats", type=int, default=5, metavar="N", help="of the comparison; 0 leaves it out"
    )
    verb.add_argument("--overwrite", action="store_true", help="replace the page if it exists")
    options.compute(verb)


def run(args: argparse.Namespace) -> None:
    """Run `molmeta report`."""
    from molmeta.workbench import write_report
    from molmeta.workbench.report import Wishes

    options.at_least_one("--top", args.top)
    words = ["molmeta report", Path(args.data_path).name]
    words += [Path(args.library).name] if args.library else []
    verdict = write_report(
        args.data_path,
        args.report_path,
        library_path=args.library,
        model_path=args.model_path,
        threshold=options.threshold_or_values(args),
        wishes=Wishes(top=args.top, suggested=args.suggest, strategy=args.strategy),
        repeats=args.repeats,
        library_smiles_column=args.library_smiles_column,
        overwrite=args.overwrite,
        device=args.device,
        command=" ".join(words),
        say=options.say,
        **options.columns(args),
    )
    print(verdict)
    options.say(f"written to {args.report_path}")

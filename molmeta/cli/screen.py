"""Score a library by one or more adapted assays: one row out per row in."""

from __future__ import annotations

import argparse
from pathlib import Path

from molmeta.cli import options
from molmeta.cli.parsing import Parser


def arguments(verb: Parser) -> None:
    """Arguments of `molmeta screen`."""
    verb.add_argument(
        "--library-path",
        required=True,
        type=Path,
        metavar="FILE",
        help="the library: .csv, .smi, .sdf or .parquet, plain or .gz, .bz2, .xz, .zip",
    )
    verb.add_argument(
        "--library-smiles-column", default="smiles", metavar="NAME", help="of the library"
    )
    verb.former(test_path="--library-path", preds_path="--output")
    verb.former(smiles_columns="--library-smiles-column")
    verb.add_argument(
        "--model-path",
        default="default",
        metavar="FOLDER",
        help="the model that the assays were adapted from; 'default' is the one that is shipped",
    )
    verb.add_argument(
        "--assay-path",
        required=True,
        nargs="+",
        metavar="FILE",
        help="what `molmeta adapt` wrote",
    )
    verb.add_argument(
        "--output", required=True, type=Path, metavar="FILE", help="the output: .csv, .parquet"
    )
    verb.add_argument(
        "--trust",
        action="store_true",
        help="beside each score write the interval that holds the value at 80 %%, the nearest "
        "measured molecule, its similarity, and whether the row is inside the domain; hits inside "
        "it come first",
    )
    verb.add_argument("--overwrite", action="store_true", help="replace the output if it exists")
    verb.add_argument(
        "--features",
        type=Path,
        metavar="FOLDER",
        help="keep what the model reads of each row in this folder, a kilobyte a row, and take it "
        "from there when the same rows are screened again",
    )
    verb.add_argument(
        "--neutralise-formulas",
        action="store_true",
        help="put an apostrophe before texts that a spreadsheet would run as formulas",
    )
    _arguments_of_hits(verb)
    _arguments_of_engine(verb)
    options.compute(verb)


def run(args: argparse.Namespace) -> None:
    """Run `molmeta screen`."""
    from molmeta.device import resolve
    from molmeta.files import check_output
    from molmeta.models import from_pretrained, load_assay, load_trusted
    from molmeta.screening import Extras, screen

    for path in filter(None, (args.output, args.hits_path)):
        check_output(path, [Path(one) for one in args.assay_path], overwrite=True)
    base = from_pretrained(args.model_path, resolve(args.device))
    load = load_trusted if args.trust else load_assay
    assays = [load(path, base) for path in args.assay_path]
    summary = screen(
        assays,
        args.library_path,
        args.output,
        smiles_column=args.library_smiles_column,
        engine_name=args.engine,
        workers=options.cores(args),
        extras=Extras(
            hits_path=args.hits_path,
            top=args.top,
            alike=args.alike,
            label_column=args.label_column,
            neutralise=args.neutralise_formulas,
        ),
        overwrite=args.overwrite,
        stall=args.stall_seconds,
        features=args.features,
    )
    written = "was written before, to" if summary.before else "written to"
    options.say(f"{summary}; {written} {args.output}")
    if args.hits_path and not args.trust:
        options.say("hits are ranked by score alone; --trust puts those inside the domain first")
    for line in summary.enrichment:
        options.say(line)


def _arguments_of_hits(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--hits-path", type=Path, metavar="CSV", help="a second file: the best rows of each score"
    )
    verb.add_argument("--top", type=int, default=100, metavar="N", help="how many of each")
    verb.add_argument(
        "--alike",
        type=float,
        default=0.7,
        metavar="SIMILARITY",
        help="no two hits are as similar as this (Tanimoto, ECFP4); 1 leaves out none but the same",
    )
    verb.add_argument(
        "--label-column",
        metavar="NAME",
        help="1 for known actives, 0 for known inactives: says enrichment factors and BEDROC",
    )


def _arguments_of_engine(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--engine",
        default="local",
        metavar="NAME",
        help="local: processes of this machine; ray: Ray, on a cluster if RAY_ADDRESS names one; "
        "here: this process",
    )
    options.workers(verb)
    verb.add_argument(
        "--stall-seconds",
        type=float,
        default=120.0,
        metavar="S",
        help="a worker that takes longer for 1,024 rows is taken for stalled",
    )

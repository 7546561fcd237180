"""Score a library by one or more adapted assays: one row out per row in."""

from __future__ import annotations

import argparse
from pathlib import Path

from molmeta.cli import options


def arguments(verb: argparse.ArgumentParser) -> None:
    """Arguments of `molmeta screen`."""
    verb.add_argument(
        "--test-path", required=True, type=Path, metavar="CSV", help="the library (.csv, .csv.gz)"
    )
    verb.add_argument("--smiles-columns", default="smiles", metavar="NAME", help="column of SMILES")
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
    verb.add_argument("--preds-path", required=True, type=Path, metavar="CSV", help="the output")
    verb.add_argument("--overwrite", action="store_true", help="replace the output if it exists")
    options.compute(verb)


def run(args: argparse.Namespace) -> None:
    """Run `molmeta screen`."""
    from molmeta.checkpoints import from_pretrained, load_assay
    from molmeta.device import resolve
    from molmeta.screening import screen

    base = from_pretrained(args.model_path, resolve(args.device))
    assays = [load_assay(path, base) for path in args.assay_path]
    summary = screen(
        assays,
        args.test_path,
        args.preds_path,
        smiles_column=args.smiles_columns,
        overwrite=args.overwrite,
    )
    options.say(f"{summary}; written to {args.preds_path}")

"""Which molecules of a library to measure next: exploit, diverse or explore, within a budget."""

from __future__ import annotations

import argparse
from pathlib import Path

from molmeta.cli import options


def arguments(verb: argparse.ArgumentParser) -> None:
    """Arguments of `molmeta suggest`."""
    options.one_assay(verb)
    verb.add_argument("library", metavar="LIBRARY", help="molecules to choose from (see `screen`)")
    verb.add_argument(
        "--library-smiles-column", default="smiles", metavar="NAME", help="of the library"
    )
    verb.add_argument("--number", "-n", type=int, default=16, metavar="N", help="of molecules")
    verb.add_argument(
        "--strategy",
        default="diverse",
        choices=("exploit", "diverse", "explore"),
        help="exploit: the best; diverse: the best of which no two are alike; explore: those "
        "that would teach the model most about the library",
    )
    verb.add_argument("--cost-column", metavar="NAME", help="column of the library with costs")
    verb.add_argument("--budget", type=float, metavar="X", help="what the batch may cost in all")
    verb.add_argument(
        "--preds-path", type=Path, metavar="CSV", help="the output; printed without it"
    )
    verb.add_argument("--overwrite", action="store_true", help="replace the output if it exists")
    options.compute(verb)


def run(args: argparse.Namespace) -> None:
    """Run `molmeta suggest`."""
    from molmeta.files import check_output, write_atomic
    from molmeta.workbench import suggest_from

    if args.preds_path:
        inputs = [Path(args.data_path), Path(args.library)]
        check_output(args.preds_path, inputs, overwrite=args.overwrite)
    chosen = suggest_from(
        args.data_path,
        args.library,
        args.number,
        strategy=args.strategy,
        cost_column=args.cost_column,
        budget=args.budget,
        model_path=args.model_path,
        threshold=options.threshold_or_values(args),
        library_smiles_column=args.library_smiles_column,
        device=args.device,
        say=options.say,
        **options.columns(args),
    )
    text = chosen.to_csv(index=False, lineterminator="\n")
    if args.preds_path:
        write_atomic(args.preds_path, text.encode())
        options.say(f"{len(chosen)} molecules, written to {args.preds_path}")
    else:
        print(text, end="")

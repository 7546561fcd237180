"""Which molecules of a library to measure next: exploit, diverse or explore, within a budget."""

from __future__ import annotations

import argparse

from molmeta.cli import options
from molmeta.cli.parsing import Parser


def arguments(verb: Parser) -> None:
    """Arguments of `molmeta suggest`."""
    options.one_assay(verb)
    options.library(verb, "molecules to choose from (see `screen`)", required=True)
    verb.add_argument("--number", "-n", type=int, default=16, metavar="N", help="of molecules")
    verb.add_argument(
        "--strategy",
        default="diverse",
        choices=("exploit", "diverse", "explore"),
        help="exploit: the best; diverse: the best of which no two are alike, both with those "
        "inside the domain of what was measured first; explore: those that would teach the model "
        "most about the library",
    )
    verb.add_argument("--cost-column", metavar="NAME", help="column of the library with costs")
    verb.add_argument("--budget", type=float, metavar="X", help="what the batch may cost in all")
    options.output(verb, "the molecules; printed without it", "CSV", required=False)
    verb.former(preds_path="--output")
    options.compute(verb)


def run(args: argparse.Namespace) -> None:
    """Run `molmeta suggest`."""
    options.check_output(args, args.data_path, args.library_path)
    from molmeta.files import write_atomic
    from molmeta.workbench import suggest_from

    chosen = suggest_from(
        args.data_path,
        args.library_path,
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
    told = f"{int(chosen['inside'].sum())} of them inside the domain of what was measured"
    if args.output:
        write_atomic(args.output, text.encode())
        options.say(f"{len(chosen)} molecules, {told}, written to {args.output}")
    else:
        print(text, end="")
        options.say(told)

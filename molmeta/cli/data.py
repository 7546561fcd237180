"""Look at assays: check a table, audit or draw a split, say what FS-Mol holds and convert it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from molmeta.cli import options
from molmeta.cli.parsing import Parser

SHOWN = 4  # assays that are printed one by one; more are summed up


def arguments(verb: Parser) -> None:
    """Arguments of `molmeta data`."""
    actions = verb.add_subparsers(dest="action", required=True, metavar="action")
    summary = "report the molecules that training and test share, by six meanings of the same"
    one = actions.add_parser("audit", help=summary, description=summary)
    _assays(one)
    options.split_flags(one)
    one.add_argument("--seed", type=int, default=0, help="of molecule-halves")
    one.add_argument("--workers", type=int, default=1, help="processes")
    options.output(one, "write the report there as well", "MD", required=False)
    one.set_defaults(act=_audit, threshold=options.MEDIAN)
    summary = "draw assays for validation and test among the large ones, and write their names"
    one = actions.add_parser("split", help=summary, description=summary)
    _assays(one)
    one.add_argument("--validation", type=int, required=True, metavar="N", help="assays")
    one.add_argument("--test", type=int, required=True, metavar="N", help="assays")
    one.add_argument("--least", type=int, default=128, metavar="N", help="measurements of each")
    one.add_argument("--seed", type=int, default=0)
    one.add_argument("--output", type=Path, required=True, metavar="JSON")
    one.add_argument("--overwrite", action="store_true", help="replace the output if it exists")
    one.set_defaults(act=_split)
    summary = "check a table before anything is learned from it: duplicates, units, bounds, cliffs"
    one = actions.add_parser("check", help=summary, description=summary)
    options.measurements(one)
    options.table(one)
    options.threshold_flag(one)
    options.model_flag(one)
    one.add_argument("--output", type=Path, metavar="MD", help="write the report there as well")
    one.add_argument(
        "--rows-path", type=Path, metavar="CSV", help="write the rows that it is about"
    )
    one.add_argument("--overwrite", action="store_true", help="replace outputs that exist")
    options.workers(one)
    one.set_defaults(act=_check)
    summary = "say what a copy of FS-Mol holds, and write it in its other form"
    one = actions.add_parser("fs-mol", help=summary, description=summary)
    one.add_in_order(
        "--data-path", required=True, metavar="PATH", help="the release's folder, or a table of it"
    )
    one.add_argument(
        "--output",
        type=Path,
        metavar="PATH",
        help="write a table (.csv, .csv.gz) or a folder {train,valid,test}/<assay>.jsonl.gz",
    )
    one.add_argument("--overwrite", action="store_true", help="replace a table that exists")
    one.set_defaults(act=_fs_mol)


def _assays(action: Parser) -> None:
    options.data_path(
        action, "a CSV file, a folder of FS-Mol's tasks, a collection of MoleculeNet, or 'embedded'"
    )
    options.table(action)
    action.set_defaults(n_way=None)


def run(args: argparse.Namespace) -> None:
    """Run `molmeta data`."""
    args.act(args)


def _audit(args: argparse.Namespace) -> None:
    options.check_output(args)
    from molmeta.evaluation import audit
    from molmeta.files import write_atomic

    report = "\n".join(audit(split, args.workers).markdown() for split in options.read_splits(args))
    if args.output:
        write_atomic(args.output, report.encode())
    print(report)


def _check(args: argparse.Namespace) -> None:
    from molmeta.files import check_output, write_atomic

    for path in filter(None, (args.output, args.rows_path)):
        check_output(path, [Path(args.data_path)], overwrite=args.overwrite)
    import pandas as pd

    from molmeta.datasets import read_measurements
    from molmeta.models import from_pretrained
    from molmeta.workbench import check_data, summary_of

    read = read_measurements(args.data_path, **options.columns(args))
    options.say_read(args.data_path, read)
    checks = check_data(
        read,
        threshold=options.threshold(args.threshold),
        policy=from_pretrained(args.model_path).experiment.model.policy,
        source=args.data_path,
        workers=options.cores(args),
    )
    report = "\n".join(check.markdown() for check in checks)
    if args.output:
        write_atomic(args.output, report.encode())
    report = report if len(checks) <= SHOWN else summary_of(checks)
    if args.rows_path:
        rows = pd.concat([check.rows() for check in checks], ignore_index=True)
        write_atomic(args.rows_path, rows.to_csv(index=False, lineterminator="\n").encode())
    print(report)


def _fs_mol(args: argparse.Namespace) -> None:
    from molmeta.datasets import check_fs_mol_output, describe_fs_mol, fs_mol_rows, write_fs_mol

    if args.output:
        check_fs_mol_output(args.output, Path(args.data_path), overwrite=args.overwrite)
    rows = fs_mol_rows(args.data_path)
    print(describe_fs_mol(rows))
    if args.output:
        write_fs_mol(rows, args.output)
        options.say(f"written: {args.output}")


def _split(args: argparse.Namespace) -> None:
    from molmeta.datasets import draw_split, load_embedded
    from molmeta.files import check_output, write_atomic

    paths = options.assay_paths(args)
    check_output(args.output, list(map(Path, paths)), overwrite=args.overwrite)
    assays = load_embedded() if options.is_shipped(args) else options.read_assays(args)[0].assays
    drawn = {"name": args.output.stem, "seed": args.seed, "least": args.least}
    parts = draw_split(assays, args.validation, args.test, **drawn)
    write_atomic(args.output, (json.dumps({"drawn": drawn, **parts}, indent=1) + "\n").encode())
    print(
        f"{args.output}: {len(parts['validation'])} assays for validation, {len(parts['test'])} "
        f"for test, {len(assays) - args.validation - args.test} for training"
    )

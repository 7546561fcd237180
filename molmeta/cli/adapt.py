"""Adapt a model to the measurements of a new assay (or of several)."""

from __future__ import annotations

import argparse
from pathlib import Path

from molmeta.cli import options


def arguments(verb: argparse.ArgumentParser) -> None:
    """Arguments of `molmeta adapt`."""
    verb.add_argument("--data-path", required=True, metavar="CSV", help="the measurements")
    options.table(verb)
    verb.add_argument(
        "--model-path",
        default="default",
        metavar="MODEL",
        help="a model that is shipped (`molmeta models` lists them), a folder of `molmeta train`, "
        "or a baseline, such as random_forest",
    )
    verb.add_argument(
        "--assay-path",
        required=True,
        type=Path,
        metavar="FILE",
        help="the adapted assay that is written; a folder, if the table has several assays",
    )
    how = verb.add_mutually_exclusive_group()
    options.threshold_flag(how)
    how.add_argument(
        "--regression", action="store_true", help="predict the value itself, without a threshold"
    )
    verb.add_argument("--overwrite", action="store_true", help="replace what is there")
    options.compute(verb)


def run(args: argparse.Namespace) -> None:
    """Run `molmeta adapt`."""
    from molmeta.workbench import adapt_table

    threshold = options.threshold_or_values(args)
    adapted, report = adapt_table(
        args.data_path,
        args.model_path,
        args.assay_path,
        threshold=threshold,
        **options.columns(args),
        overwrite=args.overwrite,
        device=args.device,
    )
    options.say_read(args.data_path, report)
    for path, assay in adapted.items():
        counts = ", ".join(f"{n} {what}" for what, n in assay.counts.items())
        meaning = f" (active: {assay.info['active']})" if "active" in assay.info else ""
        options.say(f"{assay.name}: {counts}{meaning}; written to {path}")

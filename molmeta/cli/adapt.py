"""Adapt a model to the measurements of a new assay (or of several)."""

from __future__ import annotations

import argparse

from molmeta.cli import options
from molmeta.cli.parsing import Parser


def arguments(verb: Parser) -> None:
    """Arguments of `molmeta adapt`."""
    options.one_assay(verb)
    about = "the adapted assay that is written; a folder, if the table has several assays"
    options.output(verb, about, "FILE")
    verb.former(assay_path="--output")
    verb.add_argument(
        "--known-data-path",
        metavar="CSV",
        help="earlier assays of the same project, on the same or other molecules: those that agree "
        "with the new one add what they know",
    )
    options.compute(verb)


def run(args: argparse.Namespace) -> None:
    """Run `molmeta adapt`."""
    threshold = options.threshold_or_values(args)
    if not args.output.is_dir():
        options.check_output(args, args.data_path)
    from molmeta.workbench import adapt_table

    adapted, report = adapt_table(
        args.data_path,
        args.model_path,
        args.output,
        threshold=threshold,
        **options.columns(args),
        overwrite=args.overwrite,
        device=args.device,
        known=args.known_data_path,
    )
    options.say_read(args.data_path, report)
    for path, assay in adapted.items():
        counts = ", ".join(f"{n} {what}" for what, n in assay.counts.items())
        meaning = f" (active: {assay.info['active']})" if "active" in assay.info else ""
        options.say(f"{assay.name}: {counts}{meaning}; written to {path}")

"""List the models that are shipped."""

from __future__ import annotations

import argparse

from molmeta.cli.parsing import Parser


def arguments(verb: Parser) -> None:
    """Arguments of `molmeta models`: none."""


def run(args: argparse.Namespace) -> None:
    """Run `molmeta models`."""
    from molmeta.models import shipped_models

    rows = [
        ("name", "learner", "encoder", "learns from", "MB"),
        *((*one[:4], f"{one.megabytes:.1f}") for one in shipped_models()),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )
    print(
        "\nAdapt one with --model-path NAME, or in Python with "
        "FewShotClassifier.from_pretrained(NAME)."
    )

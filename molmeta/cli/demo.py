"""The main job on the embedded data: meta-train, compare, adapt, screen, plot."""

from __future__ import annotations

import argparse
from pathlib import Path

from molmeta.cli.parsing import Parser


def arguments(verb: Parser) -> None:
    """Arguments of `molmeta demo`."""
    verb.add_argument("--save-dir", type=Path, default=Path("molmeta-demo"), help="output folder")
    verb.add_argument("--workers", type=int, default=2, help="processes")


def run(args: argparse.Namespace) -> None:
    """Run `molmeta demo`."""
    from molmeta.evaluation import demo

    demo(args.save_dir, workers=args.workers)

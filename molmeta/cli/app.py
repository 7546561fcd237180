"""A page in the browser: drop a table, see it ranked, download it."""

from __future__ import annotations

import argparse

from molmeta.cli.parsing import Parser


def arguments(verb: Parser) -> None:
    """Arguments of `molmeta app`."""
    verb.add_argument("--port", type=int, default=8501, metavar="N", help="of this machine alone")
    verb.add_argument("--no-browser", action="store_true", help="open no browser")


def run(args: argparse.Namespace) -> None:
    """Run `molmeta app`, until it is stopped."""
    from molmeta.workbench import serve

    serve(port=args.port, browser=not args.no_browser)

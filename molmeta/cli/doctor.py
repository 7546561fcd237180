"""Check the installation: versions, clashes, the device, and a self-test of at most a minute."""

from __future__ import annotations

import argparse
from functools import partial

from molmeta.cli.parsing import Parser


def arguments(verb: Parser) -> None:
    """Arguments of `molmeta doctor`."""
    verb.add_argument("--no-self-test", action="store_true", help="leave the self-test out")


def run(args: argparse.Namespace) -> None:
    """Run `molmeta doctor`; exit code 1 if there is a problem."""
    from molmeta.workbench import examine, summary

    problems = examine(self_test=not args.no_self_test, say=partial(print, flush=True))
    print(summary(problems))
    if problems:
        raise SystemExit(1)

"""`molmeta <verb>`: errors are one line on standard error, exit code 2."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from molmeta import __version__
from molmeta.cli import (
    adapt,
    benchmark,
    compare,
    data,
    demo,
    doctor,
    models,
    pretrain,
    report,
    reproduce,
    screen,
    suggest,
    train,
)
from molmeta.errors import MolmetaError

VERBS = (
    adapt,
    screen,
    compare,
    suggest,
    report,
    data,
    models,
    train,
    pretrain,
    benchmark,
    reproduce,
    demo,
    doctor,
)


def parser() -> argparse.ArgumentParser:
    """The parser of all verbs."""
    root = argparse.ArgumentParser(
        prog="molmeta",
        description="Few-shot learning for molecules: rank a library by a new assay.",
    )
    root.add_argument("--version", action="version", version=f"molmeta {__version__}")
    verbs = root.add_subparsers(dest="verb", required=True, metavar="verb")
    for module in VERBS:
        name = module.__name__.rpartition(".")[2]
        summary = (module.__doc__ or "").splitlines()[0]
        verb = verbs.add_parser(
            name,
            help=summary,
            description=summary,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )
        module.arguments(verb)
        verb.set_defaults(run=module.run)
    return root


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    args = parser().parse_args(argv)
    try:
        args.run(args)
    except MolmetaError as error:
        print(f"molmeta: error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 141
    except OSError as error:
        print(f"molmeta: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("molmeta: stopped", file=sys.stderr)
        return 130
    return 0

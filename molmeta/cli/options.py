"""Arguments that several verbs share; names as in chemprop where they mean the same."""

from __future__ import annotations

import argparse
import math
import sys

from molmeta.errors import ConfigError

EMBEDDED = "embedded"


def table(verb: argparse.ArgumentParser) -> None:
    """How to read a table of measurements."""
    verb.add_argument("--smiles-columns", default="smiles", metavar="NAME", help="column of SMILES")
    verb.add_argument(
        "--target-columns",
        nargs="+",
        metavar="NAME",
        help="columns of measurements; without it, every column of numbers",
    )
    verb.add_argument(
        "--assay-column",
        default="assay_id",
        metavar="NAME",
        help="column that names the assay of each row, in a long table",
    )


def threshold_flag(verb: argparse._ActionsContainer) -> None:
    """Where active begins."""
    verb.add_argument(
        "--threshold",
        default="median",
        metavar="X",
        help="a value at or above it is active; or 'median', each assay's own",
    )


def compute(verb: argparse.ArgumentParser) -> None:
    """Where to compute."""
    verb.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, …")


def say(text: str) -> None:
    """Tell the person, leaving standard output to results."""
    print(text, file=sys.stderr, flush=True)


def threshold(text: str) -> float | str:
    """A number, or 'median'.

    Raises
    ------
    ConfigError
        The text is neither.
    """
    if text == "median":
        return text
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ConfigError(f"--threshold is {text!r}; give a number, or 'median'")
    return value

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


def images_flag(verb: argparse.ArgumentParser) -> None:
    """Images in place of assays."""
    verb.add_argument(
        "--images",
        metavar="NAME",
        help="images in place of assays: 'digits' (shipped with scikit-learn), 'omniglot' "
        "(--data-path: one zip file or folder for folds over its alphabets, or the background "
        "and the evaluation set) or 'miniimagenet' (--data-path: its folder)",
    )


def assay_path(args: argparse.Namespace) -> str:
    """The one file of assays.

    Raises
    ------
    ConfigError
        There are several, or an option of images is given.
    """
    if args.n_way:
        raise ConfigError("--n-way is of images; give --images as well")
    if len(args.data_path) > 1:
        raise ConfigError(f"--data-path has {len(args.data_path)} files of assays; give one")
    return args.data_path[0]


def image_paths(args: argparse.Namespace) -> tuple[str, ...]:
    """The files behind `--images`."""
    return tuple(path for path in args.data_path if path != EMBEDDED)


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

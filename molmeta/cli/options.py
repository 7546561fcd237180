"""Arguments that several verbs share; names as in chemprop where they mean the same."""

from __future__ import annotations

import argparse
import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from molmeta.cli.parsing import Parser
from molmeta.errors import ConfigError, one_line

if TYPE_CHECKING:
    from molmeta.datasets import Measurements, Report, Table
    from molmeta.featurizers import Policy
    from molmeta.tasks import Split

EMBEDDED = "embedded"
MEDIAN = "median"
DISJOINT = "molecule-disjoint"
PUBLISHED = "published"


def table(verb: Parser) -> None:
    """How to read a table of measurements."""
    verb.add_argument(
        "--smiles-column",
        metavar="NAME",
        help="column of SMILES; without it, it is found by its name or by what it holds",
    )
    verb.former(smiles_columns="--smiles-column")
    verb.add_argument(
        "--target-columns",
        nargs="+",
        metavar="NAME",
        help="columns of measurements, by name or by place (from 1); without it, every column of "
        "numbers, or of words such as active and inactive",
    )
    verb.add_argument(
        "--assay-column",
        default="assay_id",
        metavar="NAME",
        help="column that names the assay of each row, in a long table",
    )
    verb.add_argument(
        "--relation-column",
        metavar="NAME",
        help="column with >, < or = for each row's value; or write >5 in the cell",
    )
    verb.add_argument(
        "--units",
        metavar="UNIT",
        help="of the values: nM, uM, mM, M or pM become −log10 of the molar; 'log nM', '-log M', "
        "'%%'; 'none' takes values as they are. Without it, as cells, a column or names say",
    )


def columns(args: argparse.Namespace) -> dict[str, Any]:
    """The columns of a table, as `read_table` takes them."""
    return {
        "smiles_column": args.smiles_column,
        "target_columns": args.target_columns,
        "assay_column": args.assay_column,
        "relation_column": args.relation_column,
        "units": args.units,
    }


def data_path(verb: argparse.ArgumentParser, about: str, nargs: int | str = "+") -> None:
    """Files of assays, or of images; without it, the assays that are shipped."""
    verb.add_argument("--data-path", nargs=nargs, default=[EMBEDDED], metavar="PATH", help=about)


def threshold_flag(verb: argparse._ActionsContainer) -> None:
    """Where active begins."""
    verb.add_argument(
        "--threshold",
        default=MEDIAN,
        metavar="X",
        help="a value at or above it is active; or 'median', each assay's own",
    )


def measurements(verb: Parser) -> None:
    """One table of measurements; its path may be given without the option's name."""
    verb.add_in_order("--data-path", required=True, metavar="CSV", help="the measurements")


def one_assay(verb: Parser) -> None:
    """A table of one assay, the model, and what is learned."""
    measurements(verb)
    table(verb)
    model_flag(verb)
    how = verb.add_mutually_exclusive_group()
    threshold_flag(how)
    how.add_argument(
        "--regression", action="store_true", help="learn the values themselves, without a threshold"
    )


def model_flag(verb: argparse.ArgumentParser) -> None:
    """The model, which says by its policy what a molecule is."""
    verb.add_argument(
        "--model-path",
        default="default",
        metavar="MODEL",
        help="a model that is shipped (`molmeta models` lists them), a folder of `molmeta train`, "
        "or a baseline, such as random_forest",
    )


def library(verb: Parser, about: str, *, required: bool) -> None:
    """A library, and its column of SMILES."""
    verb.add_in_order("--library-path", required=required, metavar="FILE", help=about)
    verb.add_argument(
        "--library-smiles-column", default="smiles", metavar="NAME", help="of the library"
    )


def output(verb: argparse.ArgumentParser, about: str, kind: str, *, required: bool = True) -> None:
    """What is written."""
    verb.add_argument("--output", required=required, type=Path, metavar=kind, help=about)
    verb.add_argument("--overwrite", action="store_true", help="replace the output if it exists")


def check_output(args: argparse.Namespace, *inputs: str | Path | None) -> None:
    """Refuse an output that exists, before anything is loaded.

    Raises
    ------
    MolmetaError
        It exists and was not to be replaced, or it is one of the inputs.
    """
    from molmeta.files import check_output

    if args.output is not None:
        known = [Path(path) for path in inputs if path is not None]
        check_output(args.output, known, overwrite=args.overwrite)


def workers(verb: argparse.ArgumentParser) -> None:
    """Processes."""
    verb.add_argument("--workers", type=int, metavar="N", help="processes; one for each core")


def cores(args: argparse.Namespace) -> int:
    """The processes that are asked for, or the cores that this process may use.

    Raises
    ------
    ConfigError
        Fewer than one is asked for.
    """
    if args.workers is not None:
        at_least_one("--workers", args.workers)
        return args.workers
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threshold_or_values(args: argparse.Namespace) -> float | str | None:
    """What is active; None where values are learned."""
    return None if args.regression else threshold(args.threshold)


def at_least_one(flag: str, number: int) -> None:
    """Refuse a number below one.

    Raises
    ------
    ConfigError
        It is.
    """
    if number < 1:
        raise ConfigError(f"{flag} is {number}; 1 is the least")


def split_flags(verb: argparse.ArgumentParser) -> None:
    """How the assays of a table are divided."""
    verb.add_argument(
        "--split",
        metavar="NAME",
        help="which assays of --data-path are for training, validation and test: a shipped split "
        "(chembl22, fsmol, nguyen2020, tox21, sider, muv) or a JSON file of `molmeta data split`; "
        "FS-Mol comes with its own; a benchmark without a split trains on the embedded assays and "
        "tests on all of --data-path",
    )
    verb.add_argument(
        "--protocol",
        choices=(DISJOINT, "scaffold-disjoint", "overlapping", PUBLISHED, "molecule-halves"),
        default=DISJOINT,
        help="what is taken out of training: molecules of test assays, or all with the scaffold of "
        "one, or nothing; published, for FS-Mol: nothing, repeated measurements are kept, and 10 "
        "supports of 16, 32, 64, 128 and 256; molecule-halves, for assays that measured the same "
        "molecules, deals these into two halves, each of which is for the test in turn",
    )


def data_words(args: argparse.Namespace) -> list[str]:
    """What to write again of the file of assays and of how they are divided."""
    return [
        *("--data-path", *(Path(path).name for path in args.data_path)),
        *(["--split", args.split] if args.split else []),
        *(["--protocol", args.protocol] if args.protocol != DISJOINT else []),
    ]


def images_flag(verb: argparse.ArgumentParser) -> None:
    """Images in place of assays."""
    verb.add_argument(
        "--images",
        metavar="NAME",
        help="images in place of assays: 'digits' (shipped with scikit-learn), 'omniglot' "
        "(--data-path: one zip file or folder for folds over its alphabets, or the background "
        "and the evaluation set) or 'miniimagenet' (--data-path: its folder)",
    )


def assay_paths(args: argparse.Namespace) -> list[str]:
    """The files of assays.

    Raises
    ------
    ConfigError
        What is shipped stands beside others, or an option of images is given.
    """
    if args.n_way:
        raise ConfigError("--n-way is of images; give --images as well")
    if len(args.data_path) > 1 and EMBEDDED in args.data_path:
        raise ConfigError(f"--data-path has '{EMBEDDED}' beside other assays; give one of both")
    return args.data_path


def is_shipped(args: argparse.Namespace) -> bool:
    """Whether the assays are those that are shipped."""
    return assay_paths(args) == [EMBEDDED]


def read_assays(
    args: argparse.Namespace, policy: Policy | None = None
) -> tuple[Table, dict[str, list[str]] | None]:
    """The assays behind `--data-path`, of all files; and the split that they come with, if any."""
    from molmeta.datasets import collected

    read = []
    for path in assay_paths(args):
        read.append(_read_one(args, path, policy))
        say_read(path, read[-1][0].report)
    return collected([table for table, _ in read], [split for _, split in read])


def _read_one(
    args: argparse.Namespace, path: str, policy: Policy | None
) -> tuple[Table, dict[str, list[str]] | None]:
    from molmeta.datasets import SOURCES, is_fs_mol, read_fs_mol, read_moleculenet, read_table

    if is_fs_mol(path):
        keeps = getattr(args, "protocol", DISJOINT) == PUBLISHED
        measured = getattr(args, "regression", False)
        return read_fs_mol(path, measured=measured, merge=not keeps)
    if getattr(args, "protocol", DISJOINT) == PUBLISHED:
        raise ConfigError(
            "--protocol published is FS-Mol's; of other assays whose molecules may be on both "
            "sides, ask for --protocol overlapping"
        )
    if path in SOURCES:
        return read_moleculenet(path), None
    return read_table(path, policy=policy, **columns(args)), None


def read_splits(args: argparse.Namespace) -> list[Split]:
    """The assays that the options name: one split, or one for each half of the molecules."""
    from molmeta.datasets import HALVES, embedded_split, read_split, split_assays, split_molecules

    if args.threshold != MEDIAN and (is_shipped(args) or args.split):
        raise ConfigError(
            f"--threshold {args.threshold} is for a table that models of the embedded assays are "
            "tested on; assays of a split are active above their own medians"
        )
    if is_shipped(args):
        if args.split:
            raise ConfigError("--split is for the assays of a file; give --data-path")
        _refuse_protocol(args)
        return [embedded_split()]
    table, names = read_assays(args)
    names = read_split(args.split) if args.split else names
    if names is None:
        _refuse_protocol(args)
        tested = table.assays.binarise(threshold(args.threshold))
        return [embedded_split().tested_on(tested)]
    if args.protocol == HALVES:
        return split_molecules(table.assays, names, args.seed)
    protocol = "overlapping" if args.protocol == PUBLISHED else args.protocol
    return [split_assays(table.assays, names, protocol)]


def _refuse_protocol(args: argparse.Namespace) -> None:
    if args.protocol != DISJOINT:
        raise ConfigError(
            f"--protocol {args.protocol} is for a table that is divided; give --data-path and "
            "--split (tests on embedded models are molecule-disjoint)"
        )


def image_paths(args: argparse.Namespace) -> tuple[str, ...]:
    """The files behind `--images`."""
    return tuple(path for path in args.data_path if path != EMBEDDED)


def compute(verb: argparse.ArgumentParser) -> None:
    """Where to compute."""
    verb.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, …")


def say(text: str) -> None:
    """Tell the person, leaving standard output to results; of several processes one tells."""
    if os.environ.get("RANK", "0") == "0":
        print(text, file=sys.stderr, flush=True)


def say_read(path: str, read: Measurements | Report) -> None:
    """Tell what a table was taken for, and what may be wrong with it."""
    for line in (f"{path}: {read}", *read.warnings()):
        say(one_line(line))


def threshold(text: str) -> float | str:
    """A number, or 'median'.

    Raises
    ------
    ConfigError
        The text is neither.
    """
    if text == MEDIAN:
        return text
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ConfigError(f"--threshold is {text!r}; give a number, or 'median'")
    return value

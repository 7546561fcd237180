"""`molmeta <verb>`: errors are one line on standard error, exit code 2."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from io import TextIOWrapper

from molmeta import __version__
from molmeta.cli import (
    adapt,
    app,
    benchmark,
    compare,
    completion,
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
from molmeta.cli.parsing import Parser
from molmeta.errors import MolmetaError, one_line

VERBS = {  # not their docstrings, which `python -OO` leaves out
    adapt: "Adapt a model to the measurements of a new assay (or of several).",
    screen: "Score a library by one or more adapted assays: one row out per row in.",
    compare: "Which model to use on your own measurements: cross-validation, and a recommendation.",
    suggest: "Which molecules of a library to measure next, within a budget.",
    report: "One HTML page about an assay: data, models, ranked library, what to measure next.",
    data: "Look at assays: check a table, audit or draw a split, convert FS-Mol.",
    models: "List the models that are shipped.",
    train: "Meta-train on assays or images; the same command goes on with a run that was stopped.",
    pretrain: "Pre-train an encoder, on molecules alone or on all assays at once.",
    benchmark: "Compare learners and baselines on the same episodes, with paired intervals.",
    reproduce: "Run a published study again: train, fine-tune, judge, write tables and the figure.",
    demo: "The main job on the embedded data: meta-train, compare, adapt, screen, plot.",
    app: "A page in the browser: drop a table, see it ranked, download it.",
    completion: "What makes a shell complete these verbs and their options.",
    doctor: "Check the installation: versions, clashes, the device, and a self-test.",
}


def parser() -> Parser:
    """The parser of all verbs."""
    root = Parser(
        prog="molmeta",
        description="Few-shot learning for molecules: rank a library by a new assay.",
    )
    root.add_argument("--version", action="version", version=f"molmeta {__version__}")
    verbs = root.add_subparsers(dest="verb", required=True, metavar="verb")
    for module, summary in VERBS.items():
        name = module.__name__.rpartition(".")[2]
        verb = verbs.add_parser(name, help=summary, description=summary)
        module.arguments(verb)
        verb.set_defaults(run=module.run)
        if module is completion:
            verb.set_defaults(root=root)
    return root


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a name that cannot be printed is escaped
            stream.reconfigure(errors="backslashreplace")
    args = parser().parse_args(argv)
    try:
        args.run(args)
    except BrokenPipeError:
        return 141
    except UnicodeEncodeError as error:
        return _refused(f"{error.object!r} is no text in {error.encoding}; give it another name")
    except (MolmetaError, OSError) as error:
        return _refused(error)
    except KeyboardInterrupt:
        print("molmeta: stopped", file=sys.stderr)
        return 130
    return 0


def _refused(error: object) -> int:
    """Say in one line what was wrong; returns the exit code."""
    print(f"molmeta: error: {one_line(error)}", file=sys.stderr)
    return 2

"""What makes a shell complete these verbs and their options."""

from __future__ import annotations

import argparse
from typing import Any

from molmeta.cli.parsing import Parser

SHELLS = ("bash", "zsh")
FILES = ("CSV", "FILE", "HTML", "JSON", "MD", "PATH", "FOLDER", "MODEL")  # kinds of path


def arguments(verb: Parser) -> None:
    """Arguments of `molmeta completion`."""
    verb.add_argument("shell", choices=SHELLS, help="yours")
    verb.epilog = (
        "bash: molmeta completion bash > ~/.local/share/bash-completion/completions/molmeta; "
        "zsh: molmeta completion zsh > FOLDER/_molmeta, a folder of $fpath"
    )


def run(args: argparse.Namespace) -> None:
    """Run `molmeta completion`."""
    import shtab

    _complete_paths(args.root, shtab.FILE)
    print(shtab.complete(args.root, args.shell))


def _complete_paths(parser: argparse.ArgumentParser, how: Any) -> None:
    """Options that take a path are completed by files; those of verbs below, too."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                _complete_paths(below, how)
        elif action.metavar in FILES or action.dest == "save_dir":
            action.complete = how  # type: ignore[attr-defined]

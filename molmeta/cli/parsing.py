"""A parser of the command line: plain help, former names, and words in place of options."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any


class Help(argparse.HelpFormatter):
    """Help that says a default where there is one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        default = action.default
        if action.help is None or action.required or default in (None, False, argparse.SUPPRESS):
            return action.help
        told = " ".join(map(str, default)) if isinstance(default, list) else str(default)
        return f"{action.help} (default: {told})"


class Parser(argparse.ArgumentParser):
    """A parser of one verb, of an action of it, or of all.

    Whatever is wrong is said below the usage of the verb that it was given to. Former names of
    options work, and are shown nowhere.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        self._former: dict[str, str] = {}
        self._in_order: list[argparse.Action] = []
        self._needed: list[argparse.Action] = []
        super().__init__(*args, **{"formatter_class": Help, **options})

    def former(self, **names: str) -> None:
        """Options that had another name: `preds_path="--output"`."""
        self._former |= {f"--{old.replace('_', '-')}": new for old, new in names.items()}

    def add_in_order(self, name: str, **options: Any) -> None:
        """An option whose name may be left out: words without a name go to these in order."""
        self._in_order.append(self.add_argument(name, **options))
        self._needed = [action for action in self._in_order if action.required]

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """As argparse does; nothing is left over."""
        given = [self._renamed(word) for word in (sys.argv[1:] if args is None else args)]
        for action in self._needed:
            action.required = False  # until the words are known
        found, words = super().parse_known_args(given, namespace or argparse.Namespace())
        free = [action for action in self._in_order if getattr(found, action.dest) is None]
        unknown = next((i for i, word in enumerate(words) if word.startswith("-")), len(free))
        if len(words) > unknown:
            self.error(f"unrecognized arguments: {' '.join(words[unknown:])}")
        for action, word in zip(free, words, strict=False):
            setattr(found, action.dest, word)
        missing = [a.option_strings[0] for a in self._needed if getattr(found, a.dest) is None]
        if missing:
            self.error(f"the following arguments are required: {', '.join(missing)}")
        return found, []

    def _get_formatter(self) -> argparse.HelpFormatter:
        for action in self._needed:
            action.required = True  # as help and usage show it
        return super()._get_formatter()

    def _renamed(self, word: str) -> str:
        name, sign, value = word.partition("=")
        return f"{self._former.get(name, name)}{sign}{value}"

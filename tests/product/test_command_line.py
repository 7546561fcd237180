"""The command line's own manners: names, help, usage, completion, and outputs that exist."""

from __future__ import annotations

import argparse
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from molmeta.cli.main import main, parser

SAME = {
    "compare": (["compare", "a.csv"], ["compare", "--data-path", "a.csv"]),
    "a word after options": (
        ["suggest", "--regression", "a.csv", "-n", "4", "b.csv"],
        ["suggest", "--data-path", "a.csv", "--library-path", "b.csv", "--regression", "-n", "4"],
    ),
    "a word beside a name": (
        ["suggest", "--data-path", "a.csv", "b.csv"],
        ["suggest", "--library-path", "b.csv", "a.csv"],
    ),
    "adapt": (
        ["adapt", "--data-path", "a.csv", "--assay-path=a.st", "--smiles-columns", "s"],
        ["adapt", "a.csv", "--output", "a.st", "--smiles-column", "s"],
    ),
    "screen": (
        ["screen", "--test-path", "l.smi", "--assay-path", "a.st", "--preds-path", "p.csv"],
        ["screen", "--library-path", "l.smi", "--assay-path", "a.st", "--output", "p.csv"],
    ),
    "report": (
        ["report", "a.csv", "b.csv", "--report-path", "r.html"],
        ["report", "a.csv", "--library-path", "b.csv", "--output", "r.html"],
    ),
    "data check": (["data", "check", "a.csv"], ["data", "check", "--data-path", "a.csv"]),
}


@pytest.mark.parametrize("case", SAME)
def test_former_names_and_words_say_the_same(case: str) -> None:
    one, other = (vars(parser().parse_args(words)) for words in SAME[case])
    assert one == other


WRONG = {
    ("compare", "a.csv", "--foo"): "unrecognized arguments: --foo",
    ("compare", "a.csv", "b.csv"): "unrecognized arguments: b.csv",
    ("compare",): "are required: --data-path",
    ("suggest", "a.csv"): "are required: --library-path",
    ("data", "check", "a.csv", "--top", "3"): "unrecognized arguments: --top 3",
    ("adapt", "a.csv", "--output", "b", "--regression", "--threshold", "6"): "not allowed with",
}


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_what_is_wrong_is_said_below_the_usage_of_its_verb(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(words)
    usage, _, said = capsys.readouterr().err.rpartition("molmeta ")
    verb = " ".join(words[: 2 if words[0] == "data" else 1])
    assert usage.startswith(f"usage: molmeta {verb} ")
    assert "--data-path CSV" in usage and "[--data-path" not in usage
    assert said.startswith(f"{verb}: error: ") and WRONG[words] in said


def verbs(command: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield command
    for action in command._actions:
        if isinstance(action, argparse._SubParsersAction):
            for verb in action.choices.values():
                yield from verbs(verb)


def test_help_says_a_default_where_there_is_one() -> None:
    for verb in verbs(parser()):
        text = verb.format_help()
        for nothing in ("default: None", "default: False", "default: [", "SUPPRESS"):
            assert nothing not in text, (verb.prog, nothing)
        assert "preds-path" not in text and "test-path" not in text, verb.prog
    assert "(default: 16)" in next(v for v in verbs(parser()) if "suggest" in v.prog).format_help()


@pytest.mark.parametrize("verb", ["compare", "adapt", "suggest", "report"])
def test_an_output_that_exists_is_refused_before_anything_is_loaded(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there, library = tmp_path / "there.html", ["l.csv"] if verb == "suggest" else []
    there.write_text("mine")
    words = [verb, "no such table.csv", *library, "--model-path", "no such model"]
    assert main([*words, "--output", str(there)]) == 2
    assert "exists" in capsys.readouterr().err
    assert there.read_text() == "mine"


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_shell_can_complete(
    shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("shtab")
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "--library-path" in script and "--preds-path" not in script
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    path = tmp_path / "completion"
    path.write_text(script)
    subprocess.run([shell, "-n", str(path)], check=True)
    if shell == "bash":
        asked = "COMP_WORDS=(molmeta sug); COMP_CWORD=1; _shtab_molmeta; echo ${COMPREPLY[@]}"
        told = subprocess.run(
            ["bash", "-c", f"source {path}; {asked}"], capture_output=True, text=True, check=True
        )
        assert told.stdout.split() == ["suggest"]

"""Whatever a file or a name is, the command works or says one line and ends with 2."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from product_commands import adapt_command, python, screen_command

from molmeta.cli.main import VERBS, main
from molmeta.errors import one_line

DEEP = "[" * 100_000
GOOD = "smiles,activity\n" + "".join(f"{'C' * i}O,{i % 2}\n" for i in range(1, 11))


def says_one_line(command: list[str], capsys: pytest.CaptureFixture[str], *said: str) -> str:
    capsys.readouterr()
    assert main(command) == 2
    *before, line = capsys.readouterr().err.splitlines()
    assert all(" read 300 rows" in one for one in before), before
    assert line.startswith("molmeta: error: ") and line.isprintable(), line
    assert all(text in line for text in said), line
    return line


def test_a_text_becomes_one_line() -> None:
    assert one_line("a\nb\r\n\tc  d") == "a b c d"
    assert one_line("µ ≥ …") == "µ ≥ …"
    assert one_line("\x1b[31m\udcff\u2028") == "\\x1b[31m\\udcff"
    assert one_line("x\u200fy") == "x\\u200fy"


@pytest.mark.parametrize("content", [DEEP, '{"a":' * 300 + "1" + "}" * 300, "[" * 900 + "]" * 900])
def test_a_deep_configuration_is_refused(
    content: str, model: Path, new_assay: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(model, tmp_path / "model"))
    (folder / "config.json").write_text(content)
    command = adapt_command(new_assay, folder, tmp_path / "assay.safetensors")
    says_one_line(command, capsys, "config.json", "brackets within brackets")


@pytest.mark.parametrize("content", [DEEP, '{"validation": [[1]], "test": []}', "[]", "\xff"])
def test_a_split_that_is_none_is_refused(
    content: str, long_table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "split.json"
    path.write_bytes(content.encode("latin-1"))
    command = ["data", "audit", "--data-path", str(long_table), "--split", str(path)]
    says_one_line(command, capsys, "split.json is no split")


@pytest.mark.parametrize("content", ["a = " + DEEP, "a = '\xff'", "model = 3", "[[model]]"])
def test_a_toml_that_is_none_is_refused(
    content: str, long_table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "one.toml"
    path.write_bytes(content.encode("latin-1"))
    command = ["train", "--config", str(path), "--data-path", str(long_table)]
    says_one_line([*command, "--save-dir", str(tmp_path / "run")], capsys)


def test_names_with_line_breaks_stay_in_the_line(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "two\nlines.csv"
    out = tmp_path / "assay.safetensors"
    data.write_text(GOOD.replace("smiles", '"a\nb\x1b[31m"').replace("O,", "?,"))
    says_one_line(adapt_command(data, model, out), capsys, "two lines.csv", "'smiles'")
    data.write_text(GOOD.replace("activity", '"act\nivity"').replace(",0", ",1"))
    says_one_line(adapt_command(data, model, out), capsys, "class 0")
    says_one_line(adapt_command(tmp_path / "no\nne.csv", model, out), capsys, "no ne.csv")
    says_one_line(adapt_command(data, "no\nne", out), capsys, "no ne")


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A folder whose name is not UTF-8."""
    folder = tmp_path / os.fsdecode(b"n\xe4me")
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system has no such names")
    return folder


@pytest.mark.slow
def test_paths_that_are_not_utf8_work_or_are_refused(
    odd: Path,
    model: Path,
    assay: Path,
    config: Path,
    long_table: Path,
    new_assay: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data, table, toml = odd / "new.csv", odd / "table.csv", odd / "one.toml"
    shutil.copy(new_assay, data)
    shutil.copy(long_table, table)
    shutil.copy(config, toml)
    folder = Path(shutil.copytree(model, odd / "model"))
    kept = Path(shutil.copy(assay, odd / "assay.safetensors"))
    for command in (
        adapt_command(data, folder, odd / "out.safetensors"),
        screen_command(data, folder, kept, odd / "out.csv"),
        ["data", "check", str(table)],
        ["train", "--config", str(toml), "--data-path", str(table), "--save-dir", str(odd / "r")],
        [*("benchmark", "--learners", str(folder), "--data-path", str(table), "--draws", "1"),
         *("--support-sizes", "8", "--output", str(odd / "results.csv"), "--workers", "1")],
        ["models", "--no", str(odd)],
        adapt_command(odd / "none.csv", folder, odd / "out.safetensors"),
    ):  # fmt: skip
        capsys.readouterr()
        try:
            code = main(command)
        except SystemExit as stopped:  # argparse, of arguments that it does not know
            code = stopped.code
        assert code in (0, 2), command
        if code == 2 and command[0] != "models":
            assert capsys.readouterr().err.splitlines()[-1].startswith("molmeta: error: ")


def test_a_path_that_is_not_utf8_is_printed(odd: Path) -> None:
    """In a process of its own, whose streams are strict as they are there."""
    for name in ("none.csv", "table.csv"):
        if name == "table.csv":
            (odd / name).write_text(GOOD)
        done = python("-m", "molmeta", "data", "check", str(odd / name))
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode == (2 if name == "none.csv" else 0), done.stderr


def test_it_works_without_docstrings_and_asserts(model: Path, assay: Path, tmp_path: Path) -> None:
    done = python("-OO", "-m", "molmeta", "--help")
    assert done.returncode == 0, done.stderr
    told = " ".join(done.stdout.split())
    assert all(" ".join(summary.split()) in told for summary in VERBS.values()), told
    library, out = tmp_path / "library.csv", tmp_path / "out.csv"
    library.write_text("smiles\nCCO\nc1ccccc1\n")
    done = python("-OO", "-m", "molmeta", *screen_command(library, model, assay, out))
    assert done.returncode == 0, done.stderr
    assert len(out.read_text().splitlines()) == 3


def test_every_verb_has_its_own_summary() -> None:
    assert len(set(VERBS.values())) == len(VERBS)
    assert all(summary.endswith(".") for summary in VERBS.values())

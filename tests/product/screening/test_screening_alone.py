"""A screen replaces, removes and shares nothing that it was not told to."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from product_commands import screen_command

from molmeta.cli.main import main
from molmeta.errors import DataError
from molmeta.screening.assembly import Assembly
from molmeta.screening.job import Job
from molmeta.screening.shards import Shards, lines_of

Words = Callable[..., list[str]]
IDENTITY = {"molmeta": "1", "library": "a", "shard": 8, "assays": "b"}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "out.csv"


@pytest.fixture
def words(model: Path, assay: Path, tmp_path: Path, out: Path) -> Words:
    """The command, with a file of hits, and more."""
    library = tmp_path / "in.csv"
    library.write_text("smiles\nCCO\nCCN\nnonsense\n")

    def command(*more: str, out: Path = out) -> list[str]:
        hits = ("--hits-path", str(out.with_name("hits.csv")))
        return screen_command(library, model, assay, out, *hits, *more)

    return command


def interrupted(words: list[str]) -> None:
    """All pieces are done, and the run is ended before it writes anything."""
    with pytest.MonkeyPatch.context() as patch:

        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(Assembly, "write", interrupt)
        assert main(words) == 130


def names(out: Path) -> set[str]:
    return {path.name for path in out.parent.iterdir()}


def test_a_run_that_is_refused_leaves_the_lock_to_its_owner(
    words: Words, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    codes: list[int] = []
    whole = Job.identity

    def others_come(job: Job) -> dict[str, object]:
        monkeypatch.undo()
        codes.extend(main(words()) for _ in range(2))
        return whole(job)

    monkeypatch.setattr(Job, "identity", others_come)
    assert main(words()) == 0
    assert codes == [2, 2]
    assert capsys.readouterr().err.count("another run is at work on") == 2
    assert names(out) == {"out.csv", "hits.csv"}


def test_two_screens_do_not_write_one_file_of_hits(
    words: Words, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes: list[int] = []
    whole = Job.identity

    def other_comes(job: Job) -> dict[str, object]:
        monkeypatch.undo()
        codes.append(main(words(out=out.with_name("other.csv"))))
        return whole(job)

    monkeypatch.setattr(Job, "identity", other_comes)
    assert main(words()) == 0
    assert codes == [2]
    assert names(out) == {"out.csv", "hits.csv"}


@pytest.mark.parametrize("changed", ["library", "assays"])
def test_a_piece_belongs_to_one_screen_and_one_place(tmp_path: Path, changed: str) -> None:
    mine, other = Shards(tmp_path / "a.csv"), Shards(tmp_path / "b.csv")
    mine.open(IDENTITY, discard=False)
    other.open({**IDENTITY, changed: "another"}, discard=False)
    mine.write(0, lines_of([[["0.5", "ok", ""]]]))
    assert mine.read(0) == [["0.5", "ok", ""]]
    shutil.copy(mine.path(0), mine.path(1))
    shutil.copy(mine.path(0), other.path(0))
    assert mine.done() == {0} and other.done() == set()
    for shards, number in ((mine, 1), (other, 0)):
        with pytest.raises(DataError, match="of another screen; the same command"):
            shards.read(number)


@pytest.mark.parametrize("name", ["out.csv", "hits.csv"])
def test_a_file_that_came_after_a_run_was_ended_is_not_replaced(
    words: Words, out: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupted(words())
    out.with_name(name).write_text("precious")
    assert main(words()) == 2
    assert f"{name} exists" in capsys.readouterr().err
    assert out.with_name(name).read_text() == "precious"
    out.with_name(name).unlink()
    assert main(words()) == 0
    assert names(out) == {"out.csv", "hits.csv"}


@pytest.mark.parametrize("name", ["out.csv", "hits.csv"])
def test_leave_to_replace_is_of_what_was_there_when_it_was_given(
    words: Words, out: Path, name: str
) -> None:
    out.with_name(name).write_text("old")
    interrupted(words("--overwrite"))
    out.with_name(name).write_text("precious")
    assert main(words()) == 2
    assert out.with_name(name).read_text() == "precious"
    out.with_name(name).write_text("old")
    assert main(words()) == 0
    assert "score" in out.with_name(name).read_text()


@pytest.mark.parametrize("name", ["out.csv", "hits.csv"])
def test_a_file_that_comes_while_it_is_screened_is_not_replaced(
    words: Words,
    out: Path,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = Shards.read

    def somebody_writes(shards: Shards, number: int) -> list[list[str]]:
        out.with_name(name).write_text("precious")
        return whole(shards, number)

    with monkeypatch.context() as patch:
        patch.setattr(Shards, "read", somebody_writes)
        assert main(words()) == 2
    assert f"{name} came there while it was screened" in capsys.readouterr().err
    assert out.with_name(name).read_text() == "precious"
    assert main(words()) == 2
    assert main(words("--overwrite")) == 0
    assert names(out) == {"out.csv", "hits.csv"}


def test_a_library_that_is_swapped_after_its_header_is_refused(
    words: Words,
    out: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = Job.identity

    def swapped_first(job: Job) -> dict[str, object]:
        (tmp_path / "other.csv").write_text("id,smiles\n1,CCO\n")
        (tmp_path / "other.csv").replace(tmp_path / "in.csv")
        return whole(job)

    monkeypatch.setattr(Job, "identity", swapped_first)
    assert main(words()) == 2
    assert "was changed as it was opened" in capsys.readouterr().err
    assert names(out) == set()


@pytest.mark.parametrize("manifest", [None, '{"name": "an extension"}', "[]", "{"])
def test_a_folder_of_somebody_else_stays(
    words: Words, out: Path, manifest: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = out.with_name(".out.csv.parts")
    folder.mkdir()
    (folder / "shard-0000000.csv").write_text("precious")
    if manifest is not None:
        (folder / "manifest.json").write_text(manifest)
    before = {path.name: path.read_text() for path in folder.iterdir()}
    for more in ((), ("--overwrite",)):
        assert main(words(*more)) == 2
        said = capsys.readouterr().err
        assert "holds something else" in said and "move it away" in said
    assert {path.name: path.read_text() for path in folder.iterdir()} == before
    assert names(out) == {folder.name}


def test_a_file_where_the_folder_would_be_stays(
    words: Words, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out.with_name(".out.csv.parts").write_text("precious")
    assert main(words()) == 2
    assert "move it away" in capsys.readouterr().err
    assert out.with_name(".out.csv.parts").read_text() == "precious"


def test_what_somebody_put_among_the_parts_stays(words: Words, out: Path) -> None:
    interrupted(words())
    folder = out.with_name(".out.csv.parts")
    kept = {"notes.txt", "shard-1.csv", ".notes.txt.1.part"}
    for name in kept:
        (folder / name).write_text("precious")
    (folder / ".shard-0000000.csv.1.part").write_text("half of a piece")
    assert main(words()) == 0
    assert {path.name for path in folder.iterdir()} == kept


def test_what_killed_runs_left_beside_the_output_is_removed_and_nothing_else(
    words: Words, out: Path
) -> None:
    done = "..out.csv.parts.done.4242.part"
    for name in (".out.csv.4242.part", ".hits.csv.4242.part", done, ".out.csv.mine.part"):
        out.with_name(name).write_text("half")
    assert main(words()) == 0
    assert names(out) == {"out.csv", "hits.csv", ".out.csv.mine.part"}

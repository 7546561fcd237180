"""A screen that ends in an unlucky moment, or loses its workers again and again."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from product_commands import screen_command

from molmeta.cli.main import main
from molmeta.errors import DataError, MolmetaError
from molmeta.screening.columns import Told
from molmeta.screening.ray_engine import _cause
from molmeta.screening.reading import Ask
from molmeta.screening.supervisor import TRIES, Supervisor, _Lost

ROWS = [Ask(text) for text in ("C", "CC", "CCC", "CCCC", "CCCCC")]


class Killed(BaseException):
    """Nothing catches it."""


def killed_as_it_removes(folder: Path, patch: pytest.MonkeyPatch, n: int) -> list[str]:
    """From now on, nothing is removed in a folder after the first n - 1 things; says which were."""
    removed: list[str] = []

    def counting(whole: Callable[..., None]) -> Callable[..., None]:
        def remove(path: Path, *args: object, **options: object) -> None:
            ours = folder in Path(path).parents and not str(path).endswith((".lock", ".part"))
            if ours and (folder / "out.csv").exists():
                removed.append(Path(path).name)
                if len(removed) == n:
                    raise Killed
            whole(path, *args, **options)

        return remove

    patch.setattr(Path, "unlink", counting(Path.unlink))
    patch.setattr(Path, "rmdir", counting(Path.rmdir))
    patch.setattr(shutil, "rmtree", counting(shutil.rmtree))
    return removed


def test_killed_as_it_puts_away_its_parts(
    model: Path, assay: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library = tmp_path / "in.csv"
    library.write_text("smiles\nCCO\nnonsense\n")
    n, was_killed = 0, True
    while was_killed:
        n += 1
        out = tmp_path / str(n) / "out.csv"
        words = screen_command(library, model, assay, out)
        words += ["--hits-path", str(out.with_name("hits.csv"))]
        with pytest.MonkeyPatch.context() as patch:
            removed = killed_as_it_removes(out.parent, patch, n)
            try:
                assert main(words) == 0
            except Killed:
                pass
            was_killed = len(removed) == n
        if was_killed:
            content = out.read_bytes()
            capsys.readouterr()
            assert main(words) == 0, removed
            assert "2 rows, 1 scored (1 invalid); was written before" in capsys.readouterr().err
            assert out.read_bytes() == content
        assert {path.name for path in out.parent.iterdir()} == {"out.csv", "hits.csv"}, removed
        assert main(words) == 2
    assert n > 5
    assert removed[-2:] == [".out.csv.parts", ".out.csv.parts.done"]


def test_an_output_that_was_changed_is_not_taken_for_a_finished_one(
    model: Path, assay: Path, tmp_path: Path
) -> None:
    library, out = tmp_path / "in.csv", tmp_path / "out" / "out.csv"
    library.write_text("smiles\nCCO\n")
    words = screen_command(library, model, assay, out)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        killed_as_it_removes(out.parent, patch, 1)
        main(words)
    out.write_text("precious")
    assert main(words) == 2
    assert out.read_text() == "precious"
    out.unlink()
    assert main(words) == 0
    assert "score" in out.read_text()
    assert {path.name for path in out.parent.iterdir()} == {"out.csv"}


def test_a_library_that_was_damaged_and_got_again_is_begun_anew(
    model: Path, assay: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library, out = tmp_path / "in.smi.gz", tmp_path / "out.csv"
    long = "name" * 500  # in all, more than is read ahead
    lines = (f"{'C' * (1 + n % 50)} {long}\n" for n in range(200))
    whole = gzip.compress("".join(lines).encode())
    library.write_bytes(whole[:-9])
    words = screen_command(library, model, assay, out)
    assert main(words) == 2
    assert "truncated or damaged" in capsys.readouterr().err
    assert out.with_name(".out.csv.parts").is_dir()
    assert main(words) == 2
    library.write_bytes(whole)
    with pytest.warns(UserWarning, match="truncated or damaged.* the screen begins anew"):
        assert main(words) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"in.smi.gz", "out.csv"}


def test_of_a_cluster_too_a_damaged_library_is_told_from_other_failures() -> None:
    for kind in (DataError, MolmetaError):
        failed = RuntimeError("a task failed")
        failed.__cause__ = kind("what was wrong")
        assert type(_cause(failed)) is kind


class Unlucky(Supervisor):
    """Its workers are lost as they start, or over all rows at once: so many times."""

    def __init__(self, starts: int = 0, chunks: int = 0, status: str = "crashed") -> None:
        super().__init__(Path(), "smiles", 3)
        self.starts, self.chunks, self.status = starts, chunks, status

    def _start(self) -> None:
        if self.starts:
            self.starts -= 1
            raise _Lost(self.status, "the worker died on this molecule (SIGKILL)")
        self.process = object()  # type: ignore[assignment]

    def _ask(self, rows: list[Ask]) -> list[Told]:  # type: ignore[override]
        self._running()
        if self.chunks and len(rows) == len(ROWS):
            self.chunks -= 1
            self.process = None
            raise _Lost(self.status, "the worker died on this molecule (SIGKILL)")
        return [[row.text, "ok", ""] for row in rows]


@pytest.mark.parametrize("lost", [{"starts": TRIES - 1}, {"chunks": TRIES - 1}], ids=str)
def test_workers_that_are_lost_one_after_the_other_cost_no_row(lost: dict[str, int]) -> None:
    (told,) = Unlucky(**lost).score(ROWS)
    assert told == [[row.text, "ok", ""] for row in ROWS]


@pytest.mark.parametrize(
    ("lost", "says"),
    [
        ({"starts": TRIES}, r"no worker can be started \(the worker died \(SIGKILL\)\)"),
        ({"starts": 1, "status": "stalled"}, "no worker can be started"),
        ({"chunks": TRIES}, "5 rows are too much for a worker at once"),
    ],
    ids=str,
)
def test_workers_that_are_always_lost_end_the_screen(lost: dict[str, int], says: str) -> None:
    with pytest.raises(MolmetaError, match=says):
        list(Unlucky(**lost).score(ROWS))

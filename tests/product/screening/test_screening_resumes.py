"""A screen that is killed, starved or poisoned: the same command finishes it, to the same bytes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from filelock import FileLock
from product_commands import python, screen_command

from molmeta.cli.main import main
from molmeta.screening.job import SHARD

ROWS = 2 * SHARD + 1000  # three pieces

# each makes a process end itself by SIGKILL, which nothing can catch, at one moment
MOMENTS = {
    "before the first piece": "at(Shards, 'open', 1)",
    "as a piece is written": "at(files.os, 'fsync', 2, before=True)",
    "after a piece": "at(Shards, 'write', 1)",
    "as the output is written": "at(Shards, 'read', 2)",
    "with the output whole, before its place": "at(Assembly, '_write_hits', 1)",
    "with the output in its place": "at(Shards, 'remove', 1, before=True)",
}
KILLED = """
import os, signal, sys
from molmeta import files
from molmeta.cli.main import main
from molmeta.screening.assembly import Assembly
from molmeta.screening.shards import Shards

def at(owner, name, n, before=False):
    whole, calls = getattr(owner, name), []
    def counted(*args, **kwargs):
        calls.append(None)
        if before and len(calls) == n:
            os.kill(os.getpid(), signal.SIGKILL)
        found = whole(*args, **kwargs)
        if len(calls) == n:
            os.kill(os.getpid(), signal.SIGKILL)
        return found
    setattr(owner, name, counted)

{moment}
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pieces of small molecules, with a bad row here and there."""
    path = tmp_path_factory.mktemp("library") / "library.csv"
    smiles = ["C" * (1 + i % 9) + "O" * (i % 2) for i in range(ROWS)]
    smiles[7], smiles[SHARD], smiles[-1] = "nonsense", "", "C C"
    pd.DataFrame({"id": range(ROWS), "smiles": smiles}).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def unbroken(
    library: Path, model: Path, assay: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[bytes, bytes]:
    """Output and hits of a run that nothing happened to."""
    out = tmp_path_factory.mktemp("unbroken") / "out.csv"
    assert main(command(library, model, assay, out)) == 0
    assert out.read_bytes().count(b"\n") == ROWS + 1
    return out.read_bytes(), out.with_name("hits.csv").read_bytes()


def command(library: Path, model: Path, assay: Path, out: Path, *more: str) -> list[str]:
    hits = ("--hits-path", str(out.with_name("hits.csv")), "--top", "3")
    return screen_command(library, model, assay, out, *hits, *more)


def is_finished(out: Path, unbroken: tuple[bytes, bytes]) -> None:
    """Output and hits are those of the unbroken run, and nothing else is left."""
    assert (out.read_bytes(), out.with_name("hits.csv").read_bytes()) == unbroken
    assert {path.name for path in out.parent.iterdir()} == {"out.csv", "hits.csv"}


def test_killed_at_every_moment_one_after_the_other(
    library: Path, model: Path, assay: Path, unbroken: tuple[bytes, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    for name, moment in MOMENTS.items():
        program = KILLED.replace("{moment}", moment)
        done = python("-c", program, *command(library, model, assay, out))
        assert done.returncode == -signal.SIGKILL, (name, done.stderr)
        assert out.exists() == (name == "with the output in its place"), name
    assert main(command(library, model, assay, out)) == 0
    is_finished(out, unbroken)


def test_killed_from_outside_with_its_workers(
    library: Path, model: Path, assay: Path, unbroken: tuple[bytes, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    words = command(library, model, assay, out, "--engine", "local", "--workers", "2")
    process = at_its_second_piece(words, tmp_path, stderr=subprocess.DEVNULL)
    workers = children(process.pid)
    os.kill(workers[0], signal.SIGSTOP)
    process.kill()
    process.wait()
    assert len(workers) == 2 and not out.exists()
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < deadline, "workers outlive the run"
        time.sleep(0.1)
    assert main(command(library, model, assay, out)) == 0
    is_finished(out, unbroken)


def test_a_lost_worker_is_replaced_and_so_is_the_next(
    library: Path, model: Path, assay: Path, unbroken: tuple[bytes, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    words = command(library, model, assay, out, "--engine", "local", "--workers", "1")
    process = at_its_second_piece(words, tmp_path)
    lost: set[int] = set()
    while len(lost) < 3:
        assert process.poll() is None
        for worker in set(children(process.pid)) - lost:
            os.kill(worker, signal.SIGKILL)
            lost.add(worker)
        time.sleep(0.01)
    assert process.wait() == 0
    is_finished(out, unbroken)


@pytest.mark.parametrize("most", [20_000, 400_000], ids=["in the first piece", "in the output"])
def test_a_full_disk(
    library: Path,
    model: Path,
    assay: Path,
    unbroken: tuple[bytes, bytes],
    tmp_path: Path,
    most: int,
) -> None:
    out = tmp_path / "out.csv"
    words = command(library, model, assay, out)
    limited = (
        f"import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({most}, {most})); "
        "from molmeta.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    done = python("-c", limited, *words)
    assert done.returncode == 2, done.stderr
    assert "making room" in done.stderr and "same command" in done.stderr
    assert not out.exists() and not out.with_name("hits.csv").exists()
    assert main(words) == 0
    is_finished(out, unbroken)


def test_two_runs_at_once_do_not_mix(
    library: Path, model: Path, assay: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.csv"
    with FileLock(tmp_path / ".out.csv.parts.lock"):
        assert main(command(library, model, assay, out)) == 2
    assert "another run" in capsys.readouterr().err
    assert not out.exists()


def test_a_damaged_piece_is_made_again(
    library: Path, model: Path, assay: Path, unbroken: tuple[bytes, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    program = KILLED.replace("{moment}", "at(Shards, 'write', 2)")
    python("-c", program, *command(library, model, assay, out))
    piece = tmp_path / ".out.csv.parts" / "shard-0000001.csv"
    content = bytearray(piece.read_bytes())
    content[len(content) // 2] ^= 1
    piece.write_bytes(content)
    assert main(command(library, model, assay, out)) == 0
    is_finished(out, unbroken)


def test_a_library_that_changed_is_not_mixed_with_what_was_done(
    library: Path, model: Path, assay: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed, out = tmp_path / "library.csv", tmp_path / "out.csv"
    content = library.read_bytes()
    changed.write_bytes(content)
    program = KILLED.replace("{moment}", "at(Shards, 'write', 1)")
    python("-c", program, *command(changed, model, assay, out))
    middle = len(content) // 2
    changed.write_bytes(content[:middle] + content[middle:].replace(b"CCCC", b"CCCN", 1))
    assert main(command(changed, model, assay, out)) == 2
    assert "another library" in capsys.readouterr().err


POISON = """
import os, signal, time
try:
    from rdkit import Chem
except ImportError:  # a process of another installation
    pass
else:
    whole = Chem.MolFromSmiles
    def read(text, *args, **kwargs):
        if text == "CCCCCCCCBr":
            os.kill(os.getpid(), signal.SIGSEGV)
        if text == "CCCCCCCCI":
            time.sleep(1000)
        return whole(text, *args, **kwargs)
    Chem.MolFromSmiles = read
"""


def poisoned(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A library in which a molecule kills whoever reads it, and another stalls him."""
    (tmp_path / "poison").mkdir()
    (tmp_path / "poison" / "sitecustomize.py").write_text(POISON)
    smiles = ["C" * (1 + i) for i in range(8)]
    smiles[2], smiles[5] = "CCCCCCCCBr", "CCCCCCCCI"
    pd.DataFrame({"smiles": smiles}).to_csv(tmp_path / "in.csv", index=False)
    return tmp_path / "in.csv", {"PYTHONPATH": str(tmp_path / "poison")}


def is_marked(out: Path, clean: Path) -> None:
    """The two rows are marked, and the others have the scores that they have without them."""
    found = pd.read_csv(out, keep_default_na=False, dtype=str)
    assert found["status"][2] == "crashed" and "SIGSEGV" in found["reason"][2]
    assert found["status"][5] == "stalled" and "no answer" in found["reason"][5]
    rest = found.drop(index=[2, 5])
    expected = pd.read_csv(clean, keep_default_na=False, dtype=str).drop(index=[2, 5])
    assert rest["status"].eq("ok").all()
    assert rest["score"].tolist() == expected["score"].tolist()


def test_a_row_that_kills_and_a_row_that_stalls_are_found_and_marked(
    model: Path, assay: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library, environment = poisoned(tmp_path)
    assert main(screen_command(library, model, assay, tmp_path / "clean.csv")) == 0
    monkeypatch.setenv("PYTHONPATH", environment["PYTHONPATH"])
    words = screen_command(library, model, assay, tmp_path / "out.csv", "--engine", "local")
    assert main([*words, "--stall-seconds", "1"]) == 0
    is_marked(tmp_path / "out.csv", tmp_path / "clean.csv")


@pytest.mark.slow
def test_ray_gives_the_same_goes_on_where_another_was_killed_and_marks_bad_rows(
    library: Path,
    model: Path,
    assay: Path,
    unbroken: tuple[bytes, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("ray", reason='needs pip install "molmeta[ray]"')
    (tmp_path / "killed").mkdir()
    out = tmp_path / "killed" / "out.csv"
    program = KILLED.replace("{moment}", "at(Shards, 'write', 1)")
    python("-c", program, *command(library, model, assay, out))
    manifest = out.with_name(".out.csv.parts") / "manifest.json"
    assert json.loads(manifest.read_text())["shard"] == SHARD
    ray = ("--engine", "ray", "--workers", "1")
    done = python("-m", "molmeta", *command(library, model, assay, out, *ray))
    assert done.returncode == 0, done.stderr
    is_finished(out, unbroken)

    small, environment = poisoned(tmp_path)
    assert main(screen_command(small, model, assay, tmp_path / "clean.csv")) == 0
    monkeypatch.setenv("PYTHONPATH", environment["PYTHONPATH"])
    words = screen_command(small, model, assay, tmp_path / "out.csv", *ray, "--stall-seconds", "1")
    done = python("-m", "molmeta", *words)
    assert done.returncode == 0, done.stderr
    is_marked(tmp_path / "out.csv", tmp_path / "clean.csv")


def at_its_second_piece(words: list[str], folder: Path, **options: Any) -> subprocess.Popen[Any]:
    """A process that has finished a piece of its screen, and goes on."""
    process = subprocess.Popen([sys.executable, "-m", "molmeta", *words], **options)
    while not list(folder.glob(".out.csv.parts/shard-*.csv")):
        assert process.poll() is None
        time.sleep(0.01)
    return process


def children(pid: int) -> list[int]:
    """The processes that a process started."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def test_what_another_run_left_is_not_taken_for_this_one(
    library: Path, model: Path, assay: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, precious = tmp_path / "out.csv", tmp_path / "precious.csv"
    two = tmp_path / "two.csv"
    frame = pd.read_csv(library, keep_default_na=False).assign(other="CCO")
    frame.to_csv(two, index=False)
    program = KILLED.replace("{moment}", "at(Shards, 'write', 1)")
    python("-c", program, *command(two, model, assay, out))
    assert main(command(two, model, assay, out, "--smiles-columns", "other")) == 2
    assert "another smiles column" in capsys.readouterr().err
    precious.write_text("precious")
    assert main(command(two, model, assay, out, "--hits-path", str(precious))) == 2
    assert "precious.csv exists" in capsys.readouterr().err
    assert precious.read_text() == "precious"


def test_an_interrupt_ends_the_workers_at_once(
    library: Path, model: Path, assay: Path, unbroken: tuple[bytes, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    words = command(library, model, assay, out, "--engine", "local", "--workers", "2")
    process = at_its_second_piece(words, tmp_path, stderr=subprocess.PIPE, text=True)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert main(command(library, model, assay, out)) == 0
    is_finished(out, unbroken)

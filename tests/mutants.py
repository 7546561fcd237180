"""A mutation run: the code is broken in one place at a time, and a test of that file must fail.

`make mutants`, or `python tests/mutants.py --room learners --sample 100 --seed 0`. Mutants are
those of cosmic-ray, one a place and kind of change, but for what is no Python and for changes of
annotations and between `==` and `is`. They are made in a copy of the tree, `build/mutants/tree`.
What was found is kept: the same command goes on where it was ended, and a larger sample begins with
the smaller one.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import multiprocessing
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from hashlib import sha256
from itertools import islice
from pathlib import Path

import pytest
from cosmic_ray.commands.init import init
from cosmic_ray.mutating import mutate_code, use_mutation
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkerOutcome, WorkResult
from mutants_tests import ROOMS, tests_of

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build" / "mutants"
TREE = BUILD / "tree"
COPIED = ("molmeta", "tests")
LEFT_OUT = ("build", ".git", ".venv", *COPIED)
HEAVY = ("torch", "rdkit.Chem", "sklearn.ensemble", "pandas", "pyarrow.parquet")  # of each test
FORK = multiprocessing.get_context("fork")
PATIENCE = 300  # seconds, after which a mutant is taken to run forever
EQUAL = ("_Eq_Is", "_Is_Eq", "_NotEq_IsNot", "_IsNot_NotEq", "_Eq_IsNot", "_NotEq_Is")


def copy_tree() -> None:
    """The tree as it is: what is mutated, and its tests, as copies, the rest as links."""
    shutil.rmtree(TREE, ignore_errors=True)
    TREE.mkdir(parents=True)
    for name in COPIED:
        shutil.copytree(ROOT / name, TREE / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in ROOT.iterdir():
        if path.name not in LEFT_OUT:
            (TREE / path.name).symlink_to(path)


def mutants(room: str, seed: int, store: WorkDB) -> list[tuple[str, MutationSpec]]:
    """One mutant of each place and kind of change, in an order that the seed decides."""
    files = sorted(Path("molmeta", room).rglob("*.py"))
    if not store.num_work_items:
        init(files, store, {})
    outside = {path: annotations(path) for path in files}
    drawn: dict[tuple[object, ...], list[tuple[str, MutationSpec]]] = {}
    for item in store.work_items:
        (spec,) = item.mutations
        if spec.operator_name.endswith(EQUAL) or inside(spec, outside[spec.module_path]):
            continue
        kind = spec.operator_name.split("_")[0]
        place = (str(spec.module_path), spec.start_pos, spec.end_pos, kind)
        drawn.setdefault(place, []).append((item.job_id, spec))
    rng = random.Random(seed)
    chosen = [
        rng.choice(sorted(drawn[place], key=lambda one: (one[1].operator_name, one[1].occurrence)))
        for place in sorted(drawn)
    ]
    rng.shuffle(chosen)
    return chosen


def annotations(path: Path) -> list[tuple[int, int, int, int]]:
    """Where the annotations of a file begin and end."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for name in ("annotation", "returns"):
            part = getattr(node, name, None)
            if isinstance(part, ast.expr):
                assert part.end_lineno is not None and part.end_col_offset is not None
                found.append((part.lineno, part.col_offset, part.end_lineno, part.end_col_offset))
    return found


def inside(spec: MutationSpec, spans: list[tuple[int, int, int, int]]) -> bool:
    """Whether a change is within one of some spans."""
    return any((a, b) <= spec.start_pos and spec.end_pos <= (c, d) for a, b, c, d in spans)


def run_tests(words: list[str], log: Path) -> None:
    """What a fork does: the tests of a file, until one fails."""
    os.setsid()
    with log.open("w") as file, redirect_stdout(file), redirect_stderr(file):
        code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", *words])
    os._exit(int(code))


def passes(words: list[str], patience: int = PATIENCE) -> bool:
    """Whether tests pass, within the time that they are given."""
    process = FORK.Process(target=run_tests, args=(words, BUILD / "last.log"))
    process.start()
    assert process.pid is not None
    process.join(patience)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # and what it started
    process.join()
    return process.exitcode == 0


def result_of(spec: MutationSpec) -> WorkResult:
    """Break the code, test, and mend it."""
    operator = get_operator(spec.operator_name)(**spec.operator_args)
    with use_mutation(spec.module_path, operator, spec.occurrence):
        survived = passes(tests_of(spec.module_path))
    outcome = TestOutcome.SURVIVED if survived else TestOutcome.KILLED
    return WorkResult(worker_outcome=WorkerOutcome.NORMAL, test_outcome=outcome)


def check_unbroken(files: set[Path]) -> None:
    """End, if tests of the code as it is fail in the copy; the laws are left to `make test`."""
    words = {word for path in files for word in tests_of(path) if word.endswith(".py")}
    words = sorted(word for word in words if not word.startswith("-"))
    if words and not passes([*words, "-k", "not ray"], patience=10 * PATIENCE):
        sys.exit(f"tests fail before anything is broken: {BUILD / 'last.log'}")


def compiles(spec: MutationSpec) -> bool:
    """Whether a mutant is Python: else nothing is asked of the tests."""
    try:
        ast.parse(mutated(spec))
    except SyntaxError:
        return False
    return True


def mutated(spec: MutationSpec) -> str:
    """The file with the change."""
    code = spec.module_path.read_text(encoding="utf-8")
    operator = get_operator(spec.operator_name)(**spec.operator_args)
    return mutate_code(code, operator, spec.occurrence) or code


def shown(spec: MutationSpec) -> Iterator[str]:
    """Lines that say what was changed."""
    before, after = spec.module_path.read_text(encoding="utf-8"), mutated(spec)
    yield f"{spec.module_path}:{spec.start_pos[0]} in {spec.definition_name}, {spec.operator_name}"
    for old, new in zip(before.splitlines(), after.splitlines(), strict=False):
        if old != new:
            yield f"    - {old.strip()}"
            yield f"    + {new.strip()}"
            return


def digest(room: str) -> str:
    """Of the code of a room: results are of it alone."""
    files = sorted((ROOT / "molmeta" / room).rglob("*.py"))
    return sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


def mutate(room: str, sample: int, seed: int, minutes: float, *, again: bool) -> None:
    """Test a sample of the mutants of a room; prints who survived."""
    ends = time.monotonic() + 60 * minutes
    with use_db(str(BUILD / f"{room}-{digest(room)}.sqlite"), WorkDB.Mode.create) as store:
        everyone = mutants(room, seed, store)
        some = list(islice((one for one in everyone if compiles(one[1])), sample or None))
        known = {job: found.test_outcome for job, found in store.results}
        left = {TestOutcome.SURVIVED} if again else set()
        waiting = [one for one in some if known.get(one[0]) in {None, *left}]
        check_unbroken({spec.module_path for _, spec in waiting})
        for job, spec in waiting:
            if time.monotonic() > ends:
                break
            store.set_result(job, result_of(spec))
            print(".", end="", flush=True)
        known = {job: found.test_outcome for job, found in store.results}
    tested = [(job, spec) for job, spec in some if job in known]
    survivors = [spec for job, spec in tested if known[job] == TestOutcome.SURVIVED]
    print(f"\n{room}: {len(everyone)} places, {len(tested)} mutants tested (seed {seed})")
    print(f"{len(survivors)} survived, {len(survivors) / max(1, len(tested)):.1%}")
    for spec in survivors:
        print("\n".join(shown(spec)))


def main() -> None:
    """Mutants of one room, or of all."""
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--room", choices=ROOMS, action="append", help="all, if it is not given")
    words.add_argument("--sample", type=int, default=0, help="mutants of a room; 0: all")
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--minutes", type=float, default=float("inf"), help="of a room, at most")
    words.add_argument("--again", action="store_true", help="test those that survived once more")
    given = words.parse_args()
    copy_tree()
    os.chdir(TREE)
    sys.path.insert(0, str(TREE))
    os.environ["PYTHONPATH"] = str(TREE)
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    for name in HEAVY:
        importlib.import_module(name)
    for room in given.room or ROOMS:
        mutate(room, given.sample, given.seed, given.minutes, again=given.again)


if __name__ == "__main__":
    main()

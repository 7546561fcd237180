"""A soak: screens under attack for as long as is asked, each compared with an undisturbed one.

`make soak`, or `python tests/soak.py --minutes 60 --seed 0`. A trial draws a library, a format, and
some attacks from the seed and its number: runs that are killed, workers that are killed, several
runs on one output, flipped bits in what is kept and in what is read. After each run, and at the
end, what stands at the output is nothing or, byte for byte, what an undisturbed run wrote.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.context import ForkProcess
from pathlib import Path

import numpy as np
from soak_libraries import FORMATS, write_library

from molmeta import registry
from molmeta.cli.main import main as molmeta
from molmeta.datasets import load_embedded
from molmeta.models import Experiment, from_pretrained, save_assay, save_pretrained, untrained
from molmeta.screening import screen as screen_library

# what runs need is imported once: they are forks of this process
PRELOADED = (
    *(from_pretrained, screen_library),
    *(registry.lookup("learner", "prototypical"), registry.lookup("encoder", "gin")),
    registry.lookup("featurizer", "graph"),
)
FORK = multiprocessing.get_context("fork")
EXPERIMENT = {
    "name": "soak",
    "model": {
        "learner": {"name": "prototypical"},
        "encoder": {"name": "gin", "width": 8, "layers": 1},
        "target": {"kind": "classification", "n_way": 2},
    },
}
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
STOPPED = (0, 2, 130, *(-one for one in SIGNALS))  # how a run may end that was sent a signal
LARGEST_FILE = 1 << 28  # bytes, of any file of a run
PATIENCE = 300  # seconds for one run, and for its workers to go
WRONG_AT_MOST = 3  # trials, after which the soak ends


class Lost(Exception):
    """Something was lost, or was not told as it should be."""


def in_fork(function: Callable[..., object], *arguments: object) -> None:
    """Call a function in a process of its own."""
    process = FORK.Process(target=function, args=arguments)
    process.start()
    process.join()
    if process.exitcode != 0:
        raise RuntimeError(f"{function.__name__} ended with {process.exitcode}")


def prepare(folder: Path) -> None:
    """A model and an assay that are scored fast."""
    base = untrained(Experiment.from_dict(EXPERIMENT))
    base = save_pretrained(base.learner, base.experiment, folder / "model")
    assay = load_embedded()["CHEMBL4203_Ki"].take(np.arange(32)).binarise()
    save_assay(base.adapt(assay), folder / "assay.safetensors")


def screen(words: list[str], log: Path) -> None:
    """What a run does: `molmeta screen`, in a group of processes of its own."""
    os.setsid()
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
    with log.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.exit(molmeta(words))


@dataclass
class Run:
    """A screen that was started."""

    process: ForkProcess
    log: Path
    sent: signal.Signals | None = None

    def kill(self, by: signal.Signals, *, all_of_it: bool) -> None:
        """Send a signal to the process, or to its workers as well; it may be gone already."""
        if self.process.is_alive():
            self.sent = by
            (os.killpg if all_of_it else os.kill)(self.pid, by)

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    @property
    def code(self) -> int | None:
        return self.process.exitcode

    def wait(self) -> None:
        """Wait for the end of the process, and of its workers."""
        self.process.join(PATIENCE)
        deadline = time.monotonic() + PATIENCE
        while group(self.pid):
            if time.monotonic() > deadline:
                os.killpg(self.pid, signal.SIGKILL)
                raise Lost(f"a run or a worker of it did not end: {self.said()}")
            time.sleep(0.05)
        self.process.join()

    def said(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""


def group(leader: int) -> list[int]:
    """The living processes of a group."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(of) == leader and state != "Z":
            found.append(int(stat.parent.name))
    return found


@dataclass
class Trial:
    """One library, its undisturbed output, and what is done to the runs on it."""

    rng: np.random.Generator
    folder: Path
    tried: Counter[str]
    flipped: bool = False
    runs: list[Run] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.format = str(self.rng.choice(FORMATS))
        self.library = self.folder / f"library{self.format}"
        in_fork(write_library, self.library, int(self.rng.integers(2**32)))
        name = "out" + str(self.rng.choice([".csv", ".csv", ".parquet"]))
        self.out = self.folder / "out" / name
        clean = self.folder / "clean" / name
        for path in (self.out, clean):
            path.parent.mkdir()
        before = time.monotonic()
        self.start("here", clean).wait()
        self.seconds = time.monotonic() - before
        if self.runs[-1].code != 0:
            raise Lost(f"an undisturbed run ended with {self.runs[-1].code}")
        self.clean = contents(clean.parent)

    def start(self, engine: str, out: Path | None = None) -> Run:
        """Begin a screen."""
        out, log = out or self.out, self.folder / f"run-{len(self.runs)}.log"
        words = [
            *("screen", "--test-path", str(self.library), "--preds-path", str(out)),
            *("--model-path", str(self.folder / "model"), "--device", "cpu"),
            *("--assay-path", str(self.folder / "assay.safetensors"), "--top", "5"),
            *("--hits-path", str(out.with_name("hits.csv"))),
            *("--engine", engine, "--workers", "2" if engine == "local" else "1"),
        ]
        process = FORK.Process(target=screen, args=(words, log))
        process.start()
        self.runs.append(Run(process, log))
        self.tried[f"run: {self.format}, {engine}"] += 1
        return self.runs[-1]

    def engine(self) -> str:
        return str(self.rng.choice(["here", "local"]))

    def doze(self) -> None:
        """Wait for up to somewhat more than a whole run takes."""
        time.sleep(self.rng.uniform(0, 1.2 * self.seconds))

    def check(self, run: Run) -> None:
        """Wait for the end of a run; what it left is whole, and what it said is one line."""
        run.wait()
        found = contents(self.out.parent)
        for name, content in self.clean.items():
            if found.get(name, content) != content:
                raise Lost(f"{name} has other bytes than that of an undisturbed run")
        if run.sent is not None:
            if run.code not in STOPPED:
                raise Lost(f"a run that was sent {run.sent.name} ended with {run.code}")
            return
        said = run.said()
        if run.code not in (0, 2) or "Traceback" in said:
            raise Lost(f"a run ended with {run.code}: {said}")
        if run.code == 0 and found.keys() < self.clean.keys():
            raise Lost("a run ended well without its output")
        if run.code == 2 and said.count("molmeta: error:") != 1:
            raise Lost(f"a run was refused in other words than one line: {said}")

    def begin_anew_if_whole(self) -> None:
        """Remove an output that a run has finished, so that there is something to attack."""
        if contents(self.out.parent) == self.clean:
            self.clear()

    def clear(self) -> None:
        for path in self.out.parent.iterdir():
            (shutil.rmtree if path.is_dir() else Path.unlink)(path)

    def kill(self) -> None:
        """Send a run a signal at a random moment."""
        run, by = self.start(self.engine()), SIGNALS[self.rng.integers(len(SIGNALS))]
        self.doze()
        run.kill(by, all_of_it=bool(self.rng.integers(2)))
        self.tried[f"killed: {run.sent.name if run.sent else 'too late'}"] += 1
        self.check(run)

    def kill_worker(self) -> None:
        """Kill a worker of a run, which goes on."""
        run = self.start("local")
        self.doze()
        workers = [pid for pid in group(run.pid) if pid != run.pid]
        if workers:
            os.kill(int(self.rng.choice(workers)), signal.SIGKILL)
            self.tried["killed: a worker"] += 1
        self.check(run)

    def together(self) -> None:
        """Several runs on one output, one of which may be killed."""
        runs = []
        for _ in range(self.rng.integers(2, 4)):
            runs.append(self.start(self.engine()))
            time.sleep(self.rng.uniform(0, 0.3))
        if self.rng.integers(2):
            self.doze()
            runs[self.rng.integers(len(runs))].kill(signal.SIGKILL, all_of_it=False)
        self.tried["several runs on one output"] += 1
        for run in runs:
            self.check(run)

    def flip_kept(self) -> None:
        """Kill a run that has kept a piece, and flip a bit of what is kept, whatever kind of it."""
        run = self.start(self.engine())
        while run.process.is_alive() and not self.kept("shard-*.csv"):
            time.sleep(0.01)
        run.kill(signal.SIGKILL, all_of_it=False)
        self.tried["killed: with a piece kept"] += 1
        self.check(run)
        kinds: dict[str, list[Path]] = {}
        for path in self.kept("*"):
            kinds.setdefault(kind_of(path), []).append(path)
        if kinds:
            self.flipped = True
            kind = sorted(kinds)[self.rng.integers(len(kinds))]
            path = kinds[kind][self.rng.integers(len(kinds[kind]))]
            self.tried[f"bit flipped: parts, {kind}"] += flip(self.rng, path)

    def kept(self, pattern: str) -> list[Path]:
        """What a run keeps beside its output."""
        found = [*self.out.parent.glob(f".out*/**/{pattern}"), *self.out.parent.glob(".*.done")]
        return sorted(path for path in found if path.is_file())

    def flip_input(self) -> None:
        """Flip a bit of the model or the assay, for one run."""
        files = [*sorted((self.folder / "model").iterdir()), self.folder / "assay.safetensors"]
        path = files[self.rng.integers(len(files))]
        content = path.read_bytes()
        self.tried[f"bit flipped: input, {kind_of(path)}"] += flip(self.rng, path)
        self.check(self.start(self.engine()))
        path.write_bytes(content)

    def finish(self) -> None:
        """The same command, undisturbed: all is there, and nothing else."""
        for remedy in (False, True):
            if remedy:  # what was flipped may be refused; the user throws it away
                self.tried["refused in one line, begun anew"] += 1
                self.clear()
            if contents(self.out.parent) == self.clean:
                return
            run = self.start(self.engine())
            self.check(run)
            if run.code == 0:
                break
            if not self.flipped:
                raise Lost(f"the same command did not finish: {run.said()}")
        if contents(self.out.parent) != self.clean:
            raise Lost(f"left: {sorted(contents(self.out.parent))}")


ATTACKS = (
    *(Trial.kill, Trial.kill, Trial.kill_worker, Trial.together),
    *(Trial.flip_kept, Trial.flip_kept, Trial.flip_input),
)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file and folder, by its name."""
    return {
        path.name: path.read_bytes() if path.is_file() else b"" for path in sorted(folder.iterdir())
    }


def kind_of(path: Path) -> str:
    """A name for files that are alike."""
    return "shard" if path.name.startswith("shard-") else path.name.lstrip(".")


def flip(rng: np.random.Generator, path: Path) -> int:
    """Flip one bit of a file; 1 if it has any."""
    content = bytearray(path.read_bytes())
    if content:
        content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
        path.write_bytes(content)
    return min(1, len(content))


def attack(seed: int, number: int, shared: Path, folder: Path, tried: Counter[str]) -> None:
    """One trial: some attacks, and the end."""
    rng = np.random.default_rng([seed, number])
    shutil.copytree(shared, folder, dirs_exist_ok=True)
    trial = Trial(rng, folder, tried)
    tried["libraries"] += 1
    for _ in range(rng.integers(1, 6)):
        trial.begin_anew_if_whole()
        ATTACKS[rng.integers(len(ATTACKS))](trial)
    trial.finish()


def soak(minutes: float, seed: int, first: int) -> list[str]:
    """Try until the time is over; prints what was tried, and gives what was lost."""
    ends, tried, lost = time.monotonic() + 60 * minutes, Counter(), []
    with tempfile.TemporaryDirectory(prefix="soak-") as place:
        shared, number = Path(place, "shared"), first
        shared.mkdir()
        in_fork(prepare, shared)
        while time.monotonic() < ends and len(lost) < WRONG_AT_MOST:
            folder = Path(place, f"trial-{number}")
            try:
                attack(seed, number, shared, folder, tried)
            except Lost as error:
                kept = Path(tempfile.mkdtemp(prefix="soak-lost-"))
                shutil.copytree(folder, kept, dirs_exist_ok=True)
                lost.append(f"trial {number}: {error} ({kept})")
                print(lost[-1], flush=True)
            shutil.rmtree(folder)
            number += 1
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"seed {seed}, trials {first} to {number - 1}, at most {peak:.0f} MiB a process")
    for what, times in sorted(tried.items()):
        print(f"{times:6d}  {what}")
    return lost


def main() -> int:
    """Returns 1, if anything was lost."""
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--minutes", type=float, default=60)
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--first", type=int, default=0, help="the trial to begin with")
    given = words.parse_args()
    lost = soak(given.minutes, given.seed, given.first)
    print("lost:", "; ".join(lost) or "nothing")
    return int(bool(lost))


if __name__ == "__main__":
    sys.exit(main())

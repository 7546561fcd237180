"""The installation, checked: what is there, what clashes, which device, and a self-test.

Only the standard library is needed to start. What may crash is imported in a process of its own.
"""

from __future__ import annotations

import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from molmeta.workbench.requirements import Need, installed, needs, release

PATIENCE = 120  # seconds that an import or the self-test may take, on a busy machine
NEIGHBOURS = (  # compiled for one torch; molmeta needs none of them
    *("torchvision", "pyg-lib", "torch-scatter", "torch-sparse", "torch-cluster"),
    "torch-spline-conv",
)
COMPUTE = """
import torch
from molmeta.device import resolve
print(resolve(), torch.version.cuda, torch.get_num_threads())
"""
RDKIT = """
import numpy
from rdkit import Chem, DataStructs
bits = Chem.RDKFingerprint(Chem.MolFromSmiles("CCO"))
DataStructs.ConvertToNumpyArray(bits, numpy.zeros(0, numpy.int8))
"""
ERROR = re.compile(r"^[\w.]*(?:Error|Exception)\b.*", re.MULTILINE)


@dataclass(frozen=True)
class Finding:
    """What was looked at and found; of a problem also why it matters, and the fix."""

    name: str
    text: str
    matters: str = ""
    fix: str = ""

    def __str__(self) -> str:
        line = f"{self.name:<22}{self.text}"
        return f"{line}\n  PROBLEM: {self.matters}\n  DO: {self.fix}" if self.fix else line


class Outcome(NamedTuple):
    """What a process printed, and why it failed; no error if it did not."""

    printed: str
    error: str


def examine(*, self_test: bool = True, say: Callable[[str], None] = print) -> list[Finding]:
    """Look at everything, say each finding as it comes, and return the problems."""
    checks = [machine, packages, compute, cache, rdkit_copies, rdkit_import, beside_torch]
    if self_test:
        checks.append(tested)
    problems = []
    for finding in chain.from_iterable(check() for check in checks):
        say(str(finding))
        if finding.fix:
            problems.append(finding)
    return problems


def summary(problems: list[Finding]) -> str:
    """How many problems there are, and which."""
    if not problems:
        return "no problem found"
    plural = "s" if len(problems) > 1 else ""
    return f"{len(problems)} problem{plural} found: {', '.join(one.name for one in problems)}"


def machine() -> Iterator[Finding]:
    """Python and the platform."""
    where = f"({sys.executable}) on {platform.platform()}"
    yield Finding("Python", f"{platform.python_version()} {where}")


def packages() -> Iterator[Finding]:
    """Molmeta and its dependencies: versions, what is missing, what is too old."""
    folder = Path(__file__).parents[1]
    if version := installed("molmeta"):
        yield Finding("molmeta", f"{version} ({folder})")
    else:
        why, fix = "nothing says which packages it needs", f"pip install -e {folder.parent}"
        yield Finding("molmeta", f"{folder} is not installed", why, fix)
    yield from map(package, needs())


def package(need: Need) -> Finding:
    """One dependency."""
    version = installed(need.name)
    if version is None and need.extra:
        return Finding(need.name, f'not installed (pip install "molmeta[{need.extra}]")')
    if version is None:
        return Finding(need.name, "not installed", "molmeta needs it", f"pip install {need}")
    if release(version) < release(need.least):
        why = f"molmeta needs {need.least} or later"
        return Finding(need.name, version, why, f"pip install --upgrade {need}")
    return Finding(need.name, f"{version} [{need.extra}]" if need.extra else version)


def apart(code: str, seconds: float = PATIENCE) -> Outcome:
    """Run code in a process of its own, which imports from the same folders as this one."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONSAFEPATH": "1"}
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, env=env, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as late:
        printed = (late.stdout or b"").decode(errors="replace")
        return Outcome(printed, f"it did not end within {seconds:g} s")
    error = failure(done.returncode, done.stderr.decode(errors="replace"))
    return Outcome(done.stdout.decode(errors="replace").strip(), error)


def failure(code: int, stderr: str) -> str:
    """Why a process failed, in a line; empty if it did not."""
    if code == 0:
        return ""
    lines = ERROR.findall(stderr) or stderr.strip().splitlines()
    said = lines[-1] if lines else "nothing was said"
    return f"{signal.Signals(-code).name}, {said}" if code < 0 else said


def compute() -> Iterator[Finding]:
    """The device that `auto` is, and the threads."""
    outcome = apart(COMPUTE)
    if "ConfigError" in outcome.error:
        why = "device 'auto' is a GPU that cannot be used"
        yield Finding("device", outcome.error, why, "give --device cpu, or mend the GPU's driver")
    elif outcome.error:
        why = "nothing can be computed without torch"
        fix = f"pip install --force-reinstall {torch_as_it_is()}"
        yield Finding("device", f"torch fails: {outcome.error}", why, fix)
    else:
        device, cuda, threads = outcome.printed.split()[-3:]
        built = "without CUDA" if cuda == "None" else f"for CUDA {cuda}"
        yield Finding("device", f"{device} (what 'auto' is; torch is built {built})")
        omp = os.environ.get("OMP_NUM_THREADS", "not set")
        yield Finding("threads", f"{threads} (OMP_NUM_THREADS {omp}) on {os.cpu_count()} CPUs")


def cache() -> Iterator[Finding]:
    """The folder of downloads, and whether something may be downloaded."""
    try:
        from molmeta.files import CACHE, OFFLINE, cache_folder, offline
    except ImportError:  # filelock, which is reported as missing
        return
    folder = cache_folder()
    try:
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        with tempfile.TemporaryFile(dir=there):  # the folder itself is not made
            pass
        yield Finding("cache", f"{folder} (writable)")
    except OSError as error:
        why = "data sets that are downloaded cannot be kept"
        fix = f"export {CACHE}=FOLDER, with a folder that you may write to"
        yield Finding("cache", f"{folder} ({error.strerror})", why, fix)
    meaning = "nothing is downloaded" if offline() else "downloads are allowed"
    yield Finding(OFFLINE, f"{os.environ.get(OFFLINE) or 'not set'} ({meaning})")


def reinstall(*names: str) -> str:
    """The command that installs required packages anew."""
    wanted = {need.name: str(need) for need in needs()}
    listed = " ".join(wanted.get(name, name) for name in names)
    return f"pip install --force-reinstall --no-deps {listed}"


def torch_as_it_is() -> str:
    """What pip is told so that it takes the torch that is installed."""
    version = installed("torch")
    return f'"torch=={version}"' if version else "torch"


def rdkit_copies() -> Iterator[Finding]:
    """Two distributions or two folders of rdkit."""
    why = "their files mix, and which one is imported depends on the order of folders"
    if old := installed("rdkit-pypi"):
        text = f"rdkit-pypi {old}, the old name of rdkit, is installed as well"
        fix = f"pip uninstall -y rdkit-pypi && {reinstall('rdkit')}"
        yield Finding("rdkit-pypi", text, why, fix)
    here = [Path(entry, "rdkit").resolve() for entry in sys.path]
    folders = list(dict.fromkeys(path for path in here if (path / "__init__.py").is_file()))
    if len(folders) > 1:
        text = f"{', '.join(map(str, folders))}; the first is imported"
        fix = f"take one off PYTHONPATH, or delete it; then {reinstall('rdkit')}"
        yield Finding("rdkit folders", text, why, fix)


def rdkit_import() -> Iterator[Finding]:
    """Whether rdkit can be imported and hands arrays to this numpy."""
    error = apart(RDKIT).error
    if error:
        text = f"fails with numpy {installed('numpy')}: {error}"
        why = "no fingerprint can be computed; most often rdkit was built for another numpy"
        yield Finding("rdkit with numpy", text, why, reinstall("numpy", "rdkit"))
    else:
        yield Finding("rdkit with numpy", "works")


def beside_torch() -> Iterator[Finding]:
    """Packages that are compiled for one torch, and fail beside another."""
    for name in NEIGHBOURS:
        if version := installed(name):
            module = name.replace("-", "_")
            outcome = apart(f"import torch; print('torch', flush=True); import {module}")
            if outcome.error and outcome.printed:  # torch itself was imported
                yield misfit(name, version, outcome.error)
            else:
                yield Finding(name, version)


def misfit(name: str, version: str, error: str) -> Finding:
    """A package that was compiled for another torch."""
    text = f"{version} fails beside torch {installed('torch')}: {error}"
    fix = f"pip uninstall -y {name}"
    if name == "torchvision":
        why = "transformers imports it where it is installed, and fails, and deepchem with it"
        fix += f" (if you need it: pip install torchvision {torch_as_it_is()}, both from one index)"
    else:
        why = "torch-geometric imports it where it is installed, and warns or crashes"
    return Finding(name, text, why, fix)


def tested() -> Iterator[Finding]:
    """The self-test, in a process of its own."""
    start = time.monotonic()
    outcome = apart("from molmeta.workbench.self_test import self_test; print(self_test())")
    if outcome.error:
        why = "molmeta does not work here"
        fix = "solve the other problems first; if there is none, report this output"
        yield Finding("self-test", outcome.error, why, fix)
    else:
        seconds = time.monotonic() - start
        yield Finding("self-test", f"passed in {seconds:.0f} s: {outcome.printed}")

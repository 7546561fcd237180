"""`molmeta doctor` on this installation, and on fake ones that are ill."""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.version import Version
from product_commands import python

from molmeta.errors import MolmetaError
from molmeta.models.base import AdaptedAssay
from molmeta.workbench import doctor
from molmeta.workbench.doctor import Finding
from molmeta.workbench.requirements import REQUIREMENT, Need, needs, release
from molmeta.workbench.self_test import self_test

NO_NETWORK = """
import socket
def refuse(*_, **__):
    raise OSError("the network was asked")
socket.socket.connect = socket.getaddrinfo = refuse
"""


def distribution(folder: Path, name: str, version: str, code: str = "") -> None:
    """A fake distribution, and the package that it would install."""
    package = name.replace("-", "_")
    described = folder / f"{package}-{version}.dist-info" / "METADATA"
    described.parent.mkdir()
    described.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    if code:
        module(folder, package, code)


def module(folder: Path, name: str, code: str) -> None:
    """A fake package that runs `code` when it is imported."""
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(code)


def first_on_path(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let processes that are started import from a folder first."""
    rest = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *([rest] if rest else [])]))


def only(findings: list[Finding]) -> Finding:
    """The one problem."""
    (problem,) = [one for one in findings if one.fix]
    return problem


@pytest.mark.slow
def test_this_installation_is_well_without_network(tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(NO_NETWORK)
    first_on_path(monkeypatch, tmp_path)
    monkeypatch.setenv("MOLMETA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MOLMETA_OFFLINE", "1")
    assert "was asked" in python("-c", "import socket; socket.getaddrinfo('a', 1)").stderr

    done = python("-m", "molmeta", "doctor")
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr, lines[-1]) == (0, "", "no problem found"), done.stdout
    said = {line.split()[0]: line for line in lines}
    for name in ("torch", "rdkit", "numpy", "torch-geometric", "scikit-learn"):
        assert [name, metadata.version(name)] in [line.split()[:2] for line in lines]
    assert "passed" in said["self-test"] and "ROC-AUC 0." in said["self-test"]
    assert "OMP_NUM_THREADS 1" in said["threads"]
    assert "writable" in said["cache"] and not (tmp_path / "cache").exists()
    assert "nothing is downloaded" in said["MOLMETA_OFFLINE"]


def test_clashes_are_found_with_what_to_do(tmp_path, monkeypatch):
    distribution(tmp_path, "rdkit-pypi", "2022.9.5")
    fails = "raise RuntimeError('operator torchvision::nms does not exist')"
    distribution(tmp_path, "torchvision", "0.1", fails)
    first_on_path(monkeypatch, tmp_path)

    done = python("-m", "molmeta", "doctor", "--no-self-test")
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "2 problems found: rdkit-pypi, torchvision"
    assert "rdkit-pypi 2022.9.5" in done.stdout
    assert "DO: pip uninstall -y rdkit-pypi && pip install --force-reinstall" in done.stdout
    assert "RuntimeError: operator torchvision::nms does not exist" in done.stdout
    assert "DO: pip uninstall -y torchvision" in done.stdout
    assert f'"torch=={metadata.version("torch")}"' in done.stdout
    assert "self-test" not in done.stdout and not done.stderr


def test_a_second_rdkit_that_fails(tmp_path, monkeypatch):
    module(tmp_path, "rdkit", "raise ImportError('numpy.core.multiarray failed to import')")
    monkeypatch.syspath_prepend(tmp_path)
    twice = only(list(doctor.rdkit_copies()))
    assert str(tmp_path / "rdkit") in twice.text and "take one off PYTHONPATH" in twice.fix
    failing = only(list(doctor.rdkit_import()))
    assert metadata.version("numpy") in failing.text and "multiarray" in failing.text
    assert '"numpy>=' in failing.fix and '"rdkit>=' in failing.fix
    assert "multiarray" in only(list(doctor.tested())).text


def test_an_extension_that_crashes_is_survived(tmp_path, monkeypatch):
    distribution(tmp_path, "torch-scatter", "2.1", "import os; os.abort()")
    monkeypatch.syspath_prepend(tmp_path)
    problem = only([one for one in doctor.beside_torch() if one.name == "torch-scatter"])
    assert "SIGABRT" in problem.text and problem.fix == "pip uninstall -y torch-scatter"


def test_a_broken_torch_is_the_only_problem_of_its_neighbours(tmp_path, monkeypatch):
    module(tmp_path, "torch", "raise OSError('libc10.so: cannot open shared object file')")
    distribution(tmp_path, "torch-sparse", "0.6", "import torch")
    monkeypatch.syspath_prepend(tmp_path)
    assert "libc10.so" in only([*doctor.compute(), *doctor.beside_torch()]).text


def test_old_and_missing_packages(tmp_path, monkeypatch):
    distribution(tmp_path, "tqdm", "4.1")
    distribution(tmp_path, "pyarrow", "14.0.2")
    monkeypatch.syspath_prepend(tmp_path)
    problems = {one.name: one for one in doctor.packages() if one.fix}
    assert set(problems) == {"tqdm", "pyarrow"}
    assert problems["tqdm"].fix.startswith('pip install --upgrade "tqdm>=')
    missing = doctor.package(Need("no-such-package", "1.2", ""))
    assert missing.fix == 'pip install "no-such-package>=1.2"'
    optional = doctor.package(Need("no-such-package", "1.2", "text"))
    assert optional.text == 'not installed (pip install "molmeta[text]")' and not optional.fix


def test_a_package_is_of_its_smallest_extra():
    extras = {need.name: need.extra for need in needs()}
    assert extras["torch"] == "" and extras["pyarrow"] == "parquet" and extras["ruff"] == "dev"


def test_every_requirement_is_read_as_packaging_reads_it():
    texts = metadata.requires("molmeta") or []
    for text, oracle in zip(texts, map(Requirement, texts), strict=True):
        found = REQUIREMENT.fullmatch(text)
        assert found, text
        assert found["name"] == oracle.name
        assert f">={found['least']}" == str(oracle.specifier)
        assert found["extra"] is None or oracle.marker.evaluate({"extra": found["extra"]})


def test_releases_are_ordered_as_packaging_orders_them():
    versions = ["1.9", "1.10", "2", "2.0.0", "2.6.0", "2.13.0", "2022.9.5", "2024.09.1", "10.0.1"]
    for a in versions:
        for b in versions:
            assert (release(a) < release(b)) == (Version(a) < Version(b)), (a, b)
    assert release("2.6.0+cpu") == release("2.6")


def test_a_cache_that_cannot_be_written(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv("MOLMETA_CACHE", str(file / "cache"))
    assert "MOLMETA_CACHE" in only(list(doctor.cache())).fix


def test_a_process_that_hangs_is_ended():
    assert "did not end" in doctor.apart("import time; time.sleep(100)", 0.5).error


@pytest.mark.parametrize(("broken", "message"), [(np.nan, "finite"), (-1.0, "ROC-AUC 0.0")])
def test_a_model_that_ranks_badly_fails_the_self_test(monkeypatch, broken, message):
    predict = AdaptedAssay.predict
    monkeypatch.setattr(AdaptedAssay, "predict", lambda *args: broken * predict(*args))
    with pytest.raises(MolmetaError, match=message):
        self_test()

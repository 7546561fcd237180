"""Which tests a mutant of a file must fail: few, and those that are about it."""

from __future__ import annotations

from pathlib import Path

ROOMS = ("learners", "screening", "models")
DEFAULTS = "tests/product/models/test_defaults.py"
LAWS = "tests/laws/learners"
SLOW_LAW = f"--ignore={LAWS}/test_learns.py"
ON = "(vectors or counts or prior)"  # encoders that the laws are tried on
ORACLES = {  # of learners whose oracles do not have their name
    "base": "learners/test_prototypical learners/test_maml_gradient",
    "deep_kernel": "learners/test_gaussian_process learners/test_unit_length",
    "descent": "learners/test_descent learners/test_maml_gradient learners/test_reptile "
    "baselines/test_fine_tuning",
    "distance": "learners/test_prototypical learners/test_matching",
    "functional": "baselines/test_baselines learners/test_prototypical",
    "gaussian_process": "learners/test_gaussian_process learners/test_censored",
    "gradient_based": "learners/test_step_sizes learners/test_maml_gradient learners/test_reptile",
    "head": "learners/test_unit_length learners/test_maml_gradient",
    "imitation": "training/test_imitation",
    "kernels": "learners/test_kernels learners/test_gaussian_process",
    "maml": "learners/test_maml_gradient learners/test_step_sizes learners/test_first_order",
    "multi_task": "training/test_molecule_batches baselines/test_fine_tuning",
    "quadratic_probe": "baselines/test_fine_tuning learners/test_unit_length",
    "released_maml": "reproduce/test_nguyen2020 encoders/test_ggnn",
    "reptile": "learners/test_reptile learners/test_step_sizes",
}
CASES = {  # of the laws, where they do not have the learner's name
    "base": "prototypical or maml or siamese",
    "censored": "gaussian_process",
    "descent": "maml or reptile",
    "distance": "prototypical or matching or mahalanobis",
    "functional": "prototypical or gaussian_process",
    "gradient_based": "maml or reptile",
    "gaussian_process": "gaussian_process or prior_mean",
    "head": "anil or maml",
    "imitation": "prototypical",
    "kernels": "gaussian_process or deep_kernel",
    "maml": "maml or anil",
    "multi_task": "fine_tune",
    "prototypical": "prototypical or mahalanobis or kl",
    "released_maml": "nguyen2020",
}
SCREENING = {  # of the libraries' files, by how their names begin; the last is of the others
    "parquet": "test_parquet_libraries test_hostile_parquet",
    "thrift": "test_parquet_libraries test_hostile_parquet",
    "libraries": "test_libraries test_library_formats test_fuzzed_libraries",
    "": "test_screening test_screening_alone test_screening_ends",
}
MODELS = "test_pretrained test_zoo test_forged_files"


def tests_of(path: Path) -> list[str]:
    """Arguments of pytest for a file of `molmeta/`."""
    room, stem = path.parts[1], path.stem
    if room == "learners":
        laws = [LAWS, SLOW_LAW, "-k", f"oracles or product or ({CASES.get(stem, stem)}) and {ON}"]
        return [DEFAULTS, *files("tests/oracles", ORACLES.get(stem) or oracles_named(stem)), *laws]
    if room == "models":
        screens = files("tests/product/screening", "test_screening") if stem == "base" else []
        return [*files("tests/product/models", MODELS), *screens]
    about = f"{stem} {path.parent.name}"
    names = next(names for kind, names in SCREENING.items() if kind in about)
    return [*files("tests/product/screening", names), "-k", "not ray"]


def files(folder: str, names: str) -> list[str]:
    """Test files by their names, which stand between spaces."""
    return [f"{folder}/{name}.py" for name in names.split()]


def oracles_named(stem: str) -> str:
    """The oracles of a learner that begin with its name."""
    found = sorted(Path("tests/oracles/learners").glob(f"test_{stem}*.py"))
    return " ".join(f"learners/{path.stem}" for path in found)

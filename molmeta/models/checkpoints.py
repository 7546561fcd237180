"""Models and adapted assays on disk: safetensors and JSON, nothing that runs code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save as save_tensors
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from molmeta.errors import CheckpointError, DataError
from molmeta.files import json_sha256, parse_json, read_json, write_atomic
from molmeta.learners import Learner
from molmeta.models.base import AdaptedAssay, BaseModel
from molmeta.models.config import Experiment, experiment_names, load_experiment
from molmeta.models.tensor_files import (
    are_numbers,
    checked_tensors,
    read_safetensors,
    tensors_sha256,
    write_tensors,
)
from molmeta.models.trust import Trusted
from molmeta.molecules import Molecules
from molmeta.schema import check_values
from molmeta.tasks import target_from_dict, target_to_dict

ASSAY_FORMAT = "molmeta assay 1"
SAID = {"target": dict[str, Any], "counts": dict[str, int], "info": dict[str, str]}
PROBES = ("CCO", "c1ccccc1", "CC(=O)N")  # molecules that any model can score
MORE = 10_000_000  # weights than a file has, before shapes are compared
LEAST = 1000  # that one of them counts for, as a module takes memory too
DEFAULT = "default"  # the model that is shipped
PRETRAINED = Path(__file__).parents[1] / "pretrained"


def save_pretrained(learner: Learner, experiment: Experiment, folder: str | Path) -> BaseModel:
    """Write `model.safetensors` and `config.json` (with the sha256 of both) into a folder."""
    folder = Path(folder)
    weights = {name: t.detach().cpu().contiguous() for name, t in learner.state_dict().items()}
    digest = tensors_sha256(weights)
    spec = experiment.to_dict()
    config = {"experiment": spec, "experiment_sha256": json_sha256(spec), "sha256": digest}
    write_atomic(folder / "model.safetensors", save_tensors(weights))
    write_atomic(folder / "config.json", (json.dumps(config, indent=2) + "\n").encode())
    return BaseModel(learner.eval(), experiment, digest)


def from_pretrained(path: str | Path = DEFAULT, device: torch.device | str = "cpu") -> BaseModel:
    """Load a model folder, by default the one that is shipped; or build a baseline by name.

    A baseline is a shipped experiment that has nothing to train.

    Raises
    ------
    CheckpointError
        Files are missing or damaged, or the weights do not fit the configuration.
    ConfigError
        The configuration has values of wrong types, or that nothing can be built with.
    """
    folder = model_folder(path)
    if folder is None:
        return _untrained(str(path))
    experiment, expected = _read_config(folder / "config.json")
    weights, _ = read_safetensors(folder / "model.safetensors")
    found = tensors_sha256(weights)
    if found != expected:
        raise CheckpointError(
            f"{folder / 'model.safetensors'} has checksum {found[:12]}…, config.json says "
            f"{expected[:12]}…: the file is damaged or from another run; copy the folder again"
        )
    with no_more_weights_than(weights):
        learner = experiment.model.build()
    _load_weights(learner, weights, folder)
    return BaseModel(learner.to(device).eval(), experiment, found)


def _read_config(path: Path) -> tuple[Experiment, str]:
    """The experiment of a model's folder, and the checksum that its weights must have."""
    if not path.is_file():
        raise CheckpointError(f"there is no file {path}; is this a folder of `molmeta train`?")
    config = read_json(path, CheckpointError)
    keys = {"experiment": dict, "sha256": str, "experiment_sha256": str}
    if not isinstance(config, dict) or any(
        not isinstance(config.get(key), kind) for key, kind in keys.items()
    ):
        raise CheckpointError(f"{path} is not a molmeta configuration; copy the folder again")
    if config["experiment_sha256"] != json_sha256(config["experiment"]):
        raise CheckpointError(
            f"{path} was changed or is damaged: its checksum is wrong; copy the folder again"
        )
    return Experiment.from_dict(config["experiment"]), config["sha256"]


@contextmanager
def no_more_weights_than(weights: dict[str, Tensor]) -> Iterator[None]:
    """Refuse to build what has far more weights than there are, before they take memory.

    Raises
    ------
    CheckpointError
        As many were asked for.
    """
    left = MORE + sum(tensor.numel() for tensor in weights.values())

    def count(_: nn.Module, __: str, weight: nn.Parameter | None) -> None:
        nonlocal left
        left -= 0 if weight is None else max(LEAST, weight.numel())
        if left < 0:
            raise CheckpointError(
                "the configuration wants far more weights than the file has; config.json and "
                "model.safetensors are not of one run"
            )

    hook = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        hook.remove()


def model_folder(path: str | Path) -> Path | None:
    """The folder of a model, a shipped one's by its name; None of a baseline, which has none."""
    folder = PRETRAINED / path if path in pretrained_names() else Path(path)
    return folder if folder.is_dir() else None


def pretrained_names() -> list[str]:
    """The models that are shipped."""
    return sorted(path.parent.name for path in PRETRAINED.glob("*/config.json"))


def shipped_config(name: str) -> dict[str, Any]:
    """The configuration of a shipped model."""
    return read_json(PRETRAINED / name / "config.json", CheckpointError)


def _untrained(name: str) -> BaseModel:
    if name not in experiment_names():
        raise CheckpointError(
            f"there is no model folder {name}; give the folder that `molmeta train` wrote, or the "
            "name of a baseline, such as random_forest"
        )
    experiment = load_experiment(name)
    if experiment.trains:
        raise CheckpointError(
            f"'{name}' is an experiment that must be trained first: run "
            f"`molmeta train --config {name} --save-dir runs/{name}` and give that folder"
        )
    return untrained(experiment)


def untrained(experiment: Experiment) -> BaseModel:
    """The model as its seed makes it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(experiment.training.seed)
        learner = experiment.model.build().eval()
    return BaseModel(learner, experiment, tensors_sha256(learner.state_dict()))


def _load_weights(learner: Learner, weights: dict[str, Tensor], folder: Path) -> None:
    wanted = {name: tuple(t.shape) for name, t in learner.state_dict().items()}
    found = {name: tuple(t.shape) for name, t in weights.items()}
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            raise CheckpointError(
                f"{folder}: the weight '{name}' has shape {found.get(name, 'none: it is missing')}"
                f", the configuration wants {wanted.get(name, 'no such weight')}; config.json and "
                "model.safetensors are not of one run"
            )
    if not are_numbers(weights):
        raise CheckpointError(f"{folder}: some weights are not finite numbers; train it again")
    learner.load_state_dict(weights)


def save_assay(assay: AdaptedAssay | Trusted, path: str | Path) -> None:
    """Write an adapted assay: its state, and a JSON header that names its base model.

    Of a `Trusted` one also its measured molecules and its calibration, for `load_trusted`.
    """
    adapted = assay.adapted if isinstance(assay, Trusted) else assay
    state = {name: t.detach().cpu().contiguous().clone() for name, t in adapted.state.items()}
    header = {
        "format": ASSAY_FORMAT,
        "assay": adapted.name,
        "target": json.dumps(target_to_dict(adapted.target)),
        "counts": json.dumps(adapted.counts),
        "info": json.dumps(adapted.info),
        "base_sha256": adapted.base.sha256,
        "base_name": adapted.base.experiment.name,
    }
    if isinstance(assay, Trusted):
        header["trust"] = json.dumps(assay.to_dict())
    write_tensors(Path(path), state, header)


def load_assay(path: str | Path, base: BaseModel) -> AdaptedAssay:
    """Read an adapted assay.

    Raises
    ------
    CheckpointError
        The file is missing or damaged, was adapted from another base model, or has a state that
        this one cannot read.
    ConfigError
        Its header has values of wrong types.
    """
    return _read_assay(Path(path), base)[0]


def load_trusted(path: str | Path, base: BaseModel) -> Trusted:
    """Read an adapted assay with its calibration and its domain.

    Raises
    ------
    CheckpointError
        As by `load_assay`; or the file has no such, or is damaged there.
    """
    adapted, header = _read_assay(path := Path(path), base)
    if "trust" not in header:
        raise CheckpointError(
            f"{path} does not say which molecules were measured, so nothing can be said of trust: "
            "an earlier release wrote it, or Python without `Trusted`; adapt the assay again"
        )
    try:
        return Trusted.from_dict(adapted, parse_json(header["trust"], path, CheckpointError))
    except (DataError, KeyError, TypeError, ValueError, IndexError) as error:
        raise CheckpointError(
            f"{path}: what it says of trust cannot be read ({error}); adapt the assay again"
        ) from None


def _read_assay(path: Path, base: BaseModel) -> tuple[AdaptedAssay, dict[str, str]]:
    """An adapted assay, and the header that it came with."""
    state, found = read_safetensors(path)
    if found.get("format") != ASSAY_FORMAT:
        raise CheckpointError(f"{path} is not an adapted assay; `molmeta adapt` writes those")
    header = checked_tensors(path, state, found, "adapt the assay again")
    if header.get("base_sha256") != base.sha256:
        raise CheckpointError(
            f"{path} was adapted from the model '{header.get('base_name')}' "
            f"({str(header.get('base_sha256'))[:12]}…), not from '{base.experiment.name}' "
            f"({base.sha256[:12]}…); give that model's folder, or adapt again"
        )
    said = {key: parse_json(header.get(key, ""), f"{path}, {key}", CheckpointError) for key in SAID}
    check_values({"assay": header.get("assay"), **said}, {"assay": str, **SAID}, str(path))
    state = {name: tensor.to(base.learner.device) for name, tensor in state.items()}
    target = target_from_dict(said["target"])
    adapted = AdaptedAssay(header["assay"], state, target, base, said["counts"], said["info"])
    check_state(adapted, path)
    return adapted, header


def check_state(adapted: AdaptedAssay, path: Path) -> None:
    """Refuse a state that is not one of its model's, for its target.

    Raises
    ------
    CheckpointError
        Its numbers are not finite, or the model cannot predict with it.
    """
    finite = are_numbers(adapted.state)
    wrong = _why_not_read(adapted) if finite else "its numbers are not finite"
    if wrong:
        raise CheckpointError(
            f"{path} is not of the model '{adapted.base.experiment.name}': {wrong}; adapt the "
            "assay again"
        )


def _why_not_read(adapted: AdaptedAssay) -> str:
    """Why a model predicts nothing for some molecules with a state; "" where it does."""
    wanted = (len(PROBES), adapted.target.width)
    try:
        outputs, scores = adapted.outputs(Molecules(PROBES)), adapted.predict(Molecules(PROBES))
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        return f"it cannot predict with that ({type(error).__name__}: {error})"
    if outputs.shape != wanted:
        return f"its outputs have the shape {outputs.shape}, not {wanted}"
    finite = np.isfinite(outputs).all() and np.isfinite(scores).all()
    return "" if finite else "its outputs are not finite"

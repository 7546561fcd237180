"""Models and adapted assays on disk: safetensors and JSON, nothing that runs code."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from molmeta.errors import CheckpointError
from molmeta.files import write_atomic
from molmeta.learners import Learner
from molmeta.models.base import AdaptedAssay, BaseModel
from molmeta.models.config import Experiment, experiment_names, load_experiment
from molmeta.tasks import target_from_dict, target_to_dict

ASSAY_FORMAT = "molmeta assay 1"
DEFAULT = "default"  # the model that is shipped
PRETRAINED = Path(__file__).parents[1] / "pretrained"


def tensors_sha256(tensors: dict[str, Tensor]) -> str:
    """Checksum of named tensors: names, types, shapes and bytes."""
    digest = sha256()
    for name in sorted(tensors):
        array = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {array.dtype} {tuple(array.shape)}\n".encode())
        digest.update(array.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def json_sha256(value: Any) -> str:
    """Checksum of what JSON says, however it is laid out."""
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


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
    """
    folder = model_folder(path)
    if folder is None:
        return _untrained(str(path))
    config = _read_json(folder / "config.json")
    try:
        spec, expected = config["experiment"], config["sha256"]
        whole = config["experiment_sha256"] == json_sha256(spec)
    except (KeyError, TypeError):
        raise CheckpointError(f"{folder / 'config.json'} is not a molmeta configuration") from None
    if not whole:
        raise CheckpointError(
            f"{folder / 'config.json'} was changed or is damaged: its checksum is wrong; copy the "
            "folder again"
        )
    weights, _ = read_safetensors(folder / "model.safetensors")
    found = tensors_sha256(weights)
    if found != expected:
        raise CheckpointError(
            f"{folder / 'model.safetensors'} has checksum {found[:12]}…, config.json says "
            f"{expected[:12]}…: the file is damaged or from another run; copy the folder again"
        )
    experiment = Experiment.from_dict(spec)
    learner = experiment.model.build()
    _load_weights(learner, weights, folder)
    return BaseModel(learner.to(device).eval(), experiment, found)


def model_folder(path: str | Path) -> Path | None:
    """The folder of a model, a shipped one's by its name; None of a baseline, which has none."""
    folder = PRETRAINED / path if path in pretrained_names() else Path(path)
    return folder if folder.is_dir() else None


def pretrained_names() -> list[str]:
    """The models that are shipped."""
    return sorted(path.parent.name for path in PRETRAINED.glob("*/config.json"))


def shipped_config(name: str) -> dict[str, Any]:
    """The configuration of a shipped model."""
    return _read_json(PRETRAINED / name / "config.json")


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
    learner.load_state_dict(weights)


def save_assay(adapted: AdaptedAssay, path: str | Path) -> None:
    """Write an adapted assay: its state, and a JSON header that names its base model."""
    state = {name: t.detach().cpu().contiguous().clone() for name, t in adapted.state.items()}
    header = {
        "format": ASSAY_FORMAT,
        "assay": adapted.name,
        "target": json.dumps(target_to_dict(adapted.target)),
        "counts": json.dumps(adapted.counts),
        "info": json.dumps(adapted.info),
        "base_sha256": adapted.base.sha256,
        "base_name": adapted.base.experiment.name,
        "state_sha256": tensors_sha256(state),
    }
    header["header_sha256"] = json_sha256(header)
    write_atomic(Path(path), save_tensors(state, metadata=header))


def load_assay(path: str | Path, base: BaseModel) -> AdaptedAssay:
    """Read an adapted assay.

    Raises
    ------
    CheckpointError
        The file is missing or damaged, or was adapted from another base model.
    """
    path = Path(path)
    state, header = read_safetensors(path)
    if header.get("format") != ASSAY_FORMAT:
        raise CheckpointError(f"{path} is not an adapted assay; `molmeta adapt` writes those")
    whole = header.pop("header_sha256", "") == json_sha256(header)
    if not whole or header["state_sha256"] != tensors_sha256(state):
        raise CheckpointError(f"{path} is damaged: its checksum is wrong; adapt the assay again")
    if header["base_sha256"] != base.sha256:
        raise CheckpointError(
            f"{path} was adapted from the model '{header['base_name']}' "
            f"({header['base_sha256'][:12]}…), not from '{base.experiment.name}' "
            f"({base.sha256[:12]}…); give that model's folder, or adapt again"
        )
    return AdaptedAssay(
        name=header["assay"],
        state={name: tensor.to(base.learner.device) for name, tensor in state.items()},
        target=target_from_dict(json.loads(header["target"])),
        base=base,
        counts=json.loads(header["counts"]),
        info=json.loads(header["info"]),
    )


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and text header of a safetensors file.

    Raises
    ------
    CheckpointError
        The file is missing, or truncated or damaged.
    """
    if not path.is_file():
        raise CheckpointError(f"there is no file {path}")
    content = path.read_bytes()
    try:
        tensors = load_tensors(content)
        length = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + length]).get("__metadata__", {})
    except (SafetensorError, ValueError) as error:
        raise CheckpointError(
            f"{path} is not a whole safetensors file ({error}); copy or make it again"
        ) from None
    return tensors, header


def _read_json(path: Path) -> Any:
    if not path.is_file():
        raise CheckpointError(f"there is no file {path}; is this a folder of `molmeta train`?")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{path} is not JSON ({error}); copy the folder again") from None

"""A run of training, whatever it learns from: the learner that it starts from, and its folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

import torch

from molmeta.device import resolve
from molmeta.errors import ConfigError
from molmeta.files import write_atomic
from molmeta.learners import Embedded, Learner
from molmeta.models import BaseModel, Experiment, save_pretrained, tensors_sha256
from molmeta.tasks import Assay
from molmeta.training.cards import environment_json, model_card
from molmeta.training.distributed import rank
from molmeta.training.trainer import MetaTrainer, Sampler, Validate


def start_learner(
    experiment: Experiment, device: str, train: Callable[[str], BaseModel] | None = None
) -> Learner:
    """A new learner; its encoder is that of `encoder_from`, which `train` trains, if there is one.

    Raises
    ------
    ConfigError
        The other experiment's encoder has other sizes.
    """
    with torch.random.fork_rng():
        torch.manual_seed(experiment.training.seed)
        learner = experiment.model.build().to(resolve(device))
    name = experiment.training.encoder_from
    if not name or train is None:
        return learner
    trained = train(name)
    if not isinstance(learner, Embedded) or not isinstance(trained.learner, Embedded):
        raise ConfigError(
            f"'{experiment.name}' and '{name}' (its encoder_from) must be learners on an encoder"
        )
    try:
        learner.encoder.load_state_dict(trained.learner.encoder.state_dict())
    except RuntimeError as error:
        raise ConfigError(
            f"'{experiment.name}' has the encoder {experiment.model.encoder}, '{name}' (its "
            f"encoder_from) {trained.experiment.model.encoder}; give both the same sizes"
        ) from error
    return learner


def run_training(
    experiment: Experiment,
    learner: Learner,
    sampler: Sampler,
    validate: Validate | None,
    digests: tuple[str, str],
    facts: list[str],
    *,
    save_dir: str | Path | None,
    progress: bool | None,
) -> BaseModel:
    """Train to the end and, in process 0, write the folder.

    `digests` are checksums of training and validation data; of the `facts` for the model's card,
    the last says what selected it.
    """
    identity = {
        "model": asdict(experiment.model),
        "episodes": asdict(experiment.episodes),
        "training data": digests[0],
        "validation data": digests[1],
    }
    trainer = MetaTrainer(learner, sampler, experiment.training, validate, identity)
    folder = None if save_dir is None else Path(save_dir)
    learner = trainer.run(folder and folder / "checkpoint.safetensors", progress).for_use()
    if folder is None or rank() > 0:
        return BaseModel(learner, experiment, tensors_sha256(learner.state_dict()))
    model = save_pretrained(learner, experiment, folder)
    write_atomic(folder / "history.csv", trainer.history_csv().encode())
    environment = environment_json({"training_seconds": round(trainer.seconds, 3)})
    write_atomic(folder / "environment.json", environment.encode())
    write_atomic(folder / "README.md", model_card(model, trainer.history, facts).encode())
    return model


def feature_blocks(learner: Learner) -> set[str]:
    """Names of the feature blocks that a learner's encoders read."""
    return {name for module in learner.modules() for name in getattr(module, "blocks", ())}


def compute_features(learner: Learner, assays: Sequence[Assay], workers: int = 1) -> None:
    """Compute the feature blocks that the learner's encoders read, in one pass."""
    blocks = sorted(feature_blocks(learner))
    for assay in assays:
        assay.molecules.compute(*blocks, workers=workers)


def digest(assays: Iterable[Assay]) -> str:
    """Checksum of names, molecules and values."""
    content = sha256()
    for assay in assays:
        content.update("\n".join([assay.name, *assay.molecules.smiles]).encode())
        content.update(assay.values.tobytes())
    return content.hexdigest()

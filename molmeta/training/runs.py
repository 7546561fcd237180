"""A run of training, whatever it learns from: the learner that it starts from, and its folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from torch import nn

from molmeta.device import resolve
from molmeta.encoders import Taught, Whitened, read_block
from molmeta.errors import ConfigError
from molmeta.files import cache_folder, locked, remove_leftovers, write_atomic
from molmeta.learners import Embedded, Learner
from molmeta.models import (
    BaseModel,
    Experiment,
    encode_all,
    from_pretrained,
    model_folder,
    save_pretrained,
    tensors_sha256,
)
from molmeta.molecules import Molecules
from molmeta.seeds import generator
from molmeta.tasks import Assay
from molmeta.training.cards import environment_json, model_card
from molmeta.training.distributed import rank, world_size
from molmeta.training.trainer import MetaTrainer, Sampler, Validate

FITTED = 20_000  # molecules whose vectors have a covariance to go by
WRITTEN = (
    "checkpoint.safetensors",
    "model.safetensors",
    "config.json",
    "history.csv",
    "environment.json",
    "README.md",
)
MANY = 20_000  # molecules whose features take longer than it takes to write them down


def start_learner(
    experiment: Experiment, device: str, train: Callable[[str], BaseModel] | None = None
) -> Learner:
    """A new learner; its encoder is that of `encoder_from` (`encoders_from`), if there is one.

    That is a model, by its folder or its name, or an experiment, which `train` trains.

    Raises
    ------
    ConfigError
        The other encoder has other sizes.
    """
    with torch.random.fork_rng():
        torch.manual_seed(experiment.training.seed)
        learner = experiment.model.build().to(resolve(device))
    names = experiment.training.beginnings
    if not names or train is None:
        return learner
    trained = [from_pretrained(name) if model_folder(name) else train(name) for name in names]
    own, *begun_with = [_encoder(one) for one in (learner, *(one.learner for one in trained))]
    if own is None or None in begun_with:
        raise ConfigError(
            f"'{experiment.name}' and '{', '.join(names)}' (its encoder_from) must be learners on "
            "an encoder"
        )
    try:
        own.begin_with(*begun_with)  # type: ignore[operator]
    except RuntimeError as error:
        theirs = " and ".join(str(one.experiment.model.encoder) for one in trained)
        raise ConfigError(
            f"'{experiment.name}' has the encoder {experiment.model.encoder}, "
            f"'{', '.join(names)}' (its encoder_from) {theirs}; give both the same sizes"
        ) from error
    return learner


def _encoder(learner: Learner) -> nn.Module | None:
    """What a learner reads its inputs by; of a network that moves as a whole, its first module."""
    if isinstance(learner, Embedded):
        return learner.encoder
    network = getattr(learner, "network", None)
    return network[0] if isinstance(network, nn.Sequential) else None


def run_training(
    experiment: Experiment,
    learner: Learner,
    sampler: Sampler | None,
    validate: Validate | None,
    digests: tuple[str, str],
    facts: list[str],
    *,
    save_dir: str | Path | None,
    progress: bool | None,
) -> BaseModel:
    """Train to the end and, in process 0, write the folder.

    Without a `sampler`, an experiment of no steps is written as it is. `digests` are checksums of
    training and validation data; of the `facts` for the model's card, the last says what selected
    it.

    Raises
    ------
    CheckpointError
        The folder's checkpoint is damaged, or of another run.
    DataError
        Several processes are to train in a folder in which another run does.
    """
    identity = {
        "model": asdict(experiment.model),
        "episodes": asdict(experiment.episodes),
        "training data": digests[0],
        "validation data": digests[1],
    }
    trainer = MetaTrainer(learner, sampler, experiment.training, validate, identity)
    folder = None if save_dir is None else Path(save_dir)
    with _alone_in(folder):
        learner = trainer.run(folder and folder / "checkpoint.safetensors", progress).for_use()
        if folder is None or rank() > 0:
            return BaseModel(learner, experiment, tensors_sha256(learner.state_dict()))
        model = save_pretrained(learner, experiment, folder)
        write_atomic(folder / "history.csv", trainer.history_csv().encode())
        environment = environment_json({"training_seconds": round(trainer.seconds, 3)})
        write_atomic(folder / "environment.json", environment.encode())
        write_atomic(folder / "README.md", model_card(model, trainer.history, facts).encode())
        return model


@contextmanager
def _alone_in(folder: Path | None) -> Iterator[None]:
    """Hold a run's folder from before its checkpoint is read until all is written.

    Another run of the folder waits for this one, and then finds it finished. Of processes that
    train together, the first holds it, and is refused, as the others cannot wait.
    """
    if folder is None or rank() > 0:
        yield
        return
    with locked(folder / ".lock", f"another run trains in {folder}", wait=world_size() == 1):
        for name in WRITTEN:
            remove_leftovers(folder / name)
        yield


def fit_whitening(learner: Learner, assays: Sequence[Assay], seed: int) -> None:
    """Fit every `Whitened` and `Taught` to molecules of training assays, `FITTED` at most."""
    every = [module for module in learner.modules() if isinstance(module, Whitened)]
    if not every:
        return
    molecules = Molecules.cat([assay.molecules for assay in assays])
    distinct = molecules[np.unique(molecules.smiles, return_index=True)[1]]
    chosen = distinct[np.sort(generator("whitening", seed).permutation(len(distinct))[:FITTED])]
    for one in every:
        vectors = encode_all(one.network, chosen)
        if isinstance(one, Taught):  # its teacher is slow, and needs none but these molecules
            one.fit_to(vectors, read_block(chosen.apart(), one.teacher))
        else:
            one.fit(vectors)


def feature_blocks(learner: Learner) -> set[str]:
    """Names of the feature blocks that a learner's encoders read."""
    return {name for module in learner.modules() for name in getattr(module, "blocks", ())}


def compute_features(
    learner: Learner, assays: Sequence[Assay], workers: int = 1, others: Iterable[str] = ()
) -> None:
    """Compute the feature blocks that the learner's encoders read, and others, in one pass.

    Those of `MANY` molecules or more are kept in the cache (`MOLMETA_CACHE`), for the next run.
    """
    blocks = sorted(feature_blocks(learner) | {name for name in others if name})
    for store in Molecules.stores([assay.molecules for assay in assays]):
        if len(store) >= MANY:
            store.keep_in(cache_folder() / "prepared")
        store.compute(*blocks, workers=workers)


def digest(assays: Iterable[Assay]) -> str:
    """Checksum of names, molecules and values."""
    content = sha256()
    for assay in assays:
        content.update("\n".join([assay.name, *assay.molecules.smiles]).encode())
        content.update(assay.values.tobytes())
    return content.hexdigest()

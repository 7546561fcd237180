"""The model behind a name: a folder, a baseline, or an experiment that is trained; and its cost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from molmeta.errors import ConfigError
from molmeta.evaluation.protocol import Protocol
from molmeta.models import (
    BaseModel,
    Experiment,
    experiment_names,
    from_pretrained,
    load_experiment,
    model_folder,
    untrained,
)
from molmeta.tasks import Split
from molmeta.training import encoder_folder, meta_train, progress_of

ALL = "all"


def trained_model(
    name: str,
    split: Split,
    save_dir: Path,
    protocol: Protocol | None = None,
) -> BaseModel:
    """The model behind a name: loaded from a folder, taken from an earlier run, or trained now."""
    if Path(name).is_dir():
        return from_pretrained(name)
    experiment = configured(name, protocol or Protocol())
    if not experiment.trains:
        return untrained(experiment)
    return meta_train(
        experiment,
        split.train,
        split.validation,
        save_dir=save_dir / experiment.name,
        encoders_dir=save_dir,
    )


def configured(name: str, protocol: Protocol) -> Experiment:
    """The experiment behind a name, with the target that the protocol has.

    Raises
    ------
    ConfigError
        There is none, or its learner does not predict values.
    """
    if Path(name).is_dir():
        return from_pretrained(name).experiment
    known = [*experiment_names(), *experiment_names("fsmol")]
    if not name.endswith(".toml") and name not in known:
        raise ConfigError(
            f"'{name}' is neither a model folder nor an experiment; experiments: "
            + ", ".join(known)
        )
    experiment = load_experiment(name)
    if not protocol.measured:
        return experiment
    model = replace(experiment.model, target={"kind": "regression"})
    with torch.random.fork_rng(devices=[]):
        targets = model.build().targets
    if "regression" not in {target.kind for target in targets}:
        raise ConfigError(f"'{name}' learns from classes alone; leave it out of a regression")
    return replace(experiment, model=model)


def cost(model: BaseModel, folder: Path) -> pd.DataFrame:
    """What a model took to train, its encoder included, by its folder; 0 where it has none."""
    own = progress_of(folder)
    begun = [_encoder_of(name, folder) for name in model.experiment.training.beginnings]
    encoders = [progress_of(place).seconds for place in begun if place]
    row: dict[str, Any] = {"learner": model.experiment.name, "steps": own.step}
    row["seconds"] = sum(round(seconds, 3) for seconds in (own.seconds, *encoders))
    row["parameters"] = sum(p.numel() for p in model.learner.parameters())
    return pd.DataFrame([row])


def _encoder_of(name: str, folder: Path) -> Path | None:
    """The folder of a model that a run began with: shipped, trained for it alone, or beside it."""
    alone, beside = (encoder_folder(name, folder, shared) for shared in (None, folder.parent))
    known = (model_folder(name), alone, beside)
    return next((place for place in known if place and place.exists()), None)

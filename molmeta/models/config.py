"""Experiments: frozen dataclasses read from TOML, where an unknown key is an error."""

from __future__ import annotations

import dataclasses
import math
import tomllib
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, get_type_hints

import torch

from molmeta import registry
from molmeta.errors import ConfigError
from molmeta.featurizers import Policy
from molmeta.files import read_text
from molmeta.learners import Learner
from molmeta.schema import LARGEST, check_values, shown
from molmeta.tasks import ImageChanges, target_from_dict

FOLDERS = ("", "images", "nguyen2020", "fsmol")  # of the experiments that are shipped
SCHEDULES = ("constant", "cosine")
OPTIMISERS = ("adamw", "sgd")
FITTED = {"whitened", "taught"}  # encoders whose coordinates training molecules give
LEAST = {  # that a number, or each of several, can be
    **dict.fromkeys(("steps", "patience", "seed", "shots", "lr", "encoder_lr", "weight_decay"), 0),
    **dict.fromkeys(("clip", "values_weight", "change_classes", "compose_classes"), 0),
    **dict.fromkeys(("evaluate_every", "validation_draws", "max_atoms"), 1),
    **dict.fromkeys(("support_sizes", "query_size", "query_shots"), 1),
    **dict.fromkeys(("meta_batch_size", "meta_batch_classes", "batch_size"), 1),
}


@dataclass(frozen=True)
class Model:
    """What to build: an encoder and a learner by name, with their options, for a target."""

    learner: dict[str, Any]
    encoder: dict[str, Any]
    target: dict[str, Any] = field(default_factory=lambda: {"kind": "classification", "n_way": 2})
    policy: Policy = field(default_factory=Policy)

    def build(self) -> Learner:
        """A new learner with random weights (from torch's generator)."""
        target = target_from_dict(self.target)
        encoder = registry.make("encoder", self.encoder)
        return registry.make("learner", self.learner, encoder, target)


@dataclass(frozen=True)
class Episodes:
    """How training tasks are drawn.

    Attributes
    ----------
    support_sizes : tuple of int
        A meta-batch has one of these, drawn at random.
    query_size, meta_batch_size : int
        Queries an episode, episodes a step.
    shuffle_classes : bool
        Swap active and inactive in every other training episode, by chance: what is active can
        then be told from the support alone.
    """

    support_sizes: tuple[int, ...] = (16, 32, 64)
    query_size: int = 64
    meta_batch_size: int = 8
    shuffle_classes: bool = False


@dataclass(frozen=True)
class Batches:
    """How multi-task training draws molecules, each with all its labels at once.

    Attributes
    ----------
    batch_size : int
        Molecules a step.
    values_weight : float
        Weight of the measured values behind the labels, where there are any
        (`MultiTaskByMolecule`).
    support_sizes : tuple of int
        Of the validation episodes.
    """

    batch_size: int = 1024
    values_weight: float = 0.5
    support_sizes: tuple[int, ...] = (16, 64)


@dataclass(frozen=True)
class Imitations:
    """How a network learns from molecules without labels: to give other features of them.

    Attributes
    ----------
    targets : tuple of dict
        `block`, the name of a feature block of numbers, such as `rdkit_descriptors` or `minimol`;
        its `weight`; and `power`: 0 learns its standardised columns, 0.25 principal coordinates
        that few of them do not rule, as of `Whitened`.
    batch_size : int
        Molecules a step.
    support_sizes : tuple of int
        Of the validation episodes.
    """

    targets: tuple[dict[str, Any], ...]
    batch_size: int = 1024
    support_sizes: tuple[int, ...] = (16, 64)


@dataclass(frozen=True)
class Shots:
    """How training tasks are drawn from images; the model's target has the number of classes.

    Attributes
    ----------
    shots : tuple of int
        A meta-batch has one of these as its images a class to learn from, drawn at random. 0
        alone: the attributes of the classes.
    query_shots : int
        Queries a class.
    meta_batch_classes : int
        Classes in a step, over all its episodes: 20 are four 5-way episodes, or one of 20.
    change_drawings, change_classes, compose_classes
        Of `ImageChanges`: what of a training episode's images is changed.
    """

    shots: tuple[int, ...] = (1, 5)
    query_shots: int = 5
    meta_batch_classes: int = 20
    change_drawings: bool = False
    change_classes: float = 0.0
    compose_classes: float = 0.0

    @property
    def changes(self) -> ImageChanges:
        """What of the images is changed."""
        return ImageChanges(self.change_drawings, self.change_classes, self.compose_classes)

    def meta_batch_size(self, n_way: int) -> int:
        """Episodes a step."""
        return max(1, self.meta_batch_classes // n_way)


@dataclass(frozen=True)
class Training:
    """How weights are learned.

    Attributes
    ----------
    steps : int
        Most meta-batches; 0 trains nothing.
    lr, weight_decay : float
        Of the optimiser.
    clip : float
        Largest norm of the meta-gradient; `inf` leaves it as it is.
    evaluate_every : int
        Steps between two looks at the validation assays.
    patience : int
        Looks without a better score before training stops.
    validation_draws : int
        Episodes for each validation assay and support size.
    seed : int
        Of weights, episodes and dropout.
    encoder_lr : float, optional
        The encoder's own rate, in place of `lr`; 0 keeps it as it is.
    encoder_from : str
        An experiment that is trained first, on the same data, or the folder of a model that was
        (`molmeta pretrain`): the encoder begins with its weights. For learners that find nothing to
        tell apart in the vectors of a random encoder.
    encoders_from : tuple of str
        Of an encoder that is `joined`: as many as it has parts with weights, in their order.
    schedule : str
        `constant`; or `cosine`: the rates fall to zero at the last step, after a short warm-up.
    optimiser : str
        `adamw`; or `sgd`, without momentum. With Reptile and `clip = inf`, a step of `sgd` is the
        paper's own, θ ← θ + ε(φ − θ), with ε = `lr`.
    """

    steps: int = 600
    lr: float = 1e-3
    weight_decay: float = 0.01
    clip: float = 1.0
    evaluate_every: int = 50
    patience: int = 6
    validation_draws: int = 3
    seed: int = 0
    encoder_lr: float | None = None
    encoder_from: str = ""
    encoders_from: tuple[str, ...] = ()
    schedule: str = "constant"
    optimiser: str = "adamw"

    @property
    def beginnings(self) -> tuple[str, ...]:
        """What the encoder begins with."""
        return self.encoders_from or ((self.encoder_from,) if self.encoder_from else ())

    def __post_init__(self) -> None:
        for name, known in (("schedule", SCHEDULES), ("optimiser", OPTIMISERS)):
            if (found := getattr(self, name)) not in known:
                choices = " or ".join(map(repr, known))
                raise ConfigError(f"training.{name} is {found!r}; it is {choices}")


@dataclass(frozen=True)
class Experiment:
    """Everything that a run needs but the data."""

    name: str
    model: Model
    episodes: Episodes | Batches | Imitations | Shots = field(default_factory=Episodes)
    training: Training = field(default_factory=Training)

    @property
    def trains(self) -> bool:
        """Whether there is anything to learn ahead: weights, or the coordinates of a network."""
        training, fitted = self.training, FITTED & names_of(self.model.encoder)
        return bool(training.steps or training.beginnings or fitted)

    @property
    def from_assays(self) -> Episodes | Batches | Imitations:
        """How assays are learned from; raises `ConfigError`, if it is for images."""
        if isinstance(self.episodes, Shots):
            raise ConfigError(
                f"the experiment '{self.name}' is for images: its episodes have shots"
            )
        return self.episodes

    @property
    def image_episodes(self) -> Shots:
        """How tasks are drawn from images; raises `ConfigError`, if it is for molecules."""
        if not isinstance(self.episodes, Shots):
            raise ConfigError(
                f"the experiment '{self.name}' is for molecules; one for images has shots in "
                "[episodes], such as images/prototypical"
            )
        return self.episodes

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, spec: dict[str, Any]) -> Experiment:
        """From plain JSON or TOML.

        Raises
        ------
        ConfigError
            A key is unknown or missing, or a value has the wrong type.
        """
        if not isinstance(spec, dict) or "model" not in spec:
            raise ConfigError("the configuration has no table [model]")
        model, episodes = _table(spec, "model"), _table(spec, "episodes")
        policy = _fill(Policy, _table(model, "policy"), "model.policy")
        parts = {
            "model": _fill(Model, {**model, "policy": policy}, "model"),
            "episodes": _fill(_kind(episodes), episodes, "episodes"),
            "training": _fill(Training, _table(spec, "training"), "training"),
        }
        filled = _fill(cls, {**spec, **parts}, "experiment")
        _check_name(filled.name)
        return filled


def experiment_names(folder: str = "") -> list[str]:
    """The experiments that are shipped, or those of a folder: `images/maml`, `nguyen2020/maml`."""
    files = (resources.files("molmeta") / "experiments" / folder).iterdir()
    stems = (p.name.removesuffix(".toml") for p in files if p.name.endswith(".toml"))
    return sorted(f"{folder}/{stem}" if folder else stem for stem in stems)


def load_experiment(name_or_path: str | Path) -> Experiment:
    """A shipped experiment by name, or a TOML file by path.

    Raises
    ------
    ConfigError
        There is no such experiment or file, or it is not a valid configuration.
    """
    path, shipped = Path(name_or_path), [n for folder in FOLDERS for n in experiment_names(folder)]
    if path.suffix == ".toml":
        if not path.is_file():
            raise ConfigError(f"there is no configuration file {path}")
        text = read_text(path, ConfigError)
    elif str(name_or_path) in shipped:
        source = resources.files("molmeta") / "experiments" / f"{name_or_path}.toml"
        text = source.read_text(encoding="utf-8")
    else:
        known = registry.nearest(str(name_or_path), shipped)
        raise ConfigError(f"there is no experiment '{name_or_path}'{known} (or give a .toml file)")
    name = path.stem
    try:
        found = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{name_or_path} is not TOML: {error}") from error
    experiment = Experiment.from_dict({"name": name, **found})
    with torch.random.fork_rng(devices=[]):
        experiment.model.build()  # wrong names and options are found here, before any work
    return experiment


def _fill(cls: type, values: dict[str, Any], where: str) -> Any:
    known = {f.name: f for f in dataclasses.fields(cls)}
    for key in values:
        if key not in known:
            raise ConfigError(f"unknown key '{key}' in {where}{registry.nearest(key, list(known))}")
    check_values(values, get_type_hints(cls), where)
    for key, value in values.items():
        _check_range(key, value, where)
    for key, f in known.items():
        required = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        if required and key not in values:
            raise ConfigError(f"{where} lacks the key '{key}'")
    return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def _table(spec: dict[str, Any], key: str) -> dict[str, Any]:
    """A table in a table; empty where there is none."""
    found = spec.get(key, {})
    if not isinstance(found, dict):
        raise ConfigError(f"{key} is {shown(found)}; it must be a table, [{key}]")
    return found


def _check_range(key: str, value: Any, where: str) -> None:
    """Refuse a number, or one of several, that is too small or not finite; or none at all."""
    if key not in LEAST or value is None:
        return
    numbers = value if isinstance(value, list | tuple) else [value]
    most = math.inf if key == "clip" else LARGEST
    if not numbers or not all(LEAST[key] <= one <= most for one in numbers):
        raise ConfigError(
            f"{where}.{key} is {shown(value)}; {LEAST[key]} is the least, and it must be finite"
        )


def _check_name(name: str) -> None:
    """Refuse what cannot name a folder."""
    if name in ("", ".", "..") or not set(name).isdisjoint("/\\\0"):
        raise ConfigError(f"the experiment's name is {shown(name)}; it must do for a folder")


def names_of(spec: Any) -> set[str]:
    """The names of an encoder and of those that it is made of."""
    if isinstance(spec, dict):
        own = {spec["name"]} if isinstance(spec.get("name"), str) else set()
        return own.union(*map(names_of, spec.values()))
    return set().union(*map(names_of, spec)) if isinstance(spec, list | tuple) else set()


def _kind(episodes: dict[str, Any]) -> type:
    """What `[episodes]` describes, by a key that no other has."""
    keys = {"shots": Shots, "targets": Imitations, "batch_size": Batches}
    return next((kind for key, kind in keys.items() if key in episodes), Episodes)

"""Names of what can be chosen: strings to classes, imported only when asked for."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from molmeta.errors import ConfigError, MolmetaError
from molmeta.schema import check_values, option_types, shown

LISTED = 50  # names that a message has at most

_TABLE: dict[str, dict[str, str | Callable[..., Any]]] = {
    "encoder": {
        "gin": "molmeta.encoders.gin:GIN",
        "ggnn": "molmeta.encoders.ggnn:GGNN",
        "fingerprint": "molmeta.encoders.fingerprint_network:FingerprintNetwork",
        "weighted_fingerprint": "molmeta.encoders.weighted_fingerprint:WeightedFingerprint",
        "features": "molmeta.encoders.features:Features",
        "features_with_prior": "molmeta.encoders.features_with_prior:FeaturesWithPrior",
        "train_assay_labels": "molmeta.encoders.train_assay_labels:TrainAssayLabels",
        "features_with_labels": "molmeta.encoders.train_assay_labels:FeaturesWithLabels",
        "whitened": "molmeta.encoders.whitened:Whitened",
        "stacked": "molmeta.encoders.stacked:Stacked",
        "joined": "molmeta.encoders.joined:Joined",
        "minimol": "molmeta.encoders.minimol:MiniMol",
        "pyg": "molmeta.encoders.pyg:PyG",
        "conv4": "molmeta.encoders.conv4:Conv4",
        "residual": "molmeta.encoders.residual:Residual",
        "pixels": "molmeta.encoders.pixels:Pixels",
        "hyper_conv4": "molmeta.encoders.static_hypernetwork:HyperConv4",
        "hyper_gin": "molmeta.encoders.static_hypernetwork:HyperGIN",
    },
    "learner": {
        "siamese": "molmeta.learners.siamese:siamese",
        "relation": "molmeta.learners.relation:relation",
        "matching": "molmeta.learners.matching:matching",
        "matching_fce": "molmeta.learners.matching:matching_fce",
        "prototypical": "molmeta.learners.prototypical:prototypical",
        "zero_shot": "molmeta.learners.prototypical:zero_shot",
        "few_shot_gnn": "molmeta.learners.few_shot_gnn:few_shot_gnn",
        "mann": "molmeta.learners.mann:mann",
        "meta_networks": "molmeta.learners.meta_networks:meta_networks",
        "hypernetwork": "molmeta.learners.hypernetwork:hypernetwork",
        "maml": "molmeta.learners.maml:maml",
        "fomaml": "molmeta.learners.maml:fomaml",
        "reptile": "molmeta.learners.reptile:reptile",
        "anil": "molmeta.learners.maml:anil",
        "nguyen2020_maml": "molmeta.learners.released_maml:maml",
        "nguyen2020_anil": "molmeta.learners.released_maml:anil",
        "prior_mean": "molmeta.learners.gaussian_process:prior_mean",
        "gaussian_process": "molmeta.learners.gaussian_process:gaussian_process",
        "deep_kernel": "molmeta.learners.deep_kernel:deep_kernel",
        "linear_probe": "molmeta.baselines.fine_tuning:linear_probe",
        "quadratic_probe": "molmeta.learners.quadratic_probe:quadratic_probe",
        "fine_tune_top": "molmeta.baselines.fine_tuning:fine_tune_top",
        "fine_tune_all": "molmeta.baselines.fine_tuning:fine_tune_all",
        "constant": "molmeta.baselines.constant:constant",
        "logistic_regression": "molmeta.baselines.logistic_regression:logistic_regression",
        "random_forest": "molmeta.baselines.random_forest:random_forest",
        "nearest_neighbours": "molmeta.baselines.nearest_neighbours:nearest_neighbours",
    },
    "featurizer": {
        "graph": "molmeta.featurizers.graph:GraphFeaturizer",
        "atoms75": "molmeta.featurizers.atoms75:Atoms75",
        "ecfp4": "molmeta.featurizers.fingerprint:ecfp4",
        "ecfp6": "molmeta.featurizers.fingerprint:ecfp6",
        "fcfp4": "molmeta.featurizers.fingerprint:fcfp4",
        "torsion": "molmeta.featurizers.fingerprint:torsion",
        "atom_pair": "molmeta.featurizers.fingerprint:atom_pair",
        "weisfeiler_lehman": "molmeta.featurizers.weisfeiler_lehman:WeisfeilerLehman",
        "descriptors": "molmeta.featurizers.descriptors:Descriptors",
        "minimol": "molmeta.featurizers.minimol:MiniMol",
        "rdkit_descriptors": "molmeta.featurizers.rdkit_descriptors:RDKitDescriptors",
    },
    "pass": {"binary": "molmeta.featurizers.one_pass:one_pass"},  # featurises many at once
    "text": {
        "hashing": "molmeta.featurizers.text:Hashing",
        "minilm": "molmeta.featurizers.text:MiniLM",
    },
}


_TAKES = {  # factories that hand options of several types to a class, and that class
    "maml": "molmeta.learners.maml:MAML",
    "fomaml": "molmeta.learners.maml:MAML",
    "anil": "molmeta.learners.maml:MAML",
    "nguyen2020_maml": "molmeta.learners.maml:MAML",
    "nguyen2020_anil": "molmeta.learners.maml:MAML",
    "reptile": "molmeta.learners.reptile:Reptile",
    "random_forest": "molmeta.baselines.random_forest:RandomForest",
}
LARGEST = 1_000_000  # layers, columns, steps or trees: more than anything is built with
BAD_OPTIONS = (  # what a class says of numbers that it cannot be built with
    *(TypeError, ValueError, LookupError, AttributeError, ArithmeticError),
    *(RuntimeError, MemoryError),
)


def names(kind: str) -> list[str]:
    """The names registered under a kind, such as `encoder`; imports nothing."""
    return sorted(_TABLE[kind])


def register(kind: str, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Class decorator: add one's own encoder, learner factory or featuriser under a name."""

    def add(factory: Callable[..., Any]) -> Callable[..., Any]:
        _TABLE[kind][name] = factory
        return factory

    return add


def lookup(kind: str, name: str) -> Callable[..., Any]:
    """The class or factory behind a name.

    Raises
    ------
    ConfigError
        The name is not registered; the message has the nearest one.
    """
    if name not in _TABLE[kind]:
        raise ConfigError(f"there is no {kind} '{name}'{nearest(name, names(kind))}")
    entry = _TABLE[kind][name]
    return entry if not isinstance(entry, str) else _imported(entry)


def _imported(entry: str) -> Callable[..., Any]:
    module, _, attribute = entry.partition(":")
    return getattr(import_module(module), attribute)


def make(kind: str, spec: Any, *parts: Any) -> Any:
    """What a table of a name and options describes, built of the parts.

    Raises
    ------
    ConfigError
        It is no table with a registered name, or the options are not those that it takes.
    """
    if not isinstance(spec, Mapping) or not isinstance(spec.get("name"), str):
        raise ConfigError(
            f"the {kind} {shown(spec)} has no name; there is: {', '.join(names(kind))}"
        )
    options = {key: value for key, value in spec.items() if key != "name"}
    name = spec["name"]
    factory = lookup(kind, name)
    takes = [factory, *([_imported(_TAKES[name])] if name in _TAKES else [])]
    for one in takes:
        check_values(options, option_types(one, options), name)
    for key, value in options.items():
        if isinstance(value, int) and value > LARGEST:
            raise ConfigError(f"{name}.{key} is {value}; {LARGEST} is the most")
    try:
        return factory(*parts, **options)
    except MolmetaError:
        raise
    except BAD_OPTIONS as error:
        raise ConfigError(f"the {kind} '{name}' does not take these options: {error}") from error


def nearest(wanted: str, known: Sequence[str]) -> str:
    """'; did you mean …' with the closest known name, or the list of all."""
    lower = {name.lower(): name for name in known}
    found = difflib.get_close_matches(wanted.lower(), lower, n=1, cutoff=0.5)
    close = [lower[name] for name in found]
    listed = ", ".join(known[:LISTED])
    if len(known) > LISTED:
        listed += f" and {len(known) - LISTED:,} more"
    return f"; did you mean '{close[0]}'? There is: {listed}" if close else f"; there is: {listed}"

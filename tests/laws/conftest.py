"""Every learner, crossed with every kind of task and input that it can honestly take.

A new learner is one more `Entry` in `LEARNERS`; every law then holds for it or fails.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from molmeta import registry
from molmeta.encoders.base import Encoder
from molmeta.encoders.conv4 import Conv4
from molmeta.encoders.features import Features
from molmeta.encoders.features_with_prior import FeaturesWithPrior
from molmeta.encoders.fingerprint_network import FingerprintNetwork
from molmeta.encoders.ggnn import GGNN
from molmeta.encoders.gin import GIN
from molmeta.learners.base import Embedded, Learner
from molmeta.molecules.molecules import Molecules
from molmeta.tasks.episode import Episode, Examples
from molmeta.tasks.targets import Classification, Regression, Target

WIDTH = 8  # of a vector
SIDE = 8  # of an image


class Layer(Encoder):
    """One small layer on vectors."""

    def __init__(self) -> None:
        super().__init__()
        self.dim = 6
        self.linear = nn.Linear(WIDTH, self.dim)

    def forward(self, x: Tensor) -> Tensor:
        """`[n, 8]` to `[n, 6]`."""
        return torch.tanh(self.linear(x))


class Identity(Encoder):
    """Vectors as they are."""

    dim = WIDTH

    def forward(self, x: Tensor) -> Tensor:
        """`[n, 8]` to itself."""
        return x


SMALL_NETWORK = {"name": "fingerprint", "hidden": 16, "dim": 8}
ENCODERS: dict[str, Callable[[], Encoder]] = {
    "vectors": Layer,
    "raw vectors": Identity,
    "gin": lambda: GIN(width=8, layers=1),
    "ggnn": lambda: GGNN(layers=1, dim=256),
    "fingerprint": lambda: FingerprintNetwork(hidden=16, dim=8),
    "images": lambda: Conv4(width=8, size=SIDE, pools=2),
    "counts": lambda: Features(["ecfp4"]),
    "counts and descriptors": lambda: Features(),
    "features with prior": lambda: FeaturesWithPrior(["ecfp4", "descriptors"], SMALL_NETWORK),
}
LEARNED = ("vectors", "gin", "fingerprint", "images")


@dataclass(frozen=True)
class Training:
    """How law 7 meta-trains: learned modules of comparison take longer than fixed ones."""

    steps: int = 30
    tasks: int = 2
    lr: float = 0.01
    same_classes: bool = True  # a learner that can ignore its support must see classes change
    cases: tuple[str, ...] | None = None  # where it learns within seconds


@dataclass(frozen=True)
class Entry:
    """A learner by its registered name and options, and the encoders to cross it with."""

    name: str
    called: str  # the name that its refusals use
    encoders: tuple[str, ...] = LEARNED
    options: dict[str, Any] = field(default_factory=dict)
    label: str = ""
    training: Training = field(default_factory=lambda: Training())
    tasks: tuple[str, ...] = ("2-way", "5-way", "regression")


INNER = {"inner_lr": 0.2, "inner_steps": 3}
SMALL = ("vectors", "gin", "images")
LEARNERS = [
    Entry("siamese", "Siamese"),
    Entry("relation", "Relation", training=Training(steps=400, lr=1e-3)),
    Entry(
        *("relation", "Relation", ("images",), {"module": "maps", "hidden": 16}, "relation_maps"),
        training=Training(steps=150, lr=3e-3),
    ),
    Entry("matching", "Matching"),
    Entry("matching_fce", "FullContext", SMALL),
    Entry("prototypical", "Prototypical"),
    Entry("prototypical", "Prototypical", SMALL, {"divergence": "mahalanobis"}, "mahalanobis"),
    Entry("prototypical", "Prototypical", SMALL, {"divergence": "generalised_kl"}, "kl"),
    Entry(
        "few_shot_gnn",
        "FewShotGNN",
        SMALL,
        {"width": 8, "hidden": 8},
        training=Training(steps=250, lr=3e-3, same_classes=False),
    ),
    Entry(
        "mann",
        "MANN",
        SMALL,
        {"hidden": 48, "width": 20, "heads": 2},
        training=Training(
            400, 16, 1e-2, same_classes=False, cases=("2-way-vectors", "regression-vectors")
        ),
    ),
    Entry("meta_networks", "MetaNetworks", SMALL, {"hidden": 16}, training=Training(90)),
    Entry("hypernetwork", "HyperNetwork", SMALL, {"hidden": 16, "embedding": 8}),
    # at 0.2 its ten steps diverge on a regression, and rounding grows with them
    Entry("reptile", "Reptile", SMALL, {"inner_lr": 0.05}, training=Training(45)),
    Entry(
        "reptile",
        "Reptile",
        ("vectors", "gin"),
        {"inner_lr": 0.02, "optimiser": "adam"},
        "reptile_adam",
        Training(45),
    ),
    Entry("maml", "MAML", options=INNER),
    Entry("fomaml", "MAML", options={**INNER, "inner_lr": 0.1}, training=Training(90, lr=3e-3)),
    Entry("maml", "MAML", options={**INNER, "learn_inner_lr": True}, label="maml_learned_rates"),
    Entry("anil", "MAML", options=INNER),
    Entry(
        *("nguyen2020_maml", "TwoClasses", ("vectors", "ggnn"), {**INNER, "inner_lr": 0.05}),
        training=Training(60, lr=3e-3),
        tasks=("2-way",),
    ),
    Entry("nguyen2020_anil", "TwoClasses", ("vectors", "ggnn"), INNER, tasks=("2-way",)),
    Entry("prototypical", "Prototypical", ("ggnn",), label="prototypical_ggnn"),
    Entry(
        "random_forest",
        "RandomForest",
        ("raw vectors", "counts and descriptors"),
        {"n_trees": 8},
    ),
    Entry("logistic_regression", "LogisticRegression", ("raw vectors", "counts and descriptors")),
    Entry("nearest_neighbours", "NearestNeighbours", ("raw vectors", "counts"), {"k": 3}),
    Entry("gaussian_process", "GaussianProcess", ("counts", "counts and descriptors", "gin")),
    Entry("learned_kernel", "LearnedKernel", ("counts and descriptors",)),
    Entry(
        "similarity_network",
        "SimilarityNetwork",
        ("counts", "counts and descriptors"),
        {"hidden": 8},
        tasks=("2-way", "5-way"),
    ),
    Entry("deep_kernel", "DeepKernel"),
    Entry("fine_tune_top", "FineTuning", options={"lr": 0.05}),
    Entry("fine_tune_all", "FineTune", options={"lr": 0.02, "steps": 20}),
    Entry("quadratic_probe", "QuadraticProbe"),
    Entry("linear_probe", "LogisticRegression", ("raw vectors", "counts and descriptors")),
    Entry(
        "prior_mean", "PriorMean", ("features with prior",), tasks=("2-way", "regression")
    ),  # of more classes no other assay says what to expect
    Entry(
        "averaged_process",
        "AveragedProcess",
        ("features with prior",),
        tasks=("2-way", "regression"),
    ),
    Entry("constant", "Constant", ("raw vectors",)),
]
TARGETS: dict[str, Target] = {
    "2-way": Classification(2),
    "5-way": Classification(5),
    "regression": Regression(),
}


@dataclass(frozen=True)
class Case:
    """A learner, an encoder and a kind of task."""

    entry: Entry
    encoder: str
    task: str
    drugs: Molecules | None = None

    def __str__(self) -> str:
        return f"{self.entry.label or self.entry.name}-{self.where}"

    @property
    def where(self) -> str:
        """The kind of task and the encoder."""
        return f"{self.task}-{self.encoder}"

    @property
    def target(self) -> Target:
        """What the labels mean."""
        return TARGETS[self.task]

    @property
    def on_molecules(self) -> bool:
        """Whether inputs are molecules."""
        return "vectors" not in self.encoder and self.encoder != "images"

    def learner(self, seed: int = 0) -> Learner:
        """A new learner in evaluation mode."""
        torch.manual_seed(seed)
        factory = registry.lookup("learner", self.entry.name)
        return factory(ENCODERS[self.encoder](), self.target, **self.entry.options).eval()

    def episode(self, seed: int = 0, *, same_classes: bool = False) -> Episode:
        """A task whose labels tell families of drugs or clouds of vectors, or follow a property.

        Every task has classes of its own, unless they shall be the `same_classes` in all.
        """
        rng = np.random.default_rng(seed)
        make = self._molecules if self.on_molecules else self._vectors
        if self.encoder == "images":
            make = self._images
        n_way = getattr(self.target, "n_way", 0)
        classes = np.arange(n_way) if same_classes else rng.permutation(5)[:n_way]
        x, y, support = make(rng, classes)
        y = torch.from_numpy(y)
        sets = [
            Examples(x[rows], y[rows], self.target)
            for rows in (rng.permutation(np.flatnonzero(part)) for part in (support, ~support))
        ]
        return Episode(*sets, f"task {seed}")

    def _vectors(
        self, rng: np.random.Generator, classes: np.ndarray
    ) -> tuple[Tensor, np.ndarray, np.ndarray]:
        if len(classes):
            y = np.repeat(np.arange(len(classes)), 10)
            x = rng.uniform(0, 1, (len(y), WIDTH))
            x[np.arange(len(y)), classes[y]] += 2
            support = np.tile(np.arange(10) < 5, len(classes))
        else:
            x = rng.uniform(0, 1, (30, WIDTH)) * np.where(np.arange(WIDTH) == 0, 3, 0.3)
            y = (rng.normal() + x[:, 0]).astype(np.float32)
            support = np.arange(30) < 20
        return torch.from_numpy(x).float(), y, support

    def _images(
        self, rng: np.random.Generator, classes: np.ndarray
    ) -> tuple[Tensor, np.ndarray, np.ndarray]:
        """A bar a class, or a bar as bright as the label."""
        n = 10 * len(classes) or 30
        x = rng.uniform(0, 0.3, (n, 1, SIDE, SIDE))
        if len(classes):
            y = np.repeat(np.arange(len(classes)), 10)
            x[np.arange(n), 0, classes[y]] += 0.7
            support = np.tile(np.arange(10) < 5, len(classes))
        else:
            bright = rng.uniform(0, 0.7, n)
            x[:, 0, 3] += bright[:, None]
            y = (rng.normal() + 3 * bright).astype(np.float32)
            support = np.arange(n) < 20
        return torch.from_numpy(x).float(), y, support

    def _molecules(
        self, rng: np.random.Generator, classes: np.ndarray
    ) -> tuple[Molecules, np.ndarray, np.ndarray]:
        assert self.drugs is not None
        if len(classes):
            rows = np.concatenate([5 * family + rng.permutation(5) for family in classes])
            y = np.repeat(np.arange(len(classes)), 5)
            support = np.tile(np.arange(5) < 3, len(classes))
        else:
            rows = rng.permutation(25)
            saturation = self.drugs.block("descriptors").values[rows, 8]
            y = (rng.normal() + saturation).astype(np.float32)
            support = np.arange(25) < 15
        return self.drugs[rows], y, support


def _targets(entry: Entry) -> tuple[type, ...]:
    return Case(entry, entry.encoders[0], "2-way").learner().targets


CASES = [
    Case(entry, encoder, task)
    for entry in LEARNERS
    for task, target in TARGETS.items()
    if isinstance(target, _targets(entry)) and task in entry.tasks
    for encoder in entry.encoders
]


def only(keep: Callable[[Case], bool]) -> list[Case]:
    """The cases that a law speaks of."""
    return [case for case in CASES if keep(case)]


def _with_drugs(request: pytest.FixtureRequest, drugs: Molecules) -> Case:
    return replace(request.param, drugs=drugs)


@pytest.fixture(params=CASES, ids=str)
def case(request: pytest.FixtureRequest, drugs: Molecules) -> Case:
    """Every case."""
    return _with_drugs(request, drugs)


@pytest.fixture(params=only(lambda c: c.task != "regression"), ids=str)
def classification(request: pytest.FixtureRequest, drugs: Molecules) -> Case:
    """Cases that tell classes apart."""
    return _with_drugs(request, drugs)


@pytest.fixture(
    params=only(lambda c: c.task != "regression" and c.learner().class_symmetric), ids=str
)
def symmetric(request: pytest.FixtureRequest, drugs: Molecules) -> Case:
    """Cases that treat all classes alike."""
    return _with_drugs(request, drugs)


@pytest.fixture(params=only(lambda c: len(list(c.learner().parameters())) > 0), ids=str)
def trainable(request: pytest.FixtureRequest, drugs: Molecules) -> Case:
    """Cases with something to meta-learn."""
    return _with_drugs(request, drugs)


def _learns(case: Case) -> bool:
    cases = case.entry.training.cases
    return case.entry.name != "constant" and (cases is None or case.where in cases)


@pytest.fixture(params=only(_learns), ids=str)
def skilled(request: pytest.FixtureRequest, drugs: Molecules) -> Case:
    """Cases that can learn anything, within seconds."""
    return _with_drugs(request, drugs)


@pytest.fixture(params=only(lambda c: c.on_molecules), ids=str)
def molecular(request: pytest.FixtureRequest, drugs: Molecules) -> Case:
    """Cases on molecules."""
    return _with_drugs(request, drugs)


@pytest.fixture(params=only(lambda c: c.entry.name.endswith("anil")), ids=str)
def anil(request: pytest.FixtureRequest, drugs: Molecules) -> Case:
    """Cases whose inner loop moves the head alone."""
    learner = request.param.learner()
    assert isinstance(learner, Embedded)
    return _with_drugs(request, drugs)

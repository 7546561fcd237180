"""Meta-training: episodes in, a learner out; a killed run resumes to the same bits.

Under `torchrun` several processes train one learner: each computes the gradient of its share of
every meta-batch, and all take the same step with the sum.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors.torch import save as save_tensors
from torch import Tensor
from tqdm import tqdm

from molmeta.assay import Assay, Assays
from molmeta.cards import environment_json, model_card
from molmeta.checkpoints import read_safetensors, save_pretrained, tensors_sha256, write_atomic
from molmeta.config import Experiment, Training, load_experiment
from molmeta.device import resolve
from molmeta.distributed import (
    broadcast,
    rank,
    same_as_first,
    share,
    sum_gradients,
    sum_number,
    world_size,
)
from molmeta.errors import CheckpointError, ConfigError, MolmetaError, TooFewMeasurements
from molmeta.learner import Learner
from molmeta.models import BaseModel
from molmeta.sampling import AssayEpisodes, large_enough
from molmeta.scoring import mean_score
from molmeta.seeds import number

Validate = Callable[[Learner], float]


class MetaTrainer:
    """AdamW on the meta-loss of drawn episodes, with early stopping on validation assays.

    The state of a run is (step, weights, best weights, optimiser, history): episodes and dropout
    are drawn from (seed, step), so nothing else is needed to go on after a kill.

    Several processes (see `molmeta.distributed`) give the gradient of one, up to rounding, on the
    same episodes. What a learner draws at random in training, such as dropout, each process
    draws for itself, so that runs on another number of processes differ by that.

    Parameters
    ----------
    learner : Learner
        Trained in place, on the device where it is.
    episodes : AssayEpisodes
        Draws the meta-batch of each step.
    settings : Training
        Steps, rates, patience.
    validate : callable, optional
        Score of a learner on validation tasks, higher is better; without it the last weights are
        kept.
    identity : dict, optional
        What else must be equal, as JSON, for a checkpoint to belong to this run.

    Raises
    ------
    ConfigError
        There are more processes than episodes in a meta-batch.
    """

    def __init__(
        self,
        learner: Learner,
        episodes: AssayEpisodes,
        settings: Training,
        validate: Validate | None = None,
        identity: dict[str, Any] | None = None,
    ) -> None:
        if episodes.meta_batch_size < world_size():
            raise ConfigError(
                f"{world_size()} processes share a meta-batch of {episodes.meta_batch_size}, so "
                f"some would have no episode; raise meta_batch_size to {world_size()} or more, "
                f"or lower the number of processes (--nproc-per-node) to {episodes.meta_batch_size}"
            )
        self.learner, self.episodes = learner, episodes
        self.settings, self.validate = settings, validate
        identity = {**asdict(settings), **(identity or {})}
        self.identity: dict[str, Any] = json.loads(json.dumps(identity))
        self.device = learner.device
        self.optimiser = torch.optim.AdamW(
            learner.parameters(), lr=settings.lr, weight_decay=settings.weight_decay
        )
        self.step = 0
        self.history: list[dict[str, float]] = []
        self.best = deepcopy(learner.state_dict())

    def run(self, checkpoint: Path | None = None, progress: bool | None = None) -> Learner:
        """Train to the end; returns the learner with its best weights, in evaluation mode.

        Parameters
        ----------
        checkpoint : Path, optional
            Written after every look at the validation tasks; read first, if it exists.
        progress : bool, optional
            Show a bar; by default where standard error is a terminal.

        Raises
        ------
        ConfigError
            The processes do not start from the same data, settings, weights and step.
        """
        if checkpoint is not None and checkpoint.exists():
            self.load(checkpoint)
        start = (self.identity, self.step, tensors_sha256(self.learner.state_dict()))
        if not same_as_first(json.dumps(start)):
            raise ConfigError(
                f"process {rank()} would start at step {self.step} from other data, settings or "
                "weights than process 0; give all machines the same command, files and versions, "
                "and a folder for the run that all of them see"
            )
        hidden = rank() > 0 or not (sys.stderr.isatty() if progress is None else progress)
        with (
            torch.random.fork_rng(),
            tqdm(total=self.settings.steps, initial=self.step, disable=hidden) as bar,
        ):
            losses: list[float] = []
            while self.step < self.settings.steps and not self.stopped:
                losses.append(self.train_step())
                bar.update()
                if self.step % self.settings.evaluate_every and self.step < self.settings.steps:
                    continue
                self.look(sum(losses) / len(losses))
                losses = []
                bar.set_postfix(self.history[-1])
                if checkpoint is not None and rank() == 0:
                    self.save(checkpoint)
        self.learner.load_state_dict(self.best)
        return self.learner.eval()

    def train_step(self) -> float:
        """One meta-batch, this process's share of it; returns the loss of the whole."""
        torch.manual_seed(number("dropout", self.settings.seed, self.step) + rank())
        self.learner.train()
        batch = self.episodes.meta_batch(self.step)
        mine = [episode.to(self.device) for episode in share(batch)]
        self.optimiser.zero_grad()
        loss = self.learner.meta_loss(mine) * (len(mine) / len(batch))
        loss.backward()
        sum_gradients(self.learner.parameters())
        torch.nn.utils.clip_grad_norm_(self.learner.parameters(), self.settings.clip)
        self.optimiser.step()
        self.step += 1
        return sum_number(loss.item())

    def look(self, loss: float) -> None:
        """Score the validation tasks; keep the weights if they are the best so far."""
        row = {"step": self.step, "loss": loss}
        if self.validate is not None:
            score = self.validate(self.learner.eval()) if rank() == 0 else 0.0
            row["score"] = broadcast(score)
        best = max((past.get("score", 0.0) for past in self.history), default=float("-inf"))
        if self.validate is None or row["score"] > best:
            self.best = deepcopy(self.learner.state_dict())
        self.history.append(row)

    @property
    def stopped(self) -> bool:
        """Whether `patience` looks have passed without a better score."""
        scores = [row["score"] for row in self.history if "score" in row]
        return (
            bool(scores) and len(scores) - 1 - scores.index(max(scores)) >= self.settings.patience
        )

    def save(self, path: Path) -> None:
        """All of the run's state as one safetensors file, replaced at once."""
        tensors = _flatten(
            {
                "model": self.learner.state_dict(),
                "best": self.best,
                "optimiser": self.optimiser.state_dict()["state"],
            }
        )
        header = {
            "step": json.dumps(self.step),
            "history": json.dumps(self.history),
            "identity": json.dumps(self.identity),
        }
        write_atomic(path, save_tensors(tensors, metadata=header))

    def load(self, path: Path) -> None:
        """Take a run up again.

        Raises
        ------
        CheckpointError
            The file is damaged, or of a run with other settings or data.
        """
        tensors, header = read_safetensors(path)
        found = json.loads(header.get("identity", "{}"))
        changed = [key for key, value in self.identity.items() if found.get(key) != value]
        if changed:
            raise CheckpointError(
                f"{path} is of a run with another {', '.join(changed)}; use the same to go on "
                "with it, or another folder for a new run"
            )
        parts = {key: _part(tensors, key) for key in ("model", "best", "optimiser")}
        try:
            self.learner.load_state_dict(parts["model"])
        except RuntimeError as error:
            raise CheckpointError(f"{path} is of another model: {error}") from None
        self.best = {name: tensor.to(self.device) for name, tensor in parts["best"].items()}
        state = self.optimiser.state_dict()
        state["state"] = _unflatten(parts["optimiser"])
        self.optimiser.load_state_dict(state)
        self.step, self.history = json.loads(header["step"]), json.loads(header["history"])

    def history_csv(self) -> str:
        """Step, mean loss since the last look, and validation score of every look."""
        return pd.DataFrame(self.history).to_csv(index=False, lineterminator="\n")


def meta_train(
    experiment: Experiment | str,
    train: Assays,
    validation: Assays | None = None,
    *,
    save_dir: str | Path | None = None,
    device: str = "auto",
    workers: int = 1,
    progress: bool | None = None,
) -> BaseModel:
    """Meta-train a learner on assays.

    A script that `torchrun` starts in several processes calls this inside
    `with molmeta.distributed.processes():`; process 0 writes.

    Parameters
    ----------
    experiment : Experiment or str
        What to build and how to train it; or the name of a shipped one, or a TOML file.
    train, validation : Assays
        Disjoint. Real measurements are made binary at each assay's median if the experiment's
        target is a classification. Assays too small for an episode are left out (and counted in
        the run's README). Without `validation` there is no early stopping.
    save_dir : path, optional
        Gets `model.safetensors`, `config.json`, `history.csv`, `environment.json`, `README.md`,
        and while training `checkpoint.safetensors`; if that is there, the run goes on from it,
        to the same bits as an unbroken one on as many processes.
    device : str
        `auto`, or a torch device.
    workers : int
        Processes that compute features (see `Molecules.compute`).

    Raises
    ------
    MolmetaError
        An assay is in both sets, or none is large enough; or there are more processes than
        episodes in a meta-batch.
    """
    experiment = load_experiment(experiment) if isinstance(experiment, str) else experiment
    settings, sizes = experiment.training, experiment.episodes.support_sizes
    shared = sorted(set(train) & set(validation or {}))
    if shared:
        raise MolmetaError(f"assay {shared[0]} is in both training and validation; leave it in one")
    one_class: list[str] = []
    if experiment.model.target["kind"] == "classification":
        train, one_class = train.binarise_where_possible()
        validation = validation and validation.binarise_where_possible()[0]
    kept, small = large_enough(train.values(), sizes, experiment.episodes.query_size)
    if not kept:
        raise TooFewMeasurements(
            f"none of the {len(train)} assays has the {max(sizes)} + "
            f"{experiment.episodes.query_size} measurements of an episode; lower support_sizes or "
            "query_size in the configuration"
        )
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        learner = experiment.model.build().to(resolve(device))
    episodes = AssayEpisodes(
        kept,
        sizes,
        experiment.episodes.query_size,
        experiment.episodes.meta_batch_size,
        settings.seed,
        learner.described_by,
    )
    validate = None
    if validation:
        looked_at = list(validation.values())
        validate = lambda one: mean_score(one, looked_at, sizes, settings.validation_draws)  # noqa: E731
    identity = {
        "model": asdict(experiment.model),
        "episodes": asdict(experiment.episodes),
        "training data": digest(kept),
        "validation data": digest((validation or {}).values()),
    }
    trainer = MetaTrainer(learner, episodes, settings, validate, identity)
    compute_features(learner, [*kept, *(validation or {}).values()], workers)
    folder = None if save_dir is None else Path(save_dir)
    trainer.run(folder and folder / "checkpoint.safetensors", progress)
    if folder is None or rank() > 0:
        return BaseModel(learner, experiment, tensors_sha256(learner.state_dict()))
    model = save_pretrained(learner, experiment, folder)
    write_atomic(folder / "history.csv", trainer.history_csv().encode())
    write_atomic(folder / "environment.json", environment_json().encode())
    card = model_card(
        model, trainer.history, len(kept), one_class + [assay.name for assay in small]
    )
    write_atomic(folder / "README.md", card.encode())
    return model


def compute_features(learner: Learner, assays: Sequence[Assay], workers: int = 1) -> None:
    """Compute the feature blocks that the learner's encoders read, in one pass."""
    blocks = {name for module in learner.modules() for name in getattr(module, "blocks", ())}
    for assay in assays:
        assay.molecules.compute(*sorted(blocks), workers=workers)


def digest(assays: Iterable[Assay]) -> str:
    """Checksum of names, molecules and values."""
    content = sha256()
    for assay in assays:
        content.update("\n".join([assay.name, *assay.molecules.smiles]).encode())
        content.update(assay.values.tobytes())
    return content.hexdigest()


def _flatten(tree: dict[Any, Any], prefix: str = "") -> dict[str, Tensor]:
    out = {}
    for key, value in tree.items():
        if isinstance(value, Tensor):
            out[f"{prefix}{key}"] = value.detach().cpu().clone().contiguous()
        else:
            out |= _flatten(value, f"{prefix}{key}|")
    return out


def _part(tensors: dict[str, Tensor], key: str) -> dict[str, Tensor]:
    start = f"{key}|"
    return {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}


def _unflatten(tensors: dict[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    out: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        number_, _, key = name.partition("|")
        out.setdefault(int(number_), {})[key] = tensor
    return out

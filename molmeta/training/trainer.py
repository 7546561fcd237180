"""The meta-training loop: episodes in, a learner out; a killed run resumes to the same bits.

Under `torchrun` several processes train one learner: each computes the gradient of its share of
every meta-batch, and all take the same step with the sum.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from molmeta.errors import CheckpointError, ConfigError, MolmetaError
from molmeta.learners import Embedded, Learner
from molmeta.models import Training, tensors_sha256
from molmeta.seeds import number
from molmeta.tasks import Episode
from molmeta.training.distributed import (
    broadcast,
    rank,
    same_as_first,
    share,
    sum_gradients,
    sum_number,
    world_size,
)
from molmeta.training.progress import Progress, read_progress, write_progress

MANY_WEIGHTS = 5_000_000  # more are read and written once a step, not a dozen times
WARM_UP = 0.02  # part of the steps, where the schedule has one

Validate = Callable[[Learner], float]


class Sampler(Protocol):
    """What draws training episodes: `AssayEpisodes`, `NWayKShot`, or one's own."""

    @property
    def meta_batch_size(self) -> int:
        """Episodes a step."""
        ...

    def meta_batch(self, step: int) -> list[Episode]:
        """The episodes of a step, which depend on the step alone."""
        ...


class MetaTrainer:
    """Descent on the meta-loss of drawn episodes, with early stopping on validation tasks.

    The state of a run is (step, weights, best weights, optimiser, history): episodes and dropout
    are drawn from (seed, step), so nothing else is needed to go on after a kill.

    Several processes (see `distributed.py`) give the gradient of one, up to rounding, on the
    same episodes. What a learner draws at random in training, such as dropout, each process
    draws for itself, so that runs on another number of processes differ by that.

    Parameters
    ----------
    learner : Learner
        Trained in place, on the device where it is.
    episodes : Sampler, optional
        Draws the meta-batch of each step; where there is no step, there need be none.
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
        episodes: Sampler | None,
        settings: Training,
        validate: Validate | None = None,
        identity: dict[str, Any] | None = None,
    ) -> None:
        if episodes is not None and episodes.meta_batch_size < world_size():
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
        self.optimiser = _optimiser(learner, settings)
        self.step = 0
        self.seconds = 0.0  # of all sittings up to the last look
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
        start_time = time.monotonic() - self.seconds
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
                self.seconds = time.monotonic() - start_time
                losses = []
                bar.set_postfix(self.history[-1])
                if checkpoint is not None and rank() == 0:
                    self.save(checkpoint)
        self.learner.load_state_dict(self.best)
        return self.learner.requires_grad_(True).eval()

    def train_step(self) -> float:
        """One meta-batch, this process's share of it; returns the loss of the whole."""
        torch.manual_seed(number("dropout", self.settings.seed, self.step) + rank())
        self.learner.train()
        for group in self.optimiser.param_groups:
            group["lr"] = group["highest"] * self._rate()
        assert self.episodes is not None
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

    def _rate(self) -> float:
        """Part of the highest rate at this step."""
        if self.settings.schedule == "constant":
            return 1.0
        warm = min(1.0, (self.step + 1) / max(1, round(WARM_UP * self.settings.steps)))
        return warm * (1 + math.cos(math.pi * self.step / self.settings.steps)) / 2

    def look(self, loss: float) -> None:
        """Score the validation tasks; keep the weights if they are the best so far."""
        row = {"step": self.step, "loss": loss}
        if self.validate is not None:
            score = self.validate(self.learner.eval()) if rank() == 0 else 0.0
            row["score"] = broadcast(score)
            if not math.isfinite(row["score"]):
                raise MolmetaError(
                    f"step {self.step}: the score of the validation tasks is {row['score']}, so "
                    "that no weights can be chosen by it"
                )
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
        """All of the run's state as one file with checksums, replaced at once."""
        tensors = _flatten(
            {
                "model": self.learner.state_dict(),
                "best": self.best,
                "optimiser": self.optimiser.state_dict()["state"],
            }
        )
        progress = Progress(self.step, self.history, self.identity, self.seconds)
        write_progress(path, progress, tensors)

    def load(self, path: Path) -> None:
        """Take a run up again.

        Raises
        ------
        CheckpointError
            The file was changed or is damaged, or is of a run with other settings or data.
        """
        found, tensors = read_progress(path)
        changed = [k for k, value in self.identity.items() if found.identity.get(k) != value]
        if changed:
            raise CheckpointError(
                f"{path} is of a run with another {', '.join(changed)}; use the same to go on "
                "with it, or another folder for a new run"
            )
        parts = {key: _part(tensors, key) for key in ("model", "best", "optimiser")}
        state = _unflatten(parts["optimiser"])
        own = self.learner.state_dict()
        shapes = {name: tensor.shape for name, tensor in own.items()}
        same = all(
            {name: tensor.shape for name, tensor in parts[key].items()} == shapes
            for key in ("model", "best")
        )
        if not same or not _of_optimiser(state, self.optimiser):
            raise CheckpointError(
                f"{path} is of another model: its tensors have other names or shapes; delete it to "
                "begin the run anew"
            )
        self.learner.load_state_dict(parts["model"])
        self.best = {name: tensor.to(self.device) for name, tensor in parts["best"].items()}
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": state})
        self.step, self.history, self.seconds = found.step, found.history, found.seconds

    def history_csv(self) -> str:
        """Step, mean loss since the last look, and validation score of every look."""
        rows = pd.DataFrame(self.history, columns=None if self.history else ["step", "loss"])
        return rows.to_csv(index=False, lineterminator="\n")


def _optimiser(learner: Learner, settings: Training) -> torch.optim.Optimizer:
    """The encoder's weights in a group of their own, or held fast, where that is asked."""
    groups: list[dict[str, Any]] = [{"params": list(learner.parameters())}]
    if settings.encoder_lr is not None:
        if not isinstance(learner, Embedded):
            raise ConfigError(
                f"encoder_lr is for learners on an encoder, not {type(learner).__name__}"
            )
        inner = set(learner.encoder.parameters())
        learner.encoder.requires_grad_(settings.encoder_lr > 0)
        groups = [
            {"params": [p for p in learner.parameters() if p not in inner]},
            {"params": list(learner.encoder.parameters()), "lr": settings.encoder_lr},
        ]
    many = sum(p.numel() for p in learner.parameters()) > MANY_WEIGHTS
    kind = torch.optim.SGD if settings.optimiser == "sgd" else torch.optim.AdamW
    optimiser = kind(groups, lr=settings.lr, weight_decay=settings.weight_decay, fused=many)
    for group in optimiser.param_groups:
        group["highest"] = group["lr"]
    return optimiser


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
    """Tensors of weights by their number; −1 where the name begins with none."""
    out: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        start, _, key = name.partition("|")
        out.setdefault(int(start) if start.isdecimal() else -1, {})[key] = tensor
    return out


def _of_optimiser(state: dict[int, dict[str, Tensor]], optimiser: torch.optim.Optimizer) -> bool:
    """Whether a state is of an optimiser's weights: a number for each, or a tensor as large."""
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    return all(
        0 <= number_ < len(weights)
        and all(tensor.shape in ((), weights[number_].shape) for tensor in kept.values())
        for number_, kept in state.items()
    )

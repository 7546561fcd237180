"""Meta-training: episodes in, a learner out; a killed run resumes to the same bits."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors.torch import save as save_tensors
from torch import Tensor
from tqdm import tqdm

from molmeta.checkpoints import read_safetensors, write_atomic
from molmeta.config import Training
from molmeta.errors import CheckpointError
from molmeta.learner import Learner
from molmeta.sampling import AssayEpisodes
from molmeta.seeds import number

Validate = Callable[[Learner], float]


class MetaTrainer:
    """AdamW on the meta-loss of drawn episodes, with early stopping on validation assays.

    The state of a run is (step, weights, best weights, optimiser, history): episodes and dropout
    are drawn from (seed, step), so nothing else is needed to go on after a kill.

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
    """

    def __init__(
        self,
        learner: Learner,
        episodes: AssayEpisodes,
        settings: Training,
        validate: Validate | None = None,
    ) -> None:
        self.learner, self.episodes = learner, episodes
        self.settings, self.validate = settings, validate
        self.device = next((p.device for p in learner.parameters()), torch.device("cpu"))
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
        """
        if checkpoint is not None and checkpoint.exists():
            self.load(checkpoint)
        hidden = not (sys.stderr.isatty() if progress is None else progress)
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
                if checkpoint is not None:
                    self.save(checkpoint)
        self.learner.load_state_dict(self.best)
        return self.learner.eval()

    def train_step(self) -> float:
        """One meta-batch; returns its loss."""
        torch.manual_seed(number("dropout", self.settings.seed, self.step))
        self.learner.train()
        batch = [episode.to(self.device) for episode in self.episodes.meta_batch(self.step)]
        self.optimiser.zero_grad()
        loss = self.learner.meta_loss(batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.learner.parameters(), self.settings.clip)
        self.optimiser.step()
        self.step += 1
        return loss.item()

    def look(self, loss: float) -> None:
        """Score the validation tasks; keep the weights if they are the best so far."""
        row = {"step": self.step, "loss": loss}
        if self.validate is not None:
            row["score"] = self.validate(self.learner.eval())
        best = max((past.get("score", 0.0) for past in self.history), default=float("-inf"))
        if self.validate is None or row["score"] > best:
            self.best = deepcopy(self.learner.state_dict())
        self.history.append(row)

    @property
    def stopped(self) -> bool:
        """Whether `patience` looks have passed without a better score."""
        scores = [row["score"] for row in self.history if "score" in row]
        return bool(scores) and len(scores) - 1 - scores.index(max(scores)) >= self.settings.patience

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
            "settings": json.dumps(asdict(self.settings)),
        }
        write_atomic(path, save_tensors(tensors, metadata=header))

    def load(self, path: Path) -> None:
        """Take a run up again.

        Raises
        ------
        CheckpointError
            The file is damaged, or of a run with other settings.
        """
        tensors, header = read_safetensors(path)
        settings = json.loads(header["settings"])
        changed = [k for k, v in asdict(self.settings).items() if settings.get(k) != v]
        if changed:
            raise CheckpointError(
                f"{path} is of a run with another {', '.join(changed)}; use the same settings to "
                "go on with it, or another folder for a new run"
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

"""How much of Nguyen et al.'s study is run: for a test, for a night, or as published."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from molmeta.learners import has_quirk
from molmeta.models import Episodes, Experiment, load_experiment

META = ("maml", "fomaml", "anil")
MULTI_TASK = "multi_task"
TRAINED = (*META, MULTI_TASK)


@dataclass(frozen=True)
class Size:
    """What a run of the study costs; the defaults are the published setting.

    Attributes
    ----------
    layers, dim : int
        Of the gated graph network.
    meta_batch_size, meta_steps : int
        Tasks a step, and steps.
    look_every : int
        Steps between two looks at the validation tasks.
    validation_assays : int
        Tasks that are looked at.
    batch, multi_task_epochs : int
        Molecules a batch of multi-task training, and its most epochs.
    model_seeds, split_seeds : int
        Models of each kind, and supports of each size.
    support_sizes : tuple of int
        Measurements to fine-tune on.
    most : int, optional
        Measurements of an assay that are used, at most.
    once : tuple of str
        Kinds of which there is one model, whatever `model_seeds`.
    """

    layers: int = 7
    dim: int = 1024
    meta_batch_size: int = 32
    meta_steps: int = 60_000
    look_every: int = 100
    validation_assays: int = 16
    batch: int = 512
    multi_task_epochs: int = 200
    model_seeds: int = 5
    split_seeds: int = 5
    support_sizes: tuple[int, ...] = (16, 32, 64, 128, 256)
    most: int | None = None
    once: tuple[str, ...] = ()


SIZES = {
    "smoke": Size(
        layers=2,
        dim=64,
        meta_batch_size=4,
        meta_steps=20,
        look_every=10,
        validation_assays=2,
        batch=256,
        multi_task_epochs=2,
        model_seeds=1,
        split_seeds=2,
        support_sizes=(16, 32),
        most=160,
    ),
    "cpu": Size(
        meta_batch_size=8,
        meta_steps=1500,
        look_every=300,
        batch=128,
        multi_task_epochs=20,
        model_seeds=1,
        split_seeds=2,
    ),
    "night": Size(
        meta_batch_size=8,
        meta_steps=15_000,
        look_every=500,
        batch=256,
        model_seeds=3,
        split_seeds=3,
        once=("fomaml", "anil"),
    ),
    "paper": Size(),
}


def experiment(
    kind: str, size: Size, compat: str, seed: int, positive_weight: float = 1.0, epoch: int = 1
) -> Experiment:
    """One of `TRAINED` at a size.

    Parameters
    ----------
    compat : str
        `corrected`, `gsk2020`, or one of its `QUIRKS` (see `learners/released_maml.py`): a loss
        that is divided once needs the step size that the released one amounts to; at the .05 of the
        paper the inner loop overshoots and meta-training diverges.
    positive_weight : float
        The release's weight of actives in training.
    epoch : int
        Batches an epoch of multi-task training has.
    """
    published = load_experiment(f"nguyen2020/{kind}")
    encoder = {**published.model.encoder, "layers": size.layers, "dim": size.dim}
    learner = dict(published.model.learner)
    training = replace(published.training, seed=seed)
    if kind == MULTI_TASK:
        steps = size.multi_task_epochs * epoch
        training = replace(training, steps=steps, evaluate_every=epoch)
    else:
        trained = "corrected" if compat == "weighted_fine_tuning" else compat  # the same network
        learner |= {"compat": trained, "positive_weight": positive_weight}
        if not has_quirk(compat, "divided_twice"):
            # .0016: what the release's double division makes of the .05
            learner["inner_lr"] /= published.from_assays.support_sizes[0]
        looks = math.ceil(size.meta_steps / size.look_every)
        training = replace(
            training, steps=size.meta_steps, evaluate_every=size.look_every, patience=looks
        )
    assert isinstance(published.episodes, Episodes)
    return replace(
        published,
        name=f"{kind}-seed{seed}",
        model=replace(published.model, encoder=encoder, learner=learner),
        episodes=replace(published.episodes, meta_batch_size=size.meta_batch_size),
        training=training,
    )

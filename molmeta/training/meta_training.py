"""Meta-training on assays or on images: an experiment and data in, a model (and its folder) out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from molmeta.errors import ConfigError, MolmetaError, TooFewMeasurements
from molmeta.learners import Embedded, Imitation, Learner, MultiTaskByMolecule
from molmeta.models import (
    BaseModel,
    Batches,
    Episodes,
    Experiment,
    Imitations,
    load_experiment,
)
from molmeta.seeds import torch_seeded
from molmeta.tasks import Assay, AssayEpisodes, Assays, Images, NWayKShot, fits, large_enough
from molmeta.training.cards import listed
from molmeta.training.fixed_encoder import OnVectors, above_fixed
from molmeta.training.imitation_batches import ImitationBatches
from molmeta.training.molecule_batches import MoleculeBatches
from molmeta.training.runs import (
    compute_features,
    digest,
    fit_whitening,
    run_training,
    start_learner,
)
from molmeta.training.scoring import mean_accuracy, mean_score
from molmeta.training.trainer import Sampler


def meta_train(
    experiment: Experiment | str,
    train: Assays,
    validation: Assays | None = None,
    *,
    save_dir: str | Path | None = None,
    encoders_dir: str | Path | None = None,
    device: str = "auto",
    workers: int = 1,
    progress: bool | None = None,
) -> BaseModel:
    """Meta-train a learner on assays.

    A script that `torchrun` starts in several processes calls this inside
    `with molmeta.training.processes():`; process 0 writes.

    Parameters
    ----------
    experiment : Experiment or str
        What to build and how to train it; or the name of a shipped one, or a TOML file.
    train, validation : Assays
        Disjoint. Real measurements are made binary at each assay's median if the experiment's
        target is a classification. Assays too small for an episode are left out (and counted in
        the run's README). Without a `validation` assay that is large enough there is no early
        stopping.
    save_dir : path, optional
        Gets `model.safetensors`, `config.json`, `history.csv`, `environment.json`, `README.md`,
        and while training `checkpoint.safetensors`; if that is there, the run goes on from it,
        to the same bits as an unbroken one on as many processes.
    encoders_dir : path, optional
        Where the experiment that an encoder is from (`encoder_from`) is trained, or found
        trained, in a folder of its name; by default `encoder` in `save_dir`.
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
    drawn, steps = experiment.from_assays, experiment.training.steps
    shared = sorted(set(train) & set(validation or {}))
    if shared:
        raise MolmetaError(f"assay {shared[0]} is in both training and validation; leave it in one")
    one_class: list[str] = []
    if experiment.model.target["kind"] == "classification":
        train, one_class = train.binarise_where_possible()
        validation = validation and validation.binarise_where_possible()[0]
    kept, small = _learned_from(train, drawn) if steps else (list(train.values()), [])
    learner = start_learner(
        experiment,
        device,
        lambda name: meta_train(
            *(name, train, validation),
            save_dir=encoder_folder(name, save_dir, encoders_dir),
            device=device,
            workers=workers,
            progress=progress,
        ),
    )
    sizes, draws = drawn.support_sizes, experiment.training.validation_draws
    looked_at = [
        assay for assay in (validation or {}).values() if any(fits(assay, size) for size in sizes)
    ]

    def validate(one: Learner) -> float:
        used = one if isinstance(one, OnVectors) else one.for_use()
        return mean_score(used, looked_at, sizes, draws)

    targets = [str(t.get("block", "")) for t in getattr(drawn, "targets", ())] if steps else []
    compute_features(learner, [*kept, *looked_at], workers, targets)
    fit_whitening(learner, kept, experiment.training.seed)
    digests = digest(kept), digest(looked_at)
    if steps and isinstance(drawn, Episodes):
        learner, (kept, looked_at) = above_fixed(learner, kept, looked_at)
    sampler = _sampler(kept, drawn, experiment.training.seed, learner) if steps else None
    left_out = one_class + [assay.name for assay in small]
    with torch_seeded("for training", experiment.training.seed):  # heads that it may add
        trained = _in_training(learner, kept, drawn, sampler)
    return run_training(
        experiment,
        trained.to(learner.device),
        sampler,
        validate if looked_at else None,
        digests,
        [
            f"meta-trained on {len(kept)} assays; seed {experiment.training.seed}",
            "left out, as of one class or too small for an episode: " + listed(left_out),
            "selected by mean ΔAUPRC on validation assays",
        ],
        save_dir=save_dir,
        progress=progress,
    )


def _in_training(
    learner: Learner,
    kept: list[Assay],
    drawn: Episodes | Batches | Imitations,
    sampler: Sampler | None,
) -> Learner:
    """The learner with the heads that it is trained by."""
    if isinstance(sampler, ImitationBatches):
        if not isinstance(learner, Embedded):
            raise ConfigError(
                f"targets in [episodes] train an encoder, and {type(learner).__name__} is on none"
            )
        return Imitation(learner, sampler.widths)
    trained = learner.for_training([assay.name for assay in kept])
    if isinstance(drawn, Batches) and sampler is not None:
        return MultiTaskByMolecule.of(trained, drawn.values_weight)
    return trained


def _learned_from(
    train: Assays, drawn: Episodes | Batches | Imitations
) -> tuple[list[Assay], list[Assay]]:
    """The assays that can be learned from, and those that are too small for an episode."""
    if not isinstance(drawn, Episodes):
        return list(train.values()), []
    kept, small = large_enough(train.values(), drawn.support_sizes, drawn.query_size)
    if not kept:
        raise TooFewMeasurements(
            f"none of the {len(train)} assays has the {max(drawn.support_sizes)} + "
            f"{drawn.query_size} measurements of an episode; lower support_sizes or "
            "query_size in the configuration"
        )
    return kept, small


def _sampler(
    kept: list[Assay], drawn: Episodes | Batches | Imitations, seed: int, learner: Learner
) -> Sampler:
    """What draws from the assays."""
    if isinstance(drawn, Imitations):
        return ImitationBatches.of(kept, drawn.targets, drawn.batch_size, seed)  # type: ignore[return-value]
    if isinstance(drawn, Batches):
        return MoleculeBatches.of(kept, drawn.batch_size, seed)  # type: ignore[return-value]
    return AssayEpisodes(
        kept,
        drawn.support_sizes,
        drawn.query_size,
        drawn.meta_batch_size,
        seed,
        learner.described_by,
        drawn.shuffle_classes,
    )


def meta_train_images(
    experiment: Experiment | str,
    train: Images,
    validation: Images | None = None,
    *,
    n_way: int | None = None,
    save_dir: str | Path | None = None,
    device: str = "auto",
    progress: bool | None = None,
) -> BaseModel:
    """Meta-train a learner on images: `meta_train` with classes of images in place of assays.

    Parameters
    ----------
    experiment : Experiment or str
        With `shots` in its episodes; or the name of a shipped one, such as `images/maml`. Its
        encoder is built for the shape of these images.
    train, validation : Images
        Of different classes. Without `validation` there is no early stopping.
    n_way : int, optional
        Classes of a task, in place of the experiment's.
    save_dir, device, progress
        As for `meta_train`.

    Raises
    ------
    MolmetaError
        A class is in both sets; too few classes, or too few images of one; or there are more
        processes than episodes in a meta-batch.
    """
    experiment = load_experiment(experiment) if isinstance(experiment, str) else experiment
    shared = sorted(set(train.names) & set(validation.names if validation else ()))
    if shared:
        raise MolmetaError(f"the class {shared[0]} is in both training and validation")
    drawn = experiment.image_episodes
    experiment = for_images(experiment, train, n_way)
    ways: int = experiment.model.target["n_way"]
    learner = start_learner(
        experiment,
        device,
        lambda name: meta_train_images(
            *(name, train, validation),
            n_way=ways,
            save_dir=encoder_folder(name, save_dir),
            device=device,
            progress=progress,
        ),
    )
    sampler = NWayKShot(
        train,
        ways,
        drawn.shots,
        drawn.query_shots,
        drawn.meta_batch_size(ways),
        experiment.training.seed,
        drawn.changes,
    )

    def validate(one: Learner) -> float:
        assert validation is not None
        draws = experiment.training.validation_draws
        return mean_accuracy(one, validation, ways, drawn.shots, drawn.query_shots, draws)

    return run_training(
        experiment,
        learner,
        sampler,
        validate if validation else None,
        (train.digest(), validation.digest() if validation else ""),
        [
            f"meta-trained on {train.n_classes} classes of images; seed {experiment.training.seed}",
            f"selected by mean accuracy on tasks of {validation.n_classes if validation else 0} "
            "other classes",
        ],
        save_dir=save_dir,
        progress=progress,
    )


def for_images(experiment: Experiment, images: Images, n_way: int | None = None) -> Experiment:
    """The experiment for images of this shape, and tasks of `n_way` classes."""
    channels, size = images.pixels.shape[1:3]
    model = experiment.model
    encoder = {**model.encoder, "in_channels": channels, "size": size}
    target = {**model.target, "n_way": n_way or model.target["n_way"]}
    return replace(experiment, model=replace(model, encoder=encoder, target=target))


def encoder_folder(
    name: str, save_dir: str | Path | None, encoders_dir: str | Path | None = None
) -> Path | None:
    """Where the encoder of another experiment is trained for a run in `save_dir`.

    In `encoders_dir`, which several runs share, unless the run itself has that name there.
    """
    shared = None if encoders_dir is None else Path(encoders_dir) / Path(name).stem
    own = None if save_dir is None else Path(save_dir)
    return own / "encoders" / Path(name).stem if own and shared in (None, own) else shared

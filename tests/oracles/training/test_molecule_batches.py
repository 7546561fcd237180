"""Multi-task training by molecule: values beside labels, on the scale of their assay."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from molmeta.encoders.fingerprint_network import FingerprintNetwork
from molmeta.errors import ConfigError
from molmeta.learners.multi_task import MultiTask, MultiTaskByMolecule, PreTrained
from molmeta.learners.prototypical import Prototypical
from molmeta.learners.quadratic_probe import QuadraticProbe
from molmeta.models.config import Experiment
from molmeta.molecules.molecules import Molecules
from molmeta.tasks.assay import Assay, Assays
from molmeta.tasks.targets import Classification, Regression
from molmeta.training.meta_training import meta_train
from molmeta.training.molecule_batches import MoleculeBatches


@pytest.fixture
def assays(drugs: Molecules) -> list[Assay]:
    """Two with values behind some labels, and one without."""
    rng = np.random.default_rng(0)
    made = []
    for k, rows in enumerate((np.arange(0, 12), np.arange(6, 20), np.arange(3, 25))):
        values = rng.normal(6, 1, len(rows))
        assay = Assay(f"A{k}", drugs[rows], values, Regression(), {}, np.arange(len(rows)) % 5 // 4)
        made.append(assay.binarise(float(np.median(values))))
    return [made[0], made[1], Assay("A2", made[2].molecules, made[2].values, Classification(2))]


def test_values_stand_behind_classes_but_bounds_do_not(assays: list[Assay]) -> None:
    for assay in assays[:2]:
        assert assay.behind is not None and len(assay.behind) == len(assay)
        part = assay.take(np.array([2, 0]))
        np.testing.assert_array_equal(part.behind, assay.behind[[2, 0]])
    unknown = [np.isnan(assay.behind).sum() for assay in assays[:2]]
    assert sum(unknown) > 0, "no bound was kept as a class"


def test_the_loss_is_that_of_dense_matrices(drugs: Molecules, assays: list[Assay]) -> None:
    torch.manual_seed(0)
    network = FingerprintNetwork(16, 8)
    multi = PreTrained(network, QuadraticProbe()).for_training([a.name for a in assays])
    learner = MultiTaskByMolecule.of(multi, 0.5)
    batches = MoleculeBatches.of(assays, 25)
    position = {text: i for i, text in enumerate(drugs.smiles)}
    y, v = torch.full((25, 3), torch.nan), torch.full((25, 3), torch.nan)
    for t, assay in enumerate(assays):
        rows = [position[text] for text in assay.molecules.smiles]
        y[rows, t] = torch.tensor(assay.values).float()
        if assay.behind is not None:
            scaled = (assay.behind - np.nanmean(assay.behind)) / np.nanstd(assay.behind)
            v[rows, t] = torch.tensor(scaled).float()
    h, labelled, measured = network(drugs), y.isfinite(), v.isfinite()
    crossed = F.binary_cross_entropy_with_logits(
        learner.heads(h)[labelled], y[labelled], reduction="sum"
    )
    squared = (learner.value_heads(h)[measured] - v[measured]).square().sum()
    expected = (crossed + 0.5 * squared) / labelled.sum()
    torch.testing.assert_close(learner.meta_loss(batches.meta_batch(0)), expected)
    assert not measured[:, 2].any()


def test_a_value_in_a_wrong_unit_does_not_rule(drugs: Molecules) -> None:
    values = np.r_[np.linspace(5, 7, 23), 5000.0, 6.0]
    batches = MoleculeBatches.of([Assay("A", drugs, values, Regression(6.0))], 25)
    assert batches.value.max() == 4.0
    alike = MoleculeBatches.of([Assay("A", drugs, np.full(25, 6.0), Regression(6.0))], 25)
    assert np.isnan(alike.value).all()


def test_learners_of_episodes_are_refused() -> None:
    with pytest.raises(ConfigError, match="Prototypical is trained by episodes"):
        MultiTaskByMolecule.of(Prototypical(), 0.5)
    assert issubclass(MultiTaskByMolecule, MultiTask)


def spec(steps: int, **training: object) -> dict[str, object]:
    """A small network that is trained by molecules."""
    return {
        "name": "by_molecule",
        "model": {
            "learner": {"name": "quadratic_probe"},
            "encoder": {"name": "fingerprint", "hidden": 32, "dim": 16},
        },
        "episodes": {"batch_size": 64, "support_sizes": [8]},
        "training": {"steps": steps, "evaluate_every": 10, "validation_draws": 1, **training},
    }


def test_it_learns_and_others_begin_with_it(embedded: Assays, tmp_path) -> None:
    names = list(embedded)
    train, validation = embedded.select(names[:6]), embedded.select(names[6:8])
    one = Experiment.from_dict(spec(40, schedule="cosine"))
    model = meta_train(one, train, validation, save_dir=tmp_path / "run", progress=False)
    losses = [float(line.split(",")[1]) for line in _history(tmp_path / "run")]
    assert losses[-1] < 0.9 * losses[0]
    again = meta_train(one, train, validation, save_dir=tmp_path / "run", progress=False)
    assert again.sha256 == model.sha256
    (tmp_path / "by_molecule.toml").write_text(TOML)
    follower = spec(0, encoder_from=str(tmp_path / "by_molecule.toml"))
    encoder = {"name": "whitened", "network": follower["model"]["encoder"]}  # type: ignore[index]
    del follower["episodes"]
    follower["model"] = {"learner": {"name": "gaussian_process"}, "encoder": encoder}
    found = meta_train(
        Experiment.from_dict(follower),
        train,
        validation,
        save_dir=tmp_path / "follower",
        encoders_dir=tmp_path,
        progress=False,
    )
    whitened = found.learner.encoder
    assert (tmp_path / "by_molecule" / "model.safetensors").exists()
    z = whitened(next(iter(train.values())).molecules)
    assert not torch.equal(whitened.factor, torch.eye(16)) and torch.isfinite(z).all()


TOML = """
[model.learner]
name = "quadratic_probe"
[model.encoder]
name = "fingerprint"
hidden = 32
dim = 16
[episodes]
batch_size = 64
support_sizes = [8]
[training]
steps = 10
evaluate_every = 10
validation_draws = 1
"""


def _history(folder) -> list[str]:
    return (folder / "history.csv").read_text().splitlines()[1:]


def test_the_schedule_warms_up_and_falls_to_nothing(embedded: Assays) -> None:
    from molmeta.models.config import Training
    from molmeta.training.trainer import MetaTrainer

    settings = Training(steps=100, lr=0.1, schedule="cosine")
    batches = MoleculeBatches.of(list(embedded.values())[:2], 64)
    learner = MultiTaskByMolecule.of(
        PreTrained(FingerprintNetwork(8, 4), QuadraticProbe()).for_training(["a", "b"]), 0.0
    )
    trainer = MetaTrainer(learner, batches, settings)  # type: ignore[arg-type]
    rates = []
    for step in (0, 1, 50, 99):
        trainer.step = step
        rates.append(trainer._rate())
    assert rates[0] == pytest.approx(0.5) and rates[1] == pytest.approx(1, abs=1e-3)
    assert rates[2] == pytest.approx(0.5) and rates[3] < 1e-3
    with pytest.raises(ConfigError, match="'constant' or 'cosine'"):
        Training(schedule="linear")

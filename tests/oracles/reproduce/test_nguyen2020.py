"""Nguyen et al. 2020: each quirk of the release, fine-tuning and multi-task training, by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor, nn

from molmeta.cli.main import main
from molmeta.cli.reproduce import DEVIATIONS
from molmeta.encoders.ggnn import GGNN
from molmeta.errors import ConfigError
from molmeta.learners.base import Embedded, Learner
from molmeta.learners.multi_task import MultiTaskByMolecule
from molmeta.learners.released_maml import QUIRKS, LogitHead, anil, maml, weighted_loss
from molmeta.models.base import BaseModel
from molmeta.models.config import load_experiment
from molmeta.molecules.molecules import Molecules
from molmeta.reproduce.early_stopping import FineTuning, balance, neighbours_outputs
from molmeta.reproduce.methods import methods_of, parts_of
from molmeta.reproduce.sizes import SIZES, experiment
from molmeta.tasks.assay import Assay
from molmeta.tasks.episode import Episode, Examples
from molmeta.tasks.targets import Classification, Regression
from molmeta.training.molecule_batches import MoleculeBatches

BINARY = Classification(2)


@pytest.fixture
def episode(drugs: Molecules) -> Episode:
    """Steroids and beta blockers among others: 12 to learn from, 13 to be judged on."""
    y = (torch.arange(25) // 5 % 2).long()
    order = torch.randperm(25, generator=torch.Generator().manual_seed(0))
    return Episode(
        *(Examples(drugs[rows], y[rows], BINARY) for rows in (order[:12], order[12:])), "drugs"
    )


def released(kind: str = "maml", **options: float) -> Learner:
    """A small network as the release trains it, in float64."""
    torch.manual_seed(0)
    factory = {"maml": maml, "anil": anil}[kind]
    chosen = {"compat": "gsk2020", "positive_weight": 0.3, "inner_lr": 0.05, "inner_steps": 2}
    return factory(GGNN(layers=2, dim=8), BINARY, **{**chosen, **options}).double()


def logits(network: nn.Module, parameters: dict[str, Tensor], x: Molecules) -> Tensor:
    outputs = torch.func.functional_call(network, parameters, x)
    return outputs[:, 1] - outputs[:, 0]


def test_the_released_inner_loop_by_hand(episode: Episode) -> None:
    """BCEWithLogitsLoss with pos_weight, a mean, then divided by the number of molecules."""
    learner = released()
    network = learner.network
    support = episode.support
    criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(0.3, dtype=torch.float64))
    parameters = {n: p.detach().clone() for n, p in network.named_parameters()}
    for _ in range(2):
        at = {n: p.requires_grad_() for n, p in parameters.items()}
        loss = criterion(logits(network, at, support.x), support.y.double()) / 12
        grads = torch.autograd.grad(loss, list(at.values()))
        pairs = zip(at.items(), grads, strict=True)
        parameters = {n: (p - 0.05 * g).detach() for (n, p), g in pairs}
    state = learner.adapt(support)
    assert set(state) == set(parameters)
    for name, expected in parameters.items():
        assert not torch.equal(state[name], dict(network.named_parameters())[name]), name
        torch.testing.assert_close(state[name], expected, rtol=1e-10, atol=1e-12)


def test_divided_twice_is_the_plain_step_at_a_rate_over_n(episode: Episode) -> None:
    twice = released(positive_weight=1.0).adapt(episode.support)
    plain = released(compat="corrected", inner_lr=0.05 / 12).adapt(episode.support)
    torch.testing.assert_close(dict(twice), dict(plain), rtol=1e-9, atol=1e-12)
    assert 0.05 / 32 == pytest.approx(0.0016, abs=5e-5)  # as the paper's supports of 32 have it


def test_the_released_meta_loss_is_a_weighted_sum(episode: Episode) -> None:
    learner = released()
    other = Episode(episode.query, episode.support, "turned")
    criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(0.3, dtype=torch.float64))
    losses = []
    for one in (episode, other):
        adapted = learner.adapt(one.support)
        losses.append(
            criterion(logits(learner.network, adapted, one.query.x), one.query.y.double())
        )
    torch.testing.assert_close(learner.meta_loss([episode, other]), sum(losses))


def test_the_corrected_meta_loss_is_a_plain_mean(episode: Episode) -> None:
    learner = released(compat="corrected")
    outputs = learner(episode.query.x, learner.adapt(episode.support))
    plain = F.binary_cross_entropy_with_logits(
        outputs[:, 1] - outputs[:, 0], episode.query.y.double()
    )
    torch.testing.assert_close(learner.meta_loss([episode, episode]), plain)


def test_the_released_anil_moves_every_parameter(episode: Episode) -> None:
    learner = released("anil")
    state = learner.adapt(episode.support)
    start = dict(learner.network.named_parameters())
    assert set(state) == set(start) and len(start) == 2 * 6 + 2 + 2
    assert all(not torch.equal(state[name], p) for name, p in start.items())
    torch.testing.assert_close(dict(state), dict(released("maml").adapt(episode.support)))


def test_with_seven_layers_these_are_46_tensors() -> None:
    network = nn.Sequential(GGNN(), LogitHead(1024))
    assert len(list(network.parameters())) == 46


def test_the_corrected_anil_moves_the_head_alone(episode: Episode) -> None:
    learner = released("anil", compat="corrected")
    assert isinstance(learner, Embedded)
    state = learner.adapt(episode.support)
    assert set(state) == {"linear.weight", "linear.bias"}


def test_in_the_test_the_released_anil_tunes_the_head_alone_all_the_same(
    episode: Episode,
) -> None:
    for compat in ("gsk2020", "corrected"):
        (method,) = methods_of("anil", released("anil", compat=compat), compat, FineTuning(), 0)
        assert isinstance(method.encoder, GGNN)
        (method,) = methods_of("maml", released("maml", compat=compat), compat, FineTuning(), 0)
        assert method.encoder is None


def test_actives_weigh_three_ways_as_released() -> None:
    """The mean fraction of actives in training, nothing in selection, n_neg / n_pos in the test."""
    y = torch.tensor([0, 0, 0, 1])
    assert balance(Examples(torch.zeros(4, 1), y, BINARY)) == 3
    outputs = torch.randn(4, 2)
    plain = F.binary_cross_entropy_with_logits(outputs[:, 1] - outputs[:, 0], y.float())
    torch.testing.assert_close(weighted_loss(outputs, y), plain)
    learned = experiment("maml", SIZES["smoke"], "gsk2020", 0, positive_weight=0.25)
    assert learned.model.learner["positive_weight"] == 0.25


@pytest.mark.parametrize("weight", [1.0, 3.0])
def test_the_loss_is_torchs_with_a_positive_weight(weight: float) -> None:
    outputs, y = torch.randn(9, 2), torch.arange(9) % 2
    criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(weight))
    expected = criterion(outputs[:, 1] - outputs[:, 0], y.float())
    torch.testing.assert_close(weighted_loss(outputs, y, weight), expected)


def test_two_scores_of_one_logit_are_its_sigmoid() -> None:
    head, x = LogitHead(4), torch.randn(5, 4)
    torch.testing.assert_close(head(x).softmax(dim=1)[:, 1], torch.sigmoid(head.linear(x)[:, 0]))


def test_each_quirk_alone_is_what_it_says(episode: Episode) -> None:
    """All others are as corrected; together they are the release."""
    corrected, whole = released(compat="corrected"), released()
    one = {quirk: released(compat=quirk) for quirk in QUIRKS}
    half = released(compat="corrected", inner_lr=0.05 / 12)
    divided = one["divided_twice"].meta_loss([episode, episode])
    torch.testing.assert_close(divided, half.meta_loss([episode, episode]))
    plain = corrected.meta_loss([episode, episode])
    torch.testing.assert_close(one["summed"].meta_loss([episode, episode]), 2 * plain)
    weighted = {name: learner.positive_weight for name, learner in one.items()}
    assert weighted == {name: 0.3 if name == "weighted_training" else 1.0 for name in QUIRKS}
    assert one["weighted_training"].meta_loss([episode]) != corrected.meta_loss([episode])
    for name in ("anil_moves_all", "weighted_fine_tuning", "selected_by_stopping_set"):
        torch.testing.assert_close(one[name].meta_loss([episode, episode]), plain)
    for name in QUIRKS:
        learner = released("anil", compat=name)
        assert isinstance(learner, Embedded) is (name != "anil_moves_all"), name
    assert whole.positive_weight == 0.3


def test_the_command_names_every_quirk(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["reproduce", "--help"])
    told = capsys.readouterr().out
    assert all(quirk in told for quirk in QUIRKS)
    assert DEVIATIONS == QUIRKS
    with pytest.raises(SystemExit):  # before any data is read
        main(["reproduce", "nguyen2020", "--compat", "gsk2021"])
    assert "invalid choice: 'gsk2021'" in capsys.readouterr().err


@pytest.mark.parametrize("factory", [maml, anil])
def test_other_targets_and_modes_are_refused(factory) -> None:
    with pytest.raises(ConfigError, match="one logit, for two classes"):
        factory(GGNN(1, 4), Classification(3))
    with pytest.raises(ConfigError, match="one logit, for two classes"):
        factory(GGNN(1, 4), Regression())
    with pytest.raises(ConfigError, match="no compat 'gsk2021'; there is: corrected, gsk2020"):
        factory(GGNN(1, 4), BINARY, compat="gsk2021")


def stopped_by_hand(
    network: nn.Module, support: Examples, watched: Examples, settings: FineTuning, weight: float
) -> dict[str, Tensor]:
    """Torch's Adam, and the release's rule: patience counts losses above the lowest so far."""
    optimiser = torch.optim.Adam(network.parameters(), lr=settings.lr)
    criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(weight))
    lowest, worse, best = None, 0, {}
    for _ in range(settings.epochs):
        optimiser.zero_grad()
        outputs = network(support.x)
        criterion(outputs[:, 1] - outputs[:, 0], support.y.float()).backward()
        optimiser.step()
        with torch.no_grad():
            outputs = network(watched.x)
            loss = criterion(outputs[:, 1] - outputs[:, 0], watched.y.float()).item()
        if lowest is None or loss <= lowest:
            lowest, worse = loss, 0
            best = {n: p.detach().clone() for n, p in network.named_parameters()}
        else:
            worse += 1
            if worse == settings.patience:
                break
    return best


@pytest.mark.parametrize("patience", [1, 3, 200])
def test_fine_tuning_is_torchs_adam_stopped_as_released(patience: int) -> None:
    torch.manual_seed(3)
    x, watched_x = torch.randn(16, 5), torch.randn(20, 5)
    support = Examples(x, (x[:, 0] + torch.randn(16) > 0).long(), BINARY)
    watched = Examples(watched_x, (watched_x[:, 0] + torch.randn(20) > 0).long(), BINARY)
    network = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), LogitHead(8))
    settings = FineTuning(lr=0.05, epochs=60, patience=patience)
    before = {n: p.detach().clone() for n, p in network.named_parameters()}
    tuned = settings(network, support, watched, 2.0)
    for name, parameter in network.named_parameters():
        assert torch.equal(parameter, before[name])
    by_hand = stopped_by_hand(network, support, watched, settings, 2.0)
    torch.testing.assert_close(dict(tuned), by_hand, rtol=1e-3, atol=1e-5)


def test_the_settings_of_fine_tuning_are_the_papers() -> None:
    assert FineTuning() == FineTuning(lr=0.005, epochs=200, patience=10)


@pytest.mark.parametrize(
    ("kind", "lr"), [("maml", 3e-3), ("fomaml", 1.5e-3), ("anil", 3e-3), ("multi_task", 10**-3.75)]
)
def test_hyper_parameters_are_the_papers(kind: str, lr: float) -> None:
    one = load_experiment(f"nguyen2020/{kind}")
    assert one.training.lr == pytest.approx(lr) and one.training.weight_decay == 0
    assert one.training.clip == float("inf")
    encoder = {"name": "ggnn", "layers": 7, "dim": 1024}
    if kind == "multi_task":
        assert one.model.encoder == {**encoder, "dropout": 0.2} and one.training.patience == 20
        return
    assert one.model.encoder == encoder
    options = {k: one.model.learner.get(k) for k in ("inner_lr", "inner_steps", "first_order")}
    first_order = True if kind == "fomaml" else None
    assert options == {"inner_lr": 0.05, "inner_steps": 2, "first_order": first_order}
    drawn = one.episodes
    assert (drawn.support_sizes, drawn.query_size, drawn.meta_batch_size) == ((32,), 32, 32)
    assert (one.training.steps, one.training.evaluate_every) == (60_000, 100)
    assert sum(p.numel() for p in one.model.build().parameters()) == 358_149


def test_the_corrected_step_size_is_what_the_released_one_amounts_to() -> None:
    rates = {"gsk2020": 0.05, "divided_twice": 0.05, "corrected": 0.05 / 32, "summed": 0.05 / 32}
    for compat, expected in rates.items():
        one = experiment("maml", SIZES["paper"], compat, 0)
        assert one.model.learner["inner_lr"] == pytest.approx(expected)


def test_three_neighbours_on_the_vectors_are_scikit_learns() -> None:
    support = Examples(torch.randn(9, 4), torch.arange(9) % 2, BINARY)
    judged = Examples(torch.randn(30, 4), torch.arange(30) % 2, BINARY)
    model = KNeighborsClassifier(3).fit(support.x.numpy(), support.y.numpy())
    shares = neighbours_outputs(support, judged).softmax(dim=1)
    expected = torch.from_numpy(model.predict_proba(judged.x.numpy()))
    torch.testing.assert_close(shares.double(), expected, rtol=0, atol=1e-5)


class TestMultiTask:
    """Training by batches of molecules, with the labels that each has."""

    @pytest.fixture
    def assays(self, drugs: Molecules) -> list[Assay]:
        """Three that share some molecules."""
        rng = np.random.default_rng(0)
        rows = [np.arange(0, 12), np.arange(8, 20), np.arange(5, 25)]
        return [
            Assay(f"A{k}", drugs[r], rng.integers(0, 2, len(r)).astype(float), BINARY)
            for k, r in enumerate(rows)
        ]

    def test_its_loss_is_the_masked_mean_of_a_dense_matrix(self, drugs, assays):
        """As the release's: cross-entropies of all outputs, those with a label averaged."""
        batches = MoleculeBatches.of(assays, 25)
        torch.manual_seed(0)
        encoder = GGNN(2, 8)
        learner = MultiTaskByMolecule(Embedded(encoder, _Nothing()), encoder, ["A0", "A1", "A2"])
        position = {text: i for i, text in enumerate(drugs.smiles)}
        y = torch.full((25, 3), -1.0)
        for t, assay in enumerate(assays):
            for text, value in zip(assay.molecules.smiles, assay.values, strict=True):
                y[position[text], t] = value
        outputs = learner.heads(encoder(drugs))
        dense = F.binary_cross_entropy_with_logits(outputs, y, reduction="none")
        expected = dense[y != -1].mean()
        torch.testing.assert_close(learner.meta_loss(batches.meta_batch(0)), expected)
        assert batches.loss(learner) == pytest.approx(expected.item(), rel=1e-6)
        smaller = MoleculeBatches.of(assays, 7)
        assert smaller.loss(learner) == pytest.approx(expected.item(), rel=1e-6)

    def test_an_epoch_shows_each_molecule_once_and_all_its_labels(self, drugs, assays):
        batches = MoleculeBatches.of(assays, 7, seed=1)
        assert batches.epoch == 4
        for epoch in (0, 1):
            seen, labels = [], 0
            for step in range(4 * epoch, 4 * epoch + 4):
                for part in batches.meta_batch(step):
                    seen += part.x.smiles
                    labels += len(part.y)
            assert sorted(seen) == sorted(drugs.smiles)
            assert labels == sum(map(len, assays))
        orders = [[p.x.smiles for p in batches.meta_batch(step)] for step in (0, 4, 0)]
        assert orders[0] == orders[2] != orders[1]

    def test_molecules_that_are_held_out_are_in_no_batch(self, drugs, assays):
        held_out = frozenset(drugs.smiles[:10])
        batches = MoleculeBatches.of(assays, 100, keep=frozenset(drugs.smiles) - held_out)
        assert not held_out & set(batches.molecules.smiles)
        assert len(batches.y) == sum(
            text not in held_out for assay in assays for text in assay.molecules.smiles
        )

    def test_heads_start_as_xaviers(self, assays):
        encoder = GGNN(1, 8)
        heads = MultiTaskByMolecule(
            Embedded(encoder, _Nothing()), encoder, [a.name for a in assays]
        ).heads
        bound = (6 / (8 + 3)) ** 0.5
        assert 0.7 * bound < heads.weight.abs().max() <= bound and heads.bias.abs().max() == 0

    def test_finetune_all_and_top_begin_with_the_same_new_head(self):
        one = load_experiment("nguyen2020/multi_task")
        with torch.random.fork_rng():
            learner = one.model.build()
        model = BaseModel(learner, one, "")
        whole, top, neighbours = methods_of(
            "multi_task", model.learner, "corrected", FineTuning(), 4
        )
        assert [m.name for m in (whole, top, neighbours)] == [
            *("fine_tune_all", "fine_tune_top", "knn")
        ]
        heads = [whole.predict.args[-1][1], top.predict.args[-1]]
        assert torch.equal(heads[0].linear.weight, heads[1].linear.weight)
        again = methods_of("multi_task", model.learner, "corrected", FineTuning(), 5)[1]
        assert not torch.equal(again.predict.args[-1].linear.weight, heads[1].linear.weight)


def test_the_parts_of_a_learner_are_its_encoder_and_head() -> None:
    for kind in ("maml", "anil"):
        for compat in ("corrected", "gsk2020"):
            encoder, head = parts_of(released(kind, compat=compat))
            assert isinstance(encoder, GGNN) and isinstance(head, LogitHead)


class _Nothing(Learner):
    """Stands where a learner stands that is not trained."""

    targets = (Classification,)

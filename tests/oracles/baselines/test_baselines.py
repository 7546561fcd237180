"""Baselines equal scikit-learn and RDKit, called directly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from rdkit import DataStructs
from rdkit.Chem import rdFingerprintGenerator
from sklearn import linear_model
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import average_precision_score
from sklearn.model_selection import cross_val_score

from molmeta import metrics
from molmeta.baselines import random_forest as forest
from molmeta.baselines.logistic_regression import LogisticRegression
from molmeta.baselines.nearest_neighbours import NearestNeighbours
from molmeta.baselines.random_forest import RandomForest
from molmeta.encoders.features import Features, read_block
from molmeta.learners.base import Embedded
from molmeta.learners.functional import canonical_order, tanimoto
from molmeta.molecules.molecules import Molecules
from molmeta.tasks.episode import Examples
from molmeta.tasks.sampling import evaluation_episode
from molmeta.tasks.targets import Classification, Regression


def test_the_forest_on_a_real_assay_is_scikit_learns(embedded):
    assay = embedded["CHEMBL2047_EC50"].binarise()
    assay = replace(assay, molecules=Molecules(assay.molecules.smiles))  # without the other 29
    episode = evaluation_episode(assay, support_size=64, draw=0)
    learner = Embedded(Features(["ecfp4", "descriptors"]), RandomForest(n_trees=50))
    outputs = learner(episode.query.x, learner.adapt(episode.support))
    ours = metrics.delta_auprc(episode.query.y, episode.target.score(outputs))

    support, query = (
        torch.cat([read_block(part.x, name) for name in ("ecfp4", "descriptors")], 1).numpy()
        for part in (episode.support, episode.query)
    )
    order = np.lexsort(np.column_stack([episode.support.y, support]).T[::-1])
    forest = RandomForestClassifier(50, random_state=0)
    forest.fit(support[order], episode.support.y.numpy()[order])
    votes = forest.predict_proba(query)[:, 1]
    y = episode.query.y.numpy()
    expected = average_precision_score(y, votes) - y.mean()
    assert expected > 0.05
    assert ours == pytest.approx(expected, abs=1e-9)
    np.testing.assert_allclose(
        outputs[:, 1].exp().numpy(), np.maximum(votes, 1e-4), rtol=1e-5, atol=0
    )


def test_tanimoto_equals_rdkit_on_counts(molecules, rdkit_molecules):
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    prints = [generator.GetCountFingerprint(mol) for mol in rdkit_molecules]
    expected = [[DataStructs.TanimotoSimilarity(a, b) for b in prints[:9]] for a in prints]
    rows = read_block(molecules, "ecfp4")
    found = tanimoto(rows, rows[:9])
    torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-6, atol=1e-6)


def test_one_neighbour_is_the_most_similar_molecule_of_rdkit(drugs):
    support, query = drugs[::2], drugs[1::2]
    values = torch.arange(len(support)).float()
    learner = Embedded(Features(["ecfp4"]), NearestNeighbours(k=1))
    state = learner.adapt(Examples(support, values, Regression()))
    similarity = tanimoto(read_block(query, "ecfp4"), read_block(support, "ecfp4"))
    nearest = similarity.argmax(dim=1)
    best = similarity.max(dim=1, keepdim=True).values
    clear = (similarity == best).sum(dim=1) == 1
    assert clear.sum() >= 8
    torch.testing.assert_close(learner(query, state)[clear, 0], values[nearest][clear])


def test_neighbours_vote_by_their_similarity():
    x = torch.tensor([[4.0, 0.0], [2.0, 2.0], [0.0, 9.0]])
    support = Examples(x, torch.tensor([0, 1, 1]), Classification(2))
    learner = NearestNeighbours(k=2)
    outputs = learner(torch.tensor([[4.0, 1.0]]), learner.adapt(support))
    first, second = 4 / 5, 3 / 6  # min over max, of the first and the second row
    expected = torch.tensor([[first, second]]) / (first + second)
    torch.testing.assert_close(outputs.softmax(1), expected, rtol=1e-5, atol=1e-5)


def test_canonical_order_does_not_depend_on_the_order_of_the_rows():
    x = torch.randint(0, 2, (20, 3)).float()  # many rows are equal
    y = torch.randint(0, 2, (20,))
    shuffle = torch.randperm(20)
    first, second = canonical_order(x, y), canonical_order(x[shuffle], y[shuffle])
    assert sorted(first.tolist()) == list(range(20))
    assert torch.equal(x[first], x[shuffle][second])
    assert torch.equal(y[first], y[shuffle][second])


def test_features_lay_blocks_side_by_side():
    x = Molecules(["CCO", "c1ccccc1", "CC(=O)O"])
    rows = Features(["descriptors", "ecfp4"])(x[[2, 0]])
    assert rows.shape == (2, 11 + 2048)
    torch.testing.assert_close(rows[:, :11], read_block(x, "descriptors")[[2, 0]])
    torch.testing.assert_close(rows[:, 11:], read_block(x, "ecfp4")[[2, 0]])


@pytest.mark.parametrize("offset", [0.0, 7.0, 300.0, 10_000.0])
def test_the_variance_of_neighbours_does_not_depend_on_where_the_labels_lie(offset):
    x = torch.eye(3) + 0.5  # three rows that are equally similar to the query
    y = offset + torch.tensor([-1.0, 0.0, 1.0])
    learner = NearestNeighbours(k=3)
    outputs = learner(torch.ones(1, 3), learner.adapt(Examples(x, y, Regression())))
    expected = torch.tensor([[offset, np.log(2 / 3 + 1e-4)]], dtype=torch.float32)
    torch.testing.assert_close(outputs, expected, rtol=1e-5, atol=1e-5)


def rows(part):
    blocks = [read_block(part.x, name) for name in ("ecfp4", "descriptors")]
    return torch.cat(blocks, 1).numpy().astype(np.float64)


@pytest.mark.parametrize("c", [1.0, 0.1])
def test_logistic_regression_is_scikit_learns(embedded, c):
    assay = embedded["CHEMBL2047_EC50"]
    assay = replace(assay, molecules=Molecules(assay.molecules.smiles))
    for task in (assay.binarise(), assay.measured()):
        episode = evaluation_episode(task, support_size=64, draw=0)
        learner = Embedded(Features(["ecfp4", "descriptors"]), LogisticRegression(c))
        found = episode.target.score(learner(episode.query.x, learner.adapt(episode.support)))
        x, query = (rows(part) for part in (episode.support, episode.query))
        x, query = (np.sign(part) * np.log1p(np.abs(part)) for part in (x, query))
        y = episode.support.y.numpy()
        if isinstance(task.target, Classification):
            model = linear_model.LogisticRegression(C=c, max_iter=1000).fit(x, y)
            expected = model.predict_proba(query)[:, 1]
        else:
            expected = linear_model.Ridge(alpha=1 / c).fit(x, y).predict(query)
        np.testing.assert_allclose(found.numpy(), expected, rtol=2e-3, atol=2e-3)


def test_a_forest_of_the_grid_is_the_best_in_cross_validation(embedded, monkeypatch):
    monkeypatch.setattr(forest, "GRID", {"n_estimators": [2, 40], "max_depth": [1, None]})
    assay = embedded["CHEMBL2047_EC50"].binarise()
    assay = replace(assay, molecules=Molecules(assay.molecules.smiles))
    support = evaluation_episode(assay, support_size=32, draw=0).support
    x, y = rows(support), support.y.numpy()
    found = RandomForest(grid=True).fit(x, y, 2)
    scores = {
        (n, depth): cross_val_score(
            RandomForestClassifier(n, max_depth=depth, random_state=0), x, y, cv=5
        ).mean()
        for n in (2, 40)
        for depth in (1, None)
    }
    assert scores[found.n_estimators, found.max_depth] == max(scores.values())
    alone = RandomForest(7, grid=True).fit(x[:3], np.array([0, 1, 1]), 2)
    assert len(alone.estimators_) == 7, "one inactive molecule leaves nothing to validate on"

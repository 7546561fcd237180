"""A new assay from its description alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from molmeta import registry
from molmeta.datasets.chembl import load_embedded
from molmeta.errors import MolmetaError, UnsupportedTarget
from molmeta.models.config import Episodes, Training, load_experiment
from molmeta.molecules.molecules import Molecules
from molmeta.tasks.assay import Assays
from molmeta.tasks.descriptions import described, descriptions
from molmeta.tasks.sampling import evaluation_episode
from molmeta.training.meta_training import meta_train
from molmeta.training.scoring import score_learner

NAMES = ["CHEMBL2047_EC50", "CHEMBL1862_Ki", "CHEMBL4616_EC50", "CHEMBL2971_Ki"]


@pytest.fixture(scope="module")
def assays():
    picked = [load_embedded()[name].take(np.arange(60)).binarise() for name in NAMES]
    return Assays(replace(a, molecules=Molecules(a.molecules.smiles)) for a in picked)


def test_a_description_says_what_is_known(assays):
    texts = descriptions(assays["CHEMBL1862_Ki"].info)
    assert texts == [
        "inactive on Kinase, Tyrosine-protein kinase ABL1, Ki",
        "active on Kinase, Tyrosine-protein kinase ABL1, Ki",
    ]
    assert descriptions({"description": "kills weeds"})[1] == "active on kills weeds"
    with pytest.raises(MolmetaError, match="no description"):
        descriptions({"active": "above the median"})


def test_hashed_texts_are_near_where_they_share_words():
    vectors = registry.lookup("text", "hashing")()(
        ["mu opioid receptor", "kappa opioid receptor", "tyrosine kinase"]
    )
    assert vectors.shape == (3, 512)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2


def test_every_embedded_assay_has_a_description_of_its_own():
    texts = {descriptions(assay.info)[1] for assay in load_embedded().values()}
    assert len(texts) == 30


def test_minilm_says_how_to_install_it_or_works():
    encode = registry.lookup("text", "minilm")()
    try:
        vectors = encode(["mu opioid receptor", "kappa opioid receptor", "a cake recipe"])
    except MolmetaError as error:
        assert "molmeta[text]" in str(error)
    else:
        assert vectors.shape == (3, 384)
        assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]


def test_the_query_is_that_of_the_other_learners_and_the_support_is_words(assays):
    assay = assays["CHEMBL2047_EC50"]
    usual, zero = (evaluation_episode(assay, 16, 0, described_by=by) for by in (None, "hashing"))
    assert zero.query.x.smiles == usual.query.x.smiles
    assert zero.support.y.tolist() == [0, 1]
    assert zero.support.x.shape == (2, 512)


def test_an_assay_that_is_not_binary_is_refused():
    with pytest.raises(UnsupportedTarget, match="threshold"):
        described(load_embedded()["CHEMBL2047_EC50"], "hashing")


def test_trained_scored_and_adapted_without_a_measurement(assays):
    experiment = replace(
        load_experiment("zero_shot"),
        episodes=Episodes((8,), 16, 2),
        training=Training(steps=2, evaluate_every=2, validation_draws=1),
    )
    train, rest = assays.select(NAMES[:3]), assays.select(NAMES[3:])
    base = meta_train(experiment, train, rest, progress=False)
    scores = list(score_learner(base.learner, rest.values(), (8,), 2))
    assert len(scores) == 4  # two draws, two metrics
    unmeasured = rest[NAMES[3]].take(np.arange(0))
    predicted = base.adapt(unmeasured).predict(rest[NAMES[3]].molecules)
    with torch.no_grad():
        state = base.learner.adapt(described(unmeasured, "hashing"))
        outputs = base.learner(rest[NAMES[3]].molecules, state)
    np.testing.assert_allclose(predicted, outputs.softmax(1)[:, 1].numpy(), atol=1e-5)
    assert np.ptp(predicted) > 0

"""scikit-learn's conventions, on every learner and baseline that can serve an estimator."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from rdkit import Chem
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline

from molmeta import FewShotClassifier, FewShotRegressor, MolmetaError
from molmeta.errors import ConfigError, OneClassSupport
from molmeta.evaluation.protocol import Protocol
from molmeta.evaluation.trained_models import configured
from molmeta.models.base import BaseModel
from molmeta.models.checkpoints import untrained
from molmeta.models.config import experiment_names

SHIPPED = ["default"]
SLOW = {"fine_tune_all", "few_shot_gnn"}  # with these a refit takes seconds
# gradient steps from weights that no assay trained, at rates that were chosen for classes
BY_GRADIENT = ("maml", "fomaml", "anil", "reptile")
DIVERGE = {(name + on, "regression") for name in BY_GRADIENT for on in ("", "_fingerprint")}
READ_NO_MOLECULES = {"zero_shot", "zero_shot_fingerprint", "label_only"}
NAMES = [name for name in experiment_names() if name not in READ_NO_MOLECULES]


@cache
def model(name: str, kind: str) -> BaseModel | str | None:
    """A model by name, its weights as they start; None where it does not learn this kind."""
    if name in SHIPPED:
        return name
    try:
        return untrained(configured(name, Protocol(measured=kind == "regression")))
    except ConfigError:
        return None


CASES = [
    (name, kind)
    for name in (*SHIPPED, *NAMES)
    for kind in ("classification", "regression")
    if (name, kind) not in DIVERGE and model(name, kind) is not None
]
Make = Callable[..., FewShotClassifier | FewShotRegressor]


def maker(name: str, kind: str) -> Make:
    """Makes new estimators; calibration is asked for where it is looked at."""
    made = FewShotClassifier if kind == "classification" else FewShotRegressor
    return lambda **options: made(model(name, kind), **{"calibrate": False, **options})


@pytest.fixture(params=CASES, ids="-".join)
def case(request: pytest.FixtureRequest) -> tuple[str, str]:
    return request.param


@pytest.fixture
def kind(case: tuple[str, str]) -> str:
    return case[1]


@pytest.fixture
def make(case: tuple[str, str]) -> Make:
    return maker(*case)


@pytest.fixture
def fast(case: tuple[str, str]) -> Make:
    if case[0] in SLOW:
        pytest.skip("a refit takes seconds")
    return maker(*case)


@pytest.fixture(scope="module")
def data(drugs) -> tuple[list[str], dict[str, np.ndarray]]:
    """25 drugs, and labels of both kinds."""
    smiles = drugs.smiles
    y = np.array([text.count("c") / 2 + len(text) / 20 for text in smiles])
    return smiles, {"classification": np.where(y > np.median(y), "yes", "no"), "regression": y}


@pytest.fixture(autouse=True)
def _quiet() -> None:
    """The forest's own warning of classes of numbers in regressions is not what is looked at."""
    warnings.filterwarnings("ignore", category=UserWarning, module="sklearn")


def test_fit_returns_self_and_predictions_have_a_row_each(make, data, kind):
    smiles, labels = data
    estimator = make()
    assert estimator.fit(smiles[:16], labels[kind][:16]) is estimator
    predicted = estimator.predict(smiles[16:])
    assert predicted.shape == (9,)
    if kind == "classification":
        assert is_classifier(estimator) and set(predicted) <= {"no", "yes"}
        assert_array_equal(estimator.classes_, ["no", "yes"])
        p = estimator.predict_proba(smiles[16:])
        assert p.shape == (9, 2) and np.isfinite(p).all()
        assert_allclose(p.sum(axis=1), 1)
        assert_array_equal(estimator.classes_[(p[:, 1] > 0.5).astype(int)], predicted)
    else:
        assert is_regressor(estimator) and np.isfinite(predicted).all()
    assert 0 <= estimator.score(smiles[16:], predicted) <= 1


def test_what_the_molecules_come_in_does_not_matter(make, data, kind):
    smiles, labels = data
    y = labels[kind][:12]
    shapes = [
        smiles[:12],
        tuple(smiles[:12]),
        np.array(smiles[:12]),
        np.array(smiles[:12], dtype=object)[:, None],
        pd.Series(smiles[:12], index=range(100, 112)),
        pd.DataFrame({"smiles": smiles[:12]}),
        [Chem.MolFromSmiles(text) for text in smiles[:12]],
    ]
    expected = None
    for X in shapes:
        found = score_of(make().fit(X, pd.Series(y, index=range(50, 62))), smiles[12:])
        expected = found if expected is None else expected
        assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def score_of(estimator: FewShotClassifier | FewShotRegressor, smiles: list[str]) -> np.ndarray:
    if isinstance(estimator, FewShotClassifier):
        return estimator.predict_proba(smiles)[:, 1]
    return estimator.predict(smiles)


def test_nothing_that_is_given_is_changed(make, data, kind):
    smiles, labels = data
    X, y = pd.Series(smiles[:12]), labels[kind][:12].copy()
    before = X.copy(), y.copy()
    make().fit(X, y).predict(X)
    assert_array_equal(X, before[0])
    assert_array_equal(y, before[1])


def test_before_fit_it_says_so(make, data, kind):
    smiles, _ = data
    with pytest.raises(NotFittedError):
        make().predict(smiles)
    with pytest.raises(NotFittedError):
        make().assess(smiles)


def test_it_is_cloned_unfitted_and_its_parameters_are_its_arguments(make, data, kind):
    smiles, labels = data
    estimator = make(confidence=0.7).fit(smiles[:12], labels[kind][:12])
    other = clone(estimator)
    assert not hasattr(other, "trusted_") and other.confidence == 0.7
    assert set(estimator.get_params()) == {"model", "calibrate", "confidence", "device"}
    other.set_params(confidence=0.9)
    assert estimator.confidence == 0.7 and other.confidence == 0.9
    assert_allclose(
        score_of(other.fit(smiles[:12], labels[kind][:12]), smiles[12:]),
        score_of(estimator, smiles[12:]),
        rtol=1e-6,
        atol=1e-6,
    )


def test_a_second_fit_forgets_the_first(make, data, kind):
    smiles, labels = data
    once = make().fit(smiles[5:20], labels[kind][5:20])
    twice = make().fit(smiles[:12], labels[kind][:12]).fit(smiles[5:20], labels[kind][5:20])
    assert_allclose(score_of(once, smiles), score_of(twice, smiles), rtol=1e-6, atol=1e-6)


def test_it_survives_a_pickle(make, data, kind):
    smiles, labels = data
    estimator = make().fit(smiles[:12], labels[kind][:12])
    again = pickle.loads(pickle.dumps(estimator))
    assert_allclose(score_of(again, smiles), score_of(estimator, smiles), rtol=1e-6, atol=1e-6)


def test_cross_validation_search_and_pipeline_take_it(fast, data, kind):
    smiles, labels = data
    X, y = np.array(smiles), labels[kind]
    scores = cross_val_score(fast(), X, y, cv=3)
    assert scores.shape == (3,) and np.isfinite(scores).all()
    search = GridSearchCV(fast(), {"confidence": [0.7, 0.9]}, cv=2).fit(X, y)
    assert search.best_params_["confidence"] in (0.7, 0.9)
    piped = Pipeline([("estimator", fast())]).fit(X, y)
    assert piped.predict(X).shape == (25,)


def test_a_bad_molecule_never_shifts_or_stops_the_rest(make, data, kind):
    smiles, labels = data
    estimator = make().fit(smiles[:12], labels[kind][:12])
    mixed = [smiles[12], "nomolecule", smiles[13], "", None, smiles[14]]
    told = estimator.assess(mixed)
    assert told["status"].tolist() == ["ok", "invalid", "ok", "empty", "empty", "ok"]
    with pytest.warns(UserWarning, match="no prediction for row 1: .*; row 3: .*; row 4"):
        found = score_of(estimator, mixed)
    assert_array_equal(np.isnan(found), [False, True, False, True, True, False])
    alone = score_of(estimator, smiles[12:15])
    assert_allclose(found[[0, 2, 5]], alone, rtol=1e-5, atol=1e-5)
    with pytest.warns(UserWarning, match="no prediction for row 1"):
        labels = estimator.predict(mixed)
    assert_array_equal(pd.isna(labels), np.isnan(found))
    assert_array_equal(labels[[0, 2, 5]], estimator.predict(smiles[12:15]))
    if kind == "regression":
        with pytest.warns(UserWarning, match="no prediction for row 1"):
            mean, std = estimator.predict(mixed, return_std=True)
        assert_array_equal(mean, labels)
        assert_array_equal(np.isnan(std), np.isnan(found))
        assert (std[~np.isnan(std)] > 0).all()


def test_a_fit_that_fails_leaves_nothing_fitted(make, data, kind):
    smiles, labels = data
    y = labels[kind]
    for fitted in (make(), make().fit(smiles[:12], y[:12])):
        with pytest.raises(MolmetaError, match="12 molecules have 11 labels"):
            fitted.fit(smiles[:12], y[:11])
        assert not [name for name in vars(fitted) if name.endswith("_")]
        for ask in (fitted.predict, fitted.assess):
            with pytest.raises(NotFittedError):
                ask(smiles)


def test_what_cannot_be_read_is_left_out_of_a_fit(make, data, kind):
    smiles, labels = data
    y = labels[kind]
    with pytest.warns(UserWarning, match=r"2 molecules cannot be read, .*: row 12, 'C\(C': RDKit"):
        fitted = make().fit([*smiles[:12], "C(C", ""], [*y[:12], y[0], y[1]])
    assert fitted.n_measured_ == len(set(smiles[:12]))
    assert list(fitted.report_.rejected["row"]) == [13, 14]
    assert_array_equal(fitted.predict(smiles), make().fit(smiles[:12], y[:12]).predict(smiles))


def test_it_is_shown_in_a_line(make, data, kind):
    smiles, labels = data
    estimator = make(confidence=0.9, device="cpu").fit(smiles[:12], labels[kind][:12])
    assert "confidence=0.9" in repr(estimator)
    assert len(repr(estimator)) < 160 and "\n" not in repr(estimator)


def test_what_is_wrong_with_the_measurements_is_said(make, data, kind):
    smiles, labels = data
    y = labels[kind]
    with pytest.raises(MolmetaError, match="no row has both a readable SMILES and"):
        make().fit(["C(C", "foo", "", "x"], y[:4])
    with pytest.raises(MolmetaError, match="5 molecules have 4 labels"):
        make().fit(smiles[:5], y[:4])
    with pytest.raises(MolmetaError, match="not a single one"):
        make().fit("CCO", y[:1])
    if kind == "classification":
        with pytest.raises(OneClassSupport, match="all 5 labels are 'yes'"):
            make().fit(smiles[:5], ["yes"] * 5)
        with pytest.raises(MolmetaError, match="there are 3 labels"):
            make().fit(smiles[:3], ["a", "b", "c"])
        with pytest.raises(MolmetaError, match="labels are missing: row 1"):
            make().fit(smiles[:3], ["a", None, "b"])
    else:
        with pytest.raises(MolmetaError, match=r"no finite numbers, .*: row 1: 'high'"):
            make().fit(smiles[:3], [5, "high", 6])


def test_a_model_that_diverges_is_refused(data):
    smiles, labels = data
    with pytest.raises(MolmetaError, match="the model 'fomaml_fingerprint' diverged"):
        maker("fomaml_fingerprint", "regression")().fit(smiles[:12], labels["regression"][:12])

"""Compare, suggest, explain and check on real assays, as a chemist does."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rdkit import Chem, DataStructs

from molmeta import FewShotRegressor
from molmeta.cli.main import main
from molmeta.errors import MolmetaError, TooFewMeasurements
from molmeta.metrics import resampled_interval
from molmeta.models import Trusted
from molmeta.models.checkpoints import from_pretrained
from molmeta.molecules.identity import ecfp4_bits, read_mol, scaffolds
from molmeta.molecules.molecules import Molecules
from molmeta.tasks.assay import Assay, Assays
from molmeta.tasks.targets import Classification, Regression
from molmeta.workbench.comparison import Comparison
from molmeta.workbench.cross_validation import compare, linear_probe_of, standard_models
from molmeta.workbench.explanations import (
    atom_contributions,
    draw_molecule,
    influences,
    raw_score,
    similar_assays,
)
from molmeta.workbench.suggestion import suggest

FAST = ("default", "nearest_neighbours", "random_forest")


@pytest.fixture(scope="module")
def values(embedded: Assays) -> Assay:
    """48 measurements of the beta of glucocorticoids' receptor, in a store of their own."""
    one = embedded["CHEMBL2034_Ki"]
    part = one.take(np.random.default_rng(1).permutation(len(one))[:48])
    return Assay("GR", part.molecules.apart(), part.values, Regression(), part.info)


@pytest.fixture(scope="module")
def binary(values: Assay) -> Assay:
    return values.binarise()


@pytest.fixture(scope="module")
def fast_models():
    """A forest of few trees: what is looked at is the comparison."""
    models = {name: from_pretrained(name) for name in FAST}
    models["random_forest"].learner.learner.n_trees = 20
    return models


@pytest.fixture(scope="module")
def compared(binary: Assay, fast_models) -> Comparison:
    return compare(binary, fast_models, repeats=2)


@pytest.fixture(scope="module")
def library(embedded: Assays) -> tuple[list[Chem.Mol], np.ndarray]:
    """160 molecules, and scores."""
    smiles = embedded["CHEMBL2034_Ki"].molecules.smiles[:160]
    return [read_mol(text) for text in smiles], np.random.default_rng(0).random(160)


class TestCompare:
    def test_processes_change_nothing_and_the_time_is_told_first(self, binary, fast_models):
        said: list[str] = []
        models = {name: fast_models[name] for name in ("nearest_neighbours", "random_forest")}
        alone = compare(binary, models, repeats=1)
        together = compare(binary, models, repeats=1, workers=2, say=said.append)
        pd.testing.assert_frame_equal(alone.scores, together.scores)
        pd.testing.assert_frame_equal(alone.curve, together.curve)
        (told,) = said
        assert re.fullmatch(r"comparing 2 models by \d+ fits: about \d+ (seconds|minutes)", told)

    def test_folds_are_those_that_are_promised(self, compared, binary):
        scores = compared.scores
        assert set(scores["learner"]) == set(FAST)
        for _, part in scores.groupby(["split", "learner", "metric"]):
            assert len(part) <= 8 and set(part["repeat"]) == {0, 1}
        assert (scores[scores["split"] == "stratified"]["size"] == 36).all()
        counts = scores.groupby(["split", "learner", "metric"]).size().unstack("learner")
        assert (counts.nunique(axis=1) == 1).all()  # the same folds for all

    def test_scaffold_folds_share_no_scaffold(self, binary):
        from molmeta.workbench.cross_validation import SCAFFOLD, _folds

        kinds = np.array(scaffolds(binary.molecules.smiles))
        fold = _folds(binary, SCAFFOLD, list(kinds), 0)
        assert set(fold) == {0, 1, 2, 3}
        for kind in set(kinds):
            assert len(set(fold[kinds == kind])) == 1

    def test_differences_are_paired_with_the_forests(self, compared):
        table = compared.summary()
        forest = table[table["learner"] == "random_forest"]
        assert (forest[["difference", "low", "high"]] == 0).to_numpy().all()
        part = compared.scores
        part = part[(part["split"] == "stratified") & (part["metric"] == "roc_auc")]
        wide = part.pivot_table(index=["repeat", "fold"], columns="learner", values="value")
        expected = resampled_interval(wide["default"] - wide["random_forest"], 1 / 3)
        row = table.set_index(["split", "metric", "learner"]).loc[
            ("stratified", "roc_auc", "default")
        ]
        assert (row["difference"], row["low"], row["high"]) == pytest.approx(
            (expected.mean, expected.low, expected.high)
        )

    def test_it_says_use_the_forest_where_the_forest_wins(self, compared):
        def with_gain(gain: float) -> str:
            scores = compared.scores.copy()
            scores["value"] = np.where(scores["learner"] == "default", 0.75 + gain, 0.75)
            scores["value"] += 0.01 * scores["fold"]
            return Comparison(compared.assay, scores, compared.curve, {}).recommendation()

        assert with_gain(-0.1).startswith("Use the random forest here: it wins on stratified and")
        assert with_gain(0.1).startswith("Use default: it wins on stratified and scaffold")
        assert with_gain(0.0).startswith("These 48 measurements do not tell default from the")
        scores = compared.scores.assign(value=0.5)
        chance = Comparison(compared.assay, scores, compared.curve, {}).recommendation()
        assert chance.startswith("No model ranks better than chance yet")

    def test_what_more_gives_is_the_slope_of_the_curve(self, compared):
        curve = compared.curve.copy()
        curve["value"] = 0.1 * np.log2(curve["size"]) + 0.01 * curve["repeat"]
        found = Comparison(compared.assay, compared.scores, curve, {}).gain_of_more("default")
        assert found is not None
        expected = 0.1 * np.log2(64 / 48)
        assert (found.mean, found.low, found.high) == pytest.approx((expected,) * 3)
        one_size = curve[curve["size"] == 8]
        unknown = Comparison(compared.assay, compared.scores, one_size, {})
        assert unknown.gain_of_more("default") is None
        assert "too few measurements to say" in unknown.markdown()

    def test_too_few_are_refused(self, binary, fast_models):
        with pytest.raises(TooFewMeasurements, match=r"has 12 molecules, \d of the rarer class"):
            compare(binary.take(np.arange(12)), fast_models)

    def test_the_forest_must_be_there(self, binary, fast_models):
        with pytest.raises(MolmetaError, match="needs the model 'random_forest'"):
            compare(binary, {"default": fast_models["default"]})

    def test_values_are_compared_by_rank(self, values, fast_models):
        found = compare(values, fast_models, repeats=1)
        assert set(found.scores["metric"]) == {"spearman", "rmse"}
        assert "Spearman's ρ" in found.markdown()

    def test_the_standard_models_are_four_and_the_probe_reads_the_same_network(self):
        base = from_pretrained()
        models = standard_models(base)
        assert list(models) == ["default", "linear_probe", "gaussian_process", "random_forest"]
        assert models["linear_probe"].learner.encoder is base.learner.encoder.network
        assert linear_probe_of(models["random_forest"]) is None

    def test_the_command(self, values, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
        path = tmp_path / "assay.csv"
        pd.DataFrame({"smiles": values.molecules.smiles, "pKi": values.values}).to_csv(
            path, index=False
        )
        page = tmp_path / "page.md"
        assert main(["compare", str(path), "--repeats", "1", "--output", str(page)]) == 0
        printed = capsys.readouterr().out
        assert page.read_text().strip() == printed.strip()
        for name in ("default", "linear_probe", "gaussian_process", "random_forest"):
            assert f"| {name} |" in printed
        assert "16 more measurements would give" in printed


class TestSuggest:
    def test_exploit_takes_the_best(self, library):
        mols, score = library
        found = suggest(mols, score, [], 10, strategy="exploit")
        assert found["position"].tolist() == np.argsort(-score)[:10].tolist()

    def test_diverse_takes_the_best_of_which_no_two_are_alike(self, library):
        mols, score = library
        found = suggest(mols, score, [], 10, strategy="diverse")
        bits = [ecfp4_bits(mols[i]) for i in found["position"]]
        for i, one in enumerate(bits):
            near = DataStructs.BulkTanimotoSimilarity(one, bits[:i])
            assert max(near, default=0) < 0.5
        assert found["position"][0] == score.argmax()
        left_out = [i for i in np.argsort(-score) if score[i] > found["score"].min()]
        for i in set(left_out) - set(found["position"]):  # each passed over is like one before it
            before = [b for b, s in zip(bits, found["score"], strict=True) if s > score[i]]
            assert max(DataStructs.BulkTanimotoSimilarity(ecfp4_bits(mols[i]), before)) >= 0.5

    def test_diverse_gives_as_many_as_are_asked_for(self, library):
        mols, score = library
        found = suggest(mols, score, [], 150, strategy="diverse")
        assert len(found) == 150 and found["position"].is_unique

    @pytest.mark.parametrize("strategy", ["exploit", "diverse"])
    def test_those_inside_the_domain_come_first_however_good_others_look(self, library, strategy):
        mols, _ = library
        far = [
            Chem.MolFromSmiles("CN(C)c1ccc(cc1)N=Nc1ccc(cc1)S(=O)(=O)O"),
            Chem.MolFromSmiles("C"),
        ]
        score = np.array([*np.linspace(0, 1, 140), 9.0, 8.0])
        found = suggest([*mols[20:], *far], score, mols[:20], 140, strategy=strategy)
        inside = found["inside"].tolist()
        assert inside == sorted(inside, reverse=True) and {140, 141} <= set(found["position"])
        assert not found.loc[found["position"] >= 140, "inside"].any()
        if strategy == "exploit":
            for _, part in found.groupby("inside"):
                assert part["score"].is_monotonic_decreasing

    def test_explore_leaves_less_variance_than_chance(self, library):
        """Of a Gaussian process with the Tanimoto kernel, by the closed form."""
        mols, score = library
        found = suggest(mols, score, mols[:20], 8, strategy="explore")["position"].tolist()
        bits = [ecfp4_bits(mol) for mol in mols]
        kernel = np.array([DataStructs.BulkTanimotoSimilarity(one, bits) for one in bits])

        def left(chosen: list[int]) -> float:
            rows = [*range(20), *chosen]
            inverse = np.linalg.inv(kernel[np.ix_(rows, rows)] + 0.4 * np.eye(len(rows)))
            explained = kernel[:, rows] @ inverse @ kernel[rows]
            return float((kernel - explained).trace())

        rng = np.random.default_rng(0)
        chance = [left(rng.choice(np.arange(20, 160), 8, replace=False)) for _ in range(200)]
        assert left(found) < min(chance)
        first = min(range(20, 160), key=lambda i: left([i]))
        assert found[0] == first

    @pytest.mark.parametrize("strategy", ["exploit", "diverse", "explore"])
    def test_what_was_measured_is_not_suggested_and_the_budget_holds(self, library, strategy):
        mols, score = library
        costs = np.random.default_rng(1).integers(1, 20, 160).astype(float)
        measured = [Chem.Mol(mols[i]) for i in np.argsort(-score)[:30]]
        found = suggest(mols, score, measured, 12, strategy=strategy, costs=costs, budget=40.0)
        assert found["cost"].sum() <= 40 and len(found) > 0
        assert not set(found["position"]) & set(np.argsort(-score)[:30])
        assert found["cost"].tolist() == costs[found["position"]].tolist()

    def test_a_score_that_is_missing_is_never_suggested(self, library):
        mols, score = library
        holes = np.where(np.arange(160) % 2, np.nan, score)
        assert (suggest(mols, holes, [], 80, strategy="exploit")["position"] % 2 == 0).all()

    def test_nothing_to_buy_is_said(self, library):
        mols, score = library
        with pytest.raises(MolmetaError, match=r"budget of 0.5 buys none of the 160"):
            suggest(mols, score, [], 3, budget=0.5)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"strategy": "exploitt"}, "did you mean 'exploit'"),
            ({"n": 0}, "n is 0; ask for one"),
            ({"costs": [1.0]}, "160 molecules have 1 costs"),
        ],
    )
    def test_bad_wishes_are_refused(self, library, options, message):
        mols, score = library
        with pytest.raises(MolmetaError, match=message):
            suggest(mols, score, [], **{"n": 4, **options})

    def test_the_command(self, values, embedded, tmp_path, capsys):
        assay, library = tmp_path / "assay.csv", tmp_path / "library.csv"
        smiles = values.molecules.smiles
        pd.DataFrame({"smiles": smiles, "pKi": values.values}).to_csv(assay, index=False)
        rows = [*embedded["CHEMBL2034_Ki"].molecules.smiles[:60], "bad", *smiles[:5]]
        frame = pd.DataFrame({"id": [f"M{i}" for i in range(66)], "structure": rows, "price": 2})
        frame.to_csv(library, index=False)
        out = tmp_path / "out.csv"
        command = ["suggest", str(assay), str(library), "-n", "5", "--preds-path", str(out)]
        command += ["--library-smiles-column", "structure", "--cost-column", "price"]
        assert main([*command, "--budget", "7"]) == 0
        found = pd.read_csv(out)
        told = ("score", "similarity", "cost", "inside")
        assert list(found) == ["rank", "id", "structure", "price", *told]
        assert len(found) == 3 and "bad" not in set(found["structure"])
        assert not set(found["structure"]) & set(smiles)
        assert main(command) == 2
        told = capsys.readouterr().err
        assert "3 molecules, " in told and "of them inside the domain" in told
        assert "--overwrite" in told
        library.write_text(library.read_text().replace(",2\n", ",cheap\n", 1))
        assert main([*command, "--overwrite"]) == 2
        assert "holds 'cheap', which is no cost" in capsys.readouterr().err


class TestWhy:
    def test_influence_is_what_a_refit_without_the_molecule_changes(self, binary):
        base = from_pretrained()
        part = binary.take(np.arange(20))
        asked = binary.molecules[20:24]
        found = influences(base, part, asked)
        assert found.shape == (4, 20)
        whole = raw_score(base.adapt(part), asked)
        rest = raw_score(base.adapt(part.take(np.arange(1, 20))), asked)
        np.testing.assert_allclose(found[:, 0], whole - rest, rtol=1e-6, atol=1e-7)

    def test_the_last_of_a_class_has_no_influence_to_speak_of(self, binary):
        actives = np.flatnonzero(binary.active)
        rows = np.concatenate([actives[:1], np.flatnonzero(binary.active == 0)[:8]])
        found = influences(from_pretrained(), binary.take(rows), binary.molecules[20:22])
        assert np.isnan(found[:, 0]).all() and np.isfinite(found[:, 1:]).all()

    def test_a_measured_twin_has_most_influence(self, binary):
        part = binary.take(np.arange(20))
        found = influences(from_pretrained(), part, part.molecules[3:8])
        assert np.abs(found).argmax(axis=1).tolist() == [3, 4, 5, 6, 7]

    def test_atoms_that_the_activity_hangs_on_stand_out(self):
        """Carboxylic acids are active, their amides and esters are not."""
        parts = ["c1ccccc1", "c1ccncc1", "C1CCCCC1", "CCCC", "c1ccsc1", "C1CCOC1"]
        active = [f"{p}CC(=O)O" for p in parts] + [f"{p}CCC(=O)O" for p in parts]
        inactive = [f"{p}CC(=O)N" for p in parts] + [f"{p}CC(=O)OC" for p in parts]
        smiles, y = [*active, *inactive], np.repeat([1.0, 0.0], 12)
        assay = Assay("acids", Molecules(smiles), y, Classification(2))
        adapted = from_pretrained().adapt(assay)
        mol = Chem.MolFromSmiles("OC(=O)Cc1ccc(F)cc1")
        found = atom_contributions(adapted, mol)
        assert found.shape == (11,)
        assert set(np.argsort(-found)[:3]) <= {0, 1, 2, 3}  # the acid's

    def test_every_real_molecule_can_be_explained_and_drawn(self, binary, smiles):
        adapted = from_pretrained().adapt(binary)
        for text in [*smiles, "[Na+].[Cl-]", "C1CC1[N+](=O)[O-]", "[2H]C([2H])([2H])O"]:
            mol = Chem.MolFromSmiles(text)
            found = atom_contributions(adapted, mol)
            assert np.isfinite(found).all() and len(found) == mol.GetNumAtoms()
            image = draw_molecule(mol, found)
            assert image.startswith("<svg") and image.endswith("</svg>")

    def test_assays_that_say_the_same_come_first(self, values, embedded):
        names = ["CHEMBL2034_Ki", "CHEMBL4203_Ki", "CHEMBL1862_Ki", "CHEMBL204_Ki"]
        found = similar_assays(from_pretrained(), values, embedded.select(names))
        assert found["assay_id"][0] == "CHEMBL2034_Ki"
        assert found["shared"].tolist()[0] == 48
        assert ((found["low"] <= found["agreement"]) & (found["agreement"] <= found["high"])).all()


class TestTrust:
    def test_calibration_does_not_depend_on_the_order(self, binary):
        base, order = from_pretrained(), np.random.default_rng(3).permutation(48)
        parts = [Trusted.of(base, one) for one in (binary, binary.take(order))]
        mols = [read_mol(text) for text in binary.molecules.smiles[:9]]
        found = [part.assess(binary.molecules.smiles[:9], mols) for part in parts]
        numbers = ["score", "probability", "low", "high", "similarity"]
        np.testing.assert_allclose(found[0][numbers], found[1][numbers], rtol=1e-4, atol=1e-5)

    def test_a_class_of_one_molecule_is_not_calibrated(self, binary):
        rows = np.concatenate(
            [np.flatnonzero(binary.active)[:1], np.flatnonzero(binary.active == 0)[:15]]
        )
        trusted = Trusted.of(from_pretrained(), binary.take(rows))
        assert trusted.calibration is None
        found = trusted.assess(["CCO"], [Chem.MolFromSmiles("CCO")])
        assert found["active"][0] is None and (found["low"][0], found["high"][0]) == (0, 1)

    @pytest.mark.parametrize("y", [[5.0] * 15 + [6.0], ["<5"] * 11 + [6]])
    def test_values_that_are_equal_but_for_one_are_learned_from(self, values, y):
        smiles = values.molecules.smiles
        model = FewShotRegressor.from_pretrained().fit(smiles[: len(y)], y)
        assert model.trusted_.calibration is None
        mean, deviation = model.predict(smiles[len(y) : len(y) + 3], return_std=True)
        assert np.isfinite(mean).all() and (deviation > 0).all()

    def test_the_interval_of_an_estimator_is_that_of_its_assessment(self, values):
        smiles = values.molecules.smiles
        model = FewShotRegressor.from_pretrained(confidence=0.8).fit(
            smiles[:32], values.values[:32]
        )
        told, ends = model.assess(smiles[32:]), model.predict_interval(smiles[32:])
        np.testing.assert_allclose(ends, told[["low", "high"]].to_numpy(float))
        wider = model.predict_interval(smiles[32:], confidence=0.95)
        assert (wider[:, 0] < ends[:, 0]).all() and (wider[:, 1] > ends[:, 1]).all()
        with pytest.warns(UserWarning, match="no interval for row 0"):
            assert np.isnan(model.predict_interval(["not a molecule"])).all()

    def test_a_measured_molecule_is_inside_and_a_foreign_one_outside(self, values):
        trusted = Trusted.of(from_pretrained(), values)
        texts = [values.molecules.smiles[0], "[O-][N+](=O)c1ccc(Cl)cc1[N+](=O)[O-]", "CCCCCCCCCC"]
        found = trusted.assess(texts, [Chem.MolFromSmiles(text) for text in texts])
        assert found["inside"].tolist() == [True, False, False]
        assert found["similarity"][0] == 1 and not found["new_scaffold"][0]
        assert found["nearest"][0] == texts[0]

    def test_a_higher_confidence_is_a_wider_interval(self, values):
        trusted = Trusted.of(from_pretrained(), values)
        outputs = trusted.adapted.outputs(values.molecules[:5])
        widths = [trusted.half_width(outputs, c) for c in (0.5, 0.8, 0.95, 0.99)]
        assert all((a < b).all() for a, b in pairwise(widths))
        assert np.isinf(widths[-1]).all()  # 48 measurements cannot promise 99 %


def test_recommendations_name_what_was_compared(compared):
    assert re.search(
        r"default − random forest, ROC-AUC, stratified: [+-]", compared.recommendation()
    )


@pytest.mark.parametrize("odd", ["C" * 90, "CC[Te]CC"])
def test_predict_warns_of_what_is_unlike_the_molecules_of_models(values: Assay, odd: str) -> None:
    model = FewShotRegressor("gaussian_process", calibrate=False)
    model.fit(values.molecules.smiles, values.values)
    with pytest.warns(UserWarning, match="row 1: .*unlike what the model learned from"):
        told = model.predict(["CCO", odd])
    assert np.isfinite(told).all()

"""Assays split into three parts, supports, groups: by hand and by RDKit's own similarities."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator

from molmeta.datasets.study_split import (
    IN,
    LEAST,
    OUT,
    at_most,
    into_parts,
    recreate,
    similarity_to_nearest,
)
from molmeta.errors import TooFewMeasurements
from molmeta.molecules.molecules import Molecules
from molmeta.reproduce.nguyen2020 import reproduce
from molmeta.reproduce.sizes import SIZES as SIZES_OF_STUDY
from molmeta.tasks.assay import Assay, Assays, Split
from molmeta.tasks.targets import Classification

SIZES = (16, 32, 64, 128, 256)


def assay(n: int, share: float = 0.3, name: str = "A", **info: str) -> Assay:
    """n measurements of which a share is active."""
    values = np.random.default_rng(n).permutation((np.arange(n) < share * n).astype(float))
    smiles = [f"{'C' * (1 + i % 40)}{'O' * (1 + i // 40)}" for i in range(n)]
    return Assay(name, Molecules(smiles), values, Classification(2), info)


@pytest.mark.parametrize("n", [48, 64, 95, 128, 160, 161, 287, 288, 300, 1000])
def test_the_parts_are_apart_whole_and_stratified(n):
    one = into_parts(assay(n), SIZES)
    parts = (one.train, one.validation, one.test)
    assert sorted(np.concatenate(parts)) == list(range(n))
    assert len(one.validation) == len(one.test) >= min(n // 5, LEAST // 2 - 1)
    for part in parts:
        share = one.assay.active[part].mean()
        assert abs(share - one.assay.active.mean()) <= 1.01 / len(part)


@pytest.mark.parametrize(
    ("n", "largest", "held"),
    [(48, 16, 9), (128, 64, 25), (159, 64, 31), (160, 128, 15), (287, 128, 57), (288, 256, 15)],
)
def test_the_largest_support_that_leaves_enough_can_be_drawn(n, largest, held):
    """k = 256 needs 288 measurements; a fifth of an assay is held for each part, or less."""
    one = into_parts(assay(n), SIZES)
    assert max(one.sizes(SIZES)) == largest and len(one.test) == held


def test_too_small_an_assay_is_refused():
    with pytest.raises(TooFewMeasurements, match=r"assay A has 47 .* 16 and 32 .* need 48"):
        into_parts(assay(47), SIZES)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.97])
@pytest.mark.parametrize("size", [16, 32, 64, 128])
def test_supports_are_stratified_drawn_from_train_and_differ(share, size):
    one = into_parts(assay(400, share), SIZES)
    supports = [one.support(size, seed) for seed in range(5)]
    for support in supports:
        assert len(set(support)) == size and set(support) <= set(one.train)
        ones = one.assay.active[support].sum()
        expected = size * one.assay.active[one.train].mean()
        assert abs(ones - expected) < 1 and 0 < ones < size
    assert len({tuple(sorted(s)) for s in supports}) > 1
    assert np.array_equal(one.support(size, 3), supports[3])


def test_a_support_of_all_is_all():
    one = into_parts(assay(64), [16])
    assert np.array_equal(np.sort(one.support(len(one.train), 0)), np.sort(one.train))


def study_of(
    *sizes: int,
    groups: tuple[str, ...] = (),
    groups_of: dict[str, str] | None = None,
    **options: int,
):
    """A split whose test assays have these sizes and target classes."""
    known = [{"target_class": g} for g in groups] or [{}] * len(sizes)
    sides = (
        [assay(80, name="T0", target_class="GPCR"), assay(70, name="T1", target_class="GPCR")],
        [assay(n, name=f"V{n}", target_class="GPCR") for n in (100, 128, 140)],
        [assay(n, name=f"E{i}", **known[i]) for i, n in enumerate(sizes)],
    )
    return recreate(Split(*map(Assays, sides)), SIZES, groups=groups_of, **options)


def test_assays_that_are_too_small_are_left_out():
    study = study_of(127, 128, 300, groups=("GPCR", "GPCR", "kinase"))
    assert [len(d.assay) for d in study.test] == [128, 300]
    assert [d.assay.name for d in study.validation] == ["V128", "V140"]
    assert all(d.sizes([96]) for d in study.validation)
    assert [a.name for a in study.pretraining] == ["T0", "T1", "V100", "V128", "V140"]
    assert len(study_of(300, validation_assays=1).validation) == 1


def test_held_out_molecules_are_a_tenth_of_those_in_training():
    study = study_of(128)
    smiles = set().union(*(a.molecules.smiles for a in study.pretraining))
    assert study.held_out < smiles and len(study.held_out) == len(smiles) // 10


def test_groups_follow_the_class_of_the_target_where_one_is_known():
    study = study_of(128, 130, groups=("GPCR", "kinase"))
    assert [d.group for d in study.test] == [IN, OUT]


def test_groups_that_are_given_go_first():
    study = study_of(128, 130, groups=("GPCR", "kinase"), groups_of={"E0": "organisms"})
    assert [d.group for d in study.test] == ["organisms", OUT]


def test_groups_follow_the_molecules_where_no_class_is_known(smiles):
    like, unlike = ["CCCCO", "CCCCCO"], ["c1ccc2[nH]ccc2c1", "N#Cc1ccncc1"]
    assays = [
        Assay(name, Molecules(texts * 64), np.arange(128.0) % 2, Classification(2))
        for name, texts in (("E0", like), ("E1", unlike))
    ]
    train = Assays([assay(80, name="T0")])
    study = recreate(Split(train, Assays([]), Assays(assays)), SIZES)
    assert [d.group for d in study.test] == [IN, OUT]


def test_similarity_is_rdkits_own(smiles):
    """The mean over an assay's molecules of the largest similarity, to the nearest assay."""
    parts = [smiles[:7], smiles[7:20], smiles[20:], smiles[3:9]]
    tested, *train = (
        Assay(f"A{i}", Molecules(p), np.zeros(len(p)), Classification(2))
        for i, p in enumerate(parts)
    )
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    bits = {text: generator.GetFingerprint(Chem.MolFromSmiles(text)) for text in smiles}
    nearest = [
        np.mean([max(DataStructs.BulkTanimotoSimilarity(bits[a], others)) for a in parts[0]])
        for others in ([bits[text] for text in part] for part in parts[1:])
    ]
    assert similarity_to_nearest([tested], train) == pytest.approx([max(nearest)], abs=1e-6)


def test_at_most_keeps_some_measurements_of_each_and_their_values():
    sides = [Assays([assay(90, name=f"{k}")]) for k in "abc"]
    smaller = at_most(Split(*sides), 40)
    for whole, side in zip(sides, smaller, strict=True):
        ((name, one),) = side.items()
        assert len(one) == 40
        known = dict(zip(whole[name].molecules.smiles, whole[name].values, strict=True))
        assert [known[text] for text in one.molecules.smiles] == one.values.tolist()
    assert at_most(Split(*sides), 1000)[0]["a"].values.tolist() == sides[0]["a"].values.tolist()


def test_assays_that_cannot_be_judged_are_left_out_and_none_at_all_is_refused(tmp_path):
    test = Assays([assay(200, 0.3, "A"), assay(200, 0.01, "B")])
    split = Split(Assays([assay(200, name="T")]), Assays([assay(60, name="V")]), test)
    study = recreate(split, [16])
    assert [one.assay.name for one in study.test] == ["A"]
    assert study.validation == []
    with pytest.raises(TooFewMeasurements, match="no validation assay"):
        reproduce(study, SIZES_OF_STUDY["smoke"], tmp_path, methods=["maml"])
    with pytest.raises(TooFewMeasurements, match="no test assay"):
        reproduce(study._replace(test=[]), SIZES_OF_STUDY["smoke"], tmp_path)
    assert not list(tmp_path.iterdir())

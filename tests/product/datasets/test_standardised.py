"""Many SMILES are standardised once: found again by the texts, the policy and the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from molmeta.datasets import standardising as module
from molmeta.featurizers.standardisation import Policy, standardise

TEXTS = ["CC(=O)[O-].[Na+]", "OCC", "no SMILES", "", "C C", "CCO"]


@pytest.fixture(autouse=True)
def _few_are_many(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "MANY", 3)
    monkeypatch.setenv("MOLMETA_CACHE", str(tmp_path))


def test_the_second_time_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = dict(zip(TEXTS, standardise(TEXTS), strict=True))
    assert module.standardised(TEXTS, Policy()) == expected
    key = module._key(TEXTS, Policy())
    monkeypatch.setattr(module, "_key", lambda *_: key)
    monkeypatch.setattr(module, "Standardiser", _refuse)
    assert module.standardised(TEXTS, Policy()) == expected


def test_another_policy_is_another_result() -> None:
    assert module.standardised(TEXTS, Policy())["CC(=O)[O-].[Na+]"].smiles == "CC(=O)O"
    kept = module.standardised(TEXTS, Policy(fragments="refuse"))
    assert kept["CC(=O)[O-].[Na+]"].status == "mixture"


def test_line_ends_in_a_text_make_no_other_texts_of_it() -> None:
    for texts in (
        ["CCO", "a\nb", "c", "\udcff"],
        ["CCO", "a", "b\nc", "\udcff"],
        ["CCO", "a", "b", "c"],
    ):
        found = module.standardised(texts, Policy())
        assert list(found) == texts
        assert [one.status for one in found.values()] == [one.status for one in standardise(texts)]


def _refuse(*_: object) -> None:
    raise AssertionError("standardised again")

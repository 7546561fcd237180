"""A screen that says how far each score can be trusted: intervals, the domain, hits inside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from product_commands import adapt_command, screen_command
from rdkit import Chem, DataStructs

from molmeta.cli.main import main
from molmeta.datasets.chembl import load_embedded
from molmeta.errors import CheckpointError, MolmetaError
from molmeta.models import Panel, Trusted, from_pretrained, load_assay, load_trusted, save_assay
from molmeta.molecules import Molecules, ecfp4_bits, read_mol
from molmeta.screening import Extras, screen
from molmeta.screening.job import SHARD
from molmeta.screening.reading import Ask
from molmeta.screening.scorer import Scorer
from molmeta.screening.shards import Shards

PROBABLE = ["probability", "low", "high"]
NEAR = ["nearest", "similarity", "inside"]


@pytest.fixture(scope="module", params=["classes", "values"])
def trusted(request: pytest.FixtureRequest, new_assay: Path, tmp_path_factory) -> Trusted:
    path = tmp_path_factory.mktemp(request.param) / "assay.safetensors"
    more = ["--regression"] if request.param == "values" else []
    assert main(adapt_command(new_assay, "gaussian_process", path, *more)) == 0
    return load_trusted(path, from_pretrained("gaussian_process"))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half of the assay's own kind, some measured, half of another; and two bad rows."""
    near = load_embedded()["CHEMBL4203_Ki"].molecules.smiles[20:80]
    far = load_embedded()["CHEMBL2971_Ki"].molecules.smiles[:60]
    rows = [text for pair in zip(near, far, strict=True) for text in pair]
    rows[7], rows[50] = "nonsense", ""
    path = tmp_path_factory.mktemp("library") / "library.csv"
    pd.DataFrame({"id": range(len(rows)), "smiles": rows}).to_csv(path, index=False)
    return path


def test_it_says_what_is_said_of_each_molecule_alone(
    trusted: Trusted, library: Path, tmp_path: Path
) -> None:
    summary = screen(trusted, library, tmp_path / "out.csv")
    screen(trusted.adapted, library, tmp_path / "plain.csv")
    found, plain = (pd.read_csv(tmp_path / name) for name in ("out.csv", "plain.csv"))
    pd.testing.assert_frame_equal(found[list(plain)], plain)
    added = [*(PROBABLE if "probability" in found else PROBABLE[1:]), *NEAR]
    assert list(found) == ["id", "smiles", "score", *added, "status", "reason"]
    good = found[found["status"] == "ok"]
    assert found.loc[found["status"] != "ok", added].isna().all(axis=None)
    told = trusted.assess(list(good["smiles"]), [read_mol(text) for text in good["smiles"]])
    for name in added:
        if name in ("nearest", "inside"):
            assert good[name].astype(str).tolist() == told[name].astype(str).tolist()
        else:
            np.testing.assert_allclose(good[name], told[name], atol=1e-4)
    for row in good.itertuples():
        pair = [ecfp4_bits(read_mol(text)) for text in (row.smiles, row.nearest)]
        assert row.similarity == pytest.approx(DataStructs.TanimotoSimilarity(*pair), abs=1e-6)
    inside = int((good["inside"].astype(str) == "True").sum())
    assert 0 < inside < len(good) == 118
    assert summary.inside == {"inside": inside}
    assert f"{inside} of 118 ({100 * inside / 118:.0f} %) are inside the domain" in str(summary)


def test_the_same_bytes_by_every_engine_and_from_features_that_were_kept(
    trusted: Trusted, library: Path, tmp_path: Path
) -> None:
    ways = [
        {},
        {"engine_name": "local", "workers": 2},
        {"features": tmp_path / "kept"},
        {"features": tmp_path / "kept"},
    ]
    for number, way in enumerate(ways):
        extras = Extras(hits_path=tmp_path / f"hits-{number}.csv", top=9)
        screen(trusted, library, tmp_path / f"out-{number}.csv", extras=extras, **way)
    for name in ("out", "hits"):
        assert len({(tmp_path / f"{name}-{n}.csv").read_bytes() for n in range(len(ways))}) == 1


def test_a_killed_run_goes_on_to_the_same_bytes(
    trusted: Trusted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    smiles = ["C" * (1 + i % 9) + "O" * (i % 2) for i in range(SHARD + 50)]
    pd.DataFrame({"smiles": smiles}).to_csv(tmp_path / "in.csv", index=False)
    screen(trusted, tmp_path / "in.csv", tmp_path / "whole.csv")
    write: Callable[..., None] = Shards.write

    def die_at_the_second(self: Shards, number: int, told: list) -> None:
        if number:
            raise KeyboardInterrupt
        write(self, number, told)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Shards, "write", die_at_the_second)
        screen(trusted, tmp_path / "in.csv", tmp_path / "out.csv")
    with pytest.raises(MolmetaError, match="another columns"):  # without trust it is another screen
        screen(trusted.adapted, tmp_path / "in.csv", tmp_path / "out.csv")
    screen(trusted, tmp_path / "in.csv", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_hits_inside_the_domain_come_first_and_those_outside_stand_apart(
    trusted: Trusted, library: Path, tmp_path: Path
) -> None:
    extras = Extras(hits_path=tmp_path / "hits.csv", top=10, alike=1.0)
    screen(trusted, library, tmp_path / "out.csv", extras=extras)
    hits, rows = pd.read_csv(tmp_path / "hits.csv"), pd.read_csv(tmp_path / "out.csv")
    assert hits["domain"].tolist() == ["inside"] * 10 + ["outside"] * 10
    assert hits["rank"].tolist() == 2 * list(range(1, 11))
    for part, mark in (("inside", "True"), ("outside", "False")):
        best = rows[rows["inside"].astype(str) == mark].sort_values(
            "score", ascending=False, kind="stable"
        )
        kinds = [ecfp4_bits(read_mol(text)).ToBase64() for text in best["smiles"]]
        best = best[~pd.Series(kinds, best.index).duplicated()]  # alike=1 leaves out the same
        assert hits.loc[hits["domain"] == part, "id"].tolist() == best["id"].tolist()[:10]


def test_several_assays_and_parquet(library: Path, tmp_path: Path) -> None:
    base, known = from_pretrained("nearest_neighbours"), load_embedded()
    names = ("CHEMBL4203_Ki", "CHEMBL2971_Ki")
    each = [Trusted.of(base, known[name].take(np.arange(30)).binarise()) for name in names]
    summary = screen(each, library, tmp_path / "out.parquet")
    found = pd.read_parquet(tmp_path / "out.parquet")
    own = [f"{what}_{name}" for name in names for what in ("score", *PROBABLE, *NEAR)]
    assert list(found) == ["id", "smiles", *own, "status", "reason"]
    for name in names:
        inside = found[f"inside_{name}"].dropna()
        assert set(inside) == {True, False} and inside.map(type).eq(bool).all()
        assert summary.inside[f"inside_{name}"] == inside.sum()
        assert f"are inside the domain of {name}" in str(summary)
    with pytest.raises(MolmetaError, match="some of the assays are Trusted"):
        screen([each[0], each[1].adapted], library, tmp_path / "other.csv")


def test_in_a_shell(
    model: Path, assay: Path, library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, hits = tmp_path / "out.csv", tmp_path / "hits.csv"
    words = screen_command(library, model, assay, out, "--hits-path", str(hits))
    assert main([*words, "--trust"]) == 0
    told = capsys.readouterr().err
    assert "are inside the domain; written to" in told and "--trust" not in told
    assert {"probability", *NEAR} <= set(pd.read_csv(out)) and "domain" in pd.read_csv(hits)
    assert main([*words, "--overwrite"]) == 0
    assert "--trust puts those inside the domain first" in capsys.readouterr().err
    assert "domain" not in pd.read_csv(hits)


def test_an_assay_that_knows_nothing_of_trust_is_named(
    model: Path, assay: Path, library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, base = tmp_path / "old.safetensors", from_pretrained(model)
    save_assay(load_assay(assay, base), old)
    words = screen_command(library, model, old, tmp_path / "out.csv", "--trust")
    assert main(words) == 2
    assert "adapt the assay again" in capsys.readouterr().err
    assert not (tmp_path / "out.csv").exists()


def test_a_terminal_is_shown_how_far_it_is_and_nobody_else(
    trusted: Trusted, library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    screen(trusted, library, tmp_path / "quiet.csv")
    assert capsys.readouterr().err == ""
    screen(trusted, library, tmp_path / "out.csv", progress=True)
    assert "120/120" in capsys.readouterr().err


def test_trust_comes_back_from_its_file_as_it_was(trusted: Trusted, tmp_path: Path) -> None:
    save_assay(trusted, tmp_path / "a.safetensors")
    again = load_trusted(tmp_path / "a.safetensors", trusted.adapted.base)
    assert again.to_dict() == trusted.to_dict()
    mols = [read_mol(text) for text in ("CCO", "c1ccccc1O")]
    pd.testing.assert_frame_equal(
        again.assess(["CCO", "Oc1ccccc1"], mols), trusted.assess(["CCO", "Oc1ccccc1"], mols)
    )


@pytest.mark.parametrize(
    "said",
    [
        {"measured": ["no SMILES"], "calibration": None},
        {"measured": ["CCO"], "calibration": {"interval": {"residuals": "many"}}},
        {"measured": ["CCO"], "calibration": {"other": {}}},
        {"measured": []},
        [],
    ],
)
def test_trust_that_cannot_be_read_is_refused(
    said: object, trusted: Trusted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trusted, "to_dict", lambda self: said)
    save_assay(trusted, tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match="adapt the assay again"):
        load_trusted(tmp_path / "a.safetensors", trusted.adapted.base)


def test_a_molecule_that_cannot_be_scored_is_told_alone(
    trusted: Trusted, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [Ask(text) for text in pd.read_csv(library)["smiles"][:7]]
    scorer, outputs = Scorer([trusted]), Panel.score_and_outputs
    bad = Chem.MolToSmiles(read_mol(rows[3].text))

    def failing(panel: Panel, molecules: Molecules) -> tuple[np.ndarray, np.ndarray]:
        if bad in molecules.smiles:
            raise ValueError("no such features")
        return outputs(panel, molecules)

    monkeypatch.setattr(Panel, "score_and_outputs", failing)
    told = scorer.score(rows)
    assert [one[-2] for one in told] == ["ok"] * 3 + ["failed"] + ["ok"] * 3
    assert told[3][-1] == "no such features" and len({len(one) for one in told}) == 1

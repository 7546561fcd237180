"""Screening as it is used: formats, hits, enrichment, spreadsheets, and what is refused."""

from __future__ import annotations

import csv
import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from product_commands import python, screen_command
from rdkit import Chem, DataStructs
from rdkit.ML.Scoring.Scoring import CalcBEDROC, CalcEnrichment

from molmeta.cli.main import main
from molmeta.datasets.chembl import load_embedded
from molmeta.errors import MolmetaError
from molmeta.featurizers.standardisation import Status
from molmeta.models.base import AdaptedAssay
from molmeta.models.checkpoints import from_pretrained, load_assay, save_assay
from molmeta.molecules.identity import ecfp4_bits
from molmeta.screening import Extras, screen


@pytest.fixture(scope="module")
def adapted(model: Path, assay: Path) -> AdaptedAssay:
    return load_assay(assay, from_pretrained(model))


@pytest.fixture(scope="module")
def smiles() -> list[str]:
    return list(load_embedded()["CHEMBL4203_Ki"].molecules.smiles[:150])


def table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, keep_default_na=False, dtype=str)


def test_every_format_gives_the_same_scores(
    adapted: AdaptedAssay, smiles: list[str], tmp_path: Path
) -> None:
    names = [f"mol, {i}" for i in range(len(smiles))]
    frame = pd.DataFrame({"name": names, "smiles": smiles, "mass": np.arange(len(smiles)) / 4})
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_parquet(tmp_path / "b.parquet", index=False)
    lines = "".join(f"{s} {n}\n" for s, n in zip(smiles, names, strict=True))
    (tmp_path / "c.smi.gz").write_bytes(gzip.compress(lines.encode()))
    with Chem.SDWriter(str(tmp_path / "d.sdf")) as writer:
        for text, name in zip(smiles, names, strict=True):
            mol = Chem.MolFromSmiles(text)
            mol.SetProp("_Name", name)
            mol.SetProp("mass", "1")
            writer.write(mol)
    out = {}
    for path in sorted(tmp_path.iterdir()):
        out[path.name] = tmp_path / f"{path.name[0]}-scores.csv"
        screen(adapted, path, out[path.name])
    found = {name: table(path) for name, path in out.items()}
    first = found["a.csv"]
    assert first["status"].eq("ok").all() and first["score"].nunique() > 100
    for name, one in found.items():
        assert one["score"].tolist() == first["score"].tolist(), name
    assert list(found["c.smi.gz"]) == ["smiles", "name", "score", "status", "reason"]
    assert list(found["d.sdf"]) == [
        "title",
        "mass",
        "standardised_smiles",
        "score",
        "status",
        "reason",
    ]
    assert found["d.sdf"]["title"].tolist() == names


def test_parquet_keeps_types_and_has_nulls_for_what_has_no_score(
    adapted: AdaptedAssay, tmp_path: Path
) -> None:
    frame = pd.DataFrame(
        {"id": [1, 2, 3], "smiles": ["CCO", None, "nonsense"], "when": pd.to_datetime("2020-01-01")}
    )
    frame.to_parquet(tmp_path / "in.parquet", index=False)
    screen(adapted, tmp_path / "in.parquet", tmp_path / "out.parquet")
    found = pd.read_parquet(tmp_path / "out.parquet")
    assert found["status"].tolist() == ["ok", "empty", "invalid"]
    assert found["score"].isna().tolist() == [False, True, True]
    pd.testing.assert_frame_equal(found[["id", "when"]], frame[["id", "when"]])


def test_hits_are_the_best_of_which_no_two_are_alike(
    adapted: AdaptedAssay, smiles: list[str], tmp_path: Path
) -> None:
    pd.DataFrame({"smiles": smiles}).to_csv(tmp_path / "in.csv", index=False)
    extras = Extras(hits_path=tmp_path / "hits.csv", top=40, alike=0.3)
    screen(adapted, tmp_path / "in.csv", tmp_path / "out.csv", extras=extras)

    ranked = table(tmp_path / "out.csv")
    ranked = ranked.iloc[np.argsort(-ranked["score"].astype(float), kind="stable")]
    wanted, taken = [], []
    for text in ranked["smiles"]:
        bits = ecfp4_bits(Chem.MolFromSmiles(text))
        if all(DataStructs.TanimotoSimilarity(bits, other) < 0.3 for other in taken):
            taken.append(bits)
            wanted.append(text)
    hits = table(tmp_path / "hits.csv")
    assert hits["smiles"].tolist() == wanted[:40]
    assert hits["rank"].tolist() == [str(n) for n in range(1, 41)]
    assert hits["smiles"].tolist() != ranked["smiles"].tolist()[:40]


def test_enrichment_is_that_of_rdkit(
    adapted: AdaptedAssay, smiles: list[str], tmp_path: Path
) -> None:
    smiles = list(dict.fromkeys(smiles))[:100]
    active = np.random.default_rng(0).random(len(smiles)) < 0.2
    labels = [*map(int, active[:-1]), ""]
    pd.DataFrame({"smiles": smiles, "label": labels}).to_csv(tmp_path / "in.csv", index=False)
    extras = Extras(label_column="label")
    summary = screen(adapted, tmp_path / "in.csv", tmp_path / "out.csv", extras=extras)

    score = table(tmp_path / "out.csv")["score"].astype(float).to_numpy()[:-1]
    order = np.argsort(-score, kind="stable")
    ranked = [[int(active[i])] for i in order]
    (best,) = CalcEnrichment(ranked, 0, [0.1])
    counts, scores = summary.enrichment
    assert counts == f"99 scored rows have a label, {active[:-1].sum()} of them active"
    assert f"BEDROC (α = 20) {CalcBEDROC(ranked, 0, 20.0):.3f}" in scores
    assert f"{best:.1f} in the best 10%" in scores


def test_a_label_that_is_none_is_told_before_anything_is_scored(
    adapted: AdaptedAssay, tmp_path: Path
) -> None:
    (tmp_path / "in.csv").write_text("smiles,label\nCCO,1\nCCC,maybe\n")
    with pytest.raises(Exception, match=r"row 2.*'maybe'"):
        screen(
            adapted,
            tmp_path / "in.csv",
            tmp_path / "out.csv",
            extras=Extras(label_column="label"),
        )
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_formulas_are_neutralised_on_request_alone(
    model: Path, assay: Path, tmp_path: Path
) -> None:
    names = ["=1+1", "+cmd|' /C calc'!A0", "-3.5", "@SUM(A1)", "\tx", "plain", "a=b"]
    with (tmp_path / "in.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["name", "smiles"], *([name, "CCO"] for name in names)])
    for more in ((), ("--neutralise-formulas",)):
        out = tmp_path / f"out{len(more)}.csv"
        assert main(screen_command(tmp_path / "in.csv", model, assay, out, *more)) == 0
    assert table(tmp_path / "out0.csv")["name"].tolist() == names
    changed = ["'=1+1", "'+cmd|' /C calc'!A0", "-3.5", "'@SUM(A1)", "'\tx", "plain", "a=b"]
    assert table(tmp_path / "out1.csv")["name"].tolist() == changed


def test_bytes_that_are_no_utf8_come_out_as_they_went_in(
    adapted: AdaptedAssay, tmp_path: Path
) -> None:
    (tmp_path / "in.csv").write_bytes("smiles,name\nCCO,µ\n".encode("latin-1"))
    screen(adapted, tmp_path / "in.csv", tmp_path / "out.csv")
    assert b"CCO,\xb5," in (tmp_path / "out.csv").read_bytes()


def test_many_assays_in_one_pass_score_as_each_alone(
    model: Path, assay: Path, smiles: list[str], tmp_path: Path
) -> None:
    base = from_pretrained(model)
    names = ("CHEMBL1862_Ki", "CHEMBL1871_Ki")
    several = [base.adapt(load_embedded()[name].take(np.arange(40)).binarise()) for name in names]
    pd.DataFrame({"smiles": smiles}).to_csv(tmp_path / "in.csv", index=False)
    screen(several, tmp_path / "in.csv", tmp_path / "all.csv")
    together = table(tmp_path / "all.csv")
    for name, one in zip(names, several, strict=True):
        screen(one, tmp_path / "in.csv", tmp_path / f"{name}.csv")
        alone = table(tmp_path / f"{name}.csv")["score"].astype(float)
        assert np.allclose(together[f"score_{name}"].astype(float), alone, rtol=1e-5)


def test_processes_give_the_bytes_of_this_one(
    model: Path, assay: Path, smiles: list[str], tmp_path: Path
) -> None:
    rows = [[i, text] for i, text in enumerate([*smiles, "", "nonsense", "[Na+].[Cl-]", "C" * 900])]
    with (tmp_path / "in.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["id", "smiles"], *rows])
    for engine in ("here", "local"):
        command = screen_command(tmp_path / "in.csv", model, assay, tmp_path / f"{engine}.csv")
        assert main([*command, "--engine", engine, "--workers", "2"]) == 0
    assert (tmp_path / "local.csv").read_bytes() == (tmp_path / "here.csv").read_bytes()
    assert len(table(tmp_path / "here.csv")) == len(rows)


def test_a_model_of_16_bits_is_the_same_in_processes(smiles: list[str], tmp_path: Path) -> None:
    base = from_pretrained()
    save_assay(
        base.adapt(load_embedded()["CHEMBL1862_Ki"].take(np.arange(32)).binarise()),
        tmp_path / "one.safetensors",
    )
    pd.DataFrame({"smiles": smiles[:40]}).to_csv(tmp_path / "in.csv", index=False)
    for engine in ("here", "local"):
        done = python(
            *("-m", "molmeta"),
            *screen_command(
                tmp_path / "in.csv",
                "default",
                tmp_path / "one.safetensors",
                tmp_path / f"{engine}.csv",
                *("--engine", engine),
            ),
        )
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "local.csv").read_bytes() == (tmp_path / "here.csv").read_bytes()


def test_parts_of_another_screen_are_not_thrown_away_unasked(
    adapted: AdaptedAssay, tmp_path: Path
) -> None:
    (tmp_path / "in.csv").write_text("smiles\nCCO\n")
    parts = tmp_path / ".out.csv.parts"
    parts.mkdir()
    manifest = {"molmeta": "another", "library": "another", "shard": 8192}
    (parts / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(Exception, match="another molmeta, rdkit, library"):
        screen(adapted, tmp_path / "in.csv", tmp_path / "out.csv")
    assert parts.is_dir()
    screen(adapted, tmp_path / "in.csv", tmp_path / "out.csv", overwrite=True)
    assert {path.name for path in tmp_path.iterdir()} == {"in.csv", "out.csv"}


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--engine", "locl"), "did you mean 'local'"),
        (("--workers", "-1"), "1 is the least"),
        (("--label-column", "lable"), "did you mean 'label'"),
        (("--hits-path", "OUT"), "two paths"),
        (("--alike", "0"), "above 0"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_read(
    model: Path,
    assay: Path,
    tmp_path: Path,
    more: tuple[str, ...],
    says: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "in.csv").write_text("smiles,label\nCCO,1\n")
    out = tmp_path / "out.csv"
    more = tuple(str(out) if word == "OUT" else word for word in more)
    assert main(screen_command(tmp_path / "in.csv", model, assay, out, *more)) == 2
    assert says in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_names_with_commas_quotes_and_line_ends_come_back_as_they_were(
    adapted: AdaptedAssay, tmp_path: Path
) -> None:
    names = ["a,b", 'say "x"', "two\nlines", "old\rmac", "dos\r\nend", " blank ", "'", ""]
    with (tmp_path / "in.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["smiles", "name"], *(["CCO", name] for name in names)])
    screen(adapted, tmp_path / "in.csv", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as file:
        _, *rows = csv.reader(file)
    assert [row[1] for row in rows] == names
    assert {row[3] for row in rows} == {"ok"}


def test_assays_that_cannot_be_screened_together_are_refused(
    model: Path, adapted: AdaptedAssay, tmp_path: Path
) -> None:
    (tmp_path / "in.csv").write_text("smiles\nCCO\n")
    part = load_embedded()["CHEMBL1862_Ki"].take(np.arange(40))
    other = from_pretrained("nearest_neighbours").adapt(part.binarise())
    with pytest.raises(MolmetaError, match="different models"):
        screen([adapted, other], tmp_path / "in.csv", tmp_path / "out.csv")
    forest = from_pretrained("random_forest")
    both = [forest.adapt(part.binarise()), replace(forest.adapt(part), name="values")]
    with pytest.raises(MolmetaError, match="screen apart"):
        screen(both, tmp_path / "in.csv", tmp_path / "out.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_workers_import_nothing_from_the_folder_that_they_stand_in(
    model: Path, assay: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in.csv").write_text("smiles\nCCO\n")
    (tmp_path / "glob.py").write_text("raise RuntimeError('imported')")
    monkeypatch.chdir(tmp_path)
    words = screen_command(Path("in.csv"), model, assay, Path("out.csv"), "--engine", "local")
    assert main(words) == 0
    assert table(tmp_path / "out.csv")["status"].tolist() == ["ok"]


def test_whatever_is_in_the_rows_each_comes_out_in_its_place(
    adapted: AdaptedAssay, smiles: list[str], tmp_path: Path
) -> None:
    """6,000 molecules with letters changed, lost and doubled; a row out for each, in order."""
    rng = np.random.default_rng(0)
    letters = [
        *'CNOcno()[]=#123%+-@/\\.:*~$ ,"',
        "\n",
        "\r",
        "\t",
        "é",
        "\0",
        "[Pt]",
        ".Cl",
        "[CH2]",
    ]
    texts = []
    for number in range(6000):
        text = list(smiles[number % len(smiles)])
        for _ in range(rng.integers(0, 4)):
            place = int(rng.integers(0, len(text)))
            text[place] = [*letters, "", text[place] * 2][rng.integers(0, len(letters) + 2)]
        texts.append("".join(text))
    with (tmp_path / "in.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["id", "smiles"], *enumerate(texts)])
    summary = screen(adapted, tmp_path / "in.csv", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        _, *rows = csv.reader(file)
    assert [row[:2] for row in rows] == [[str(i), text] for i, text in enumerate(texts)]
    assert {row[3] for row in rows} <= set(get_args(Status))
    assert all((row[3] == "ok") == bool(row[2]) == (not row[4]) for row in rows)
    assert summary.rows == 6000 and 1000 < summary.statuses["ok"] < 5500


@pytest.mark.parametrize("name", ["prototypical", "graph"])
def test_neighbours_change_a_score_by_rounding_alone(
    name: str, smiles: list[str], tmp_path: Path
) -> None:
    base, measured = from_pretrained(name), load_embedded()["CHEMBL4203_Ki"].take(np.arange(32))
    classes = base.experiment.model.target["kind"] == "classification"
    adapted = base.adapt(measured.binarise() if classes else measured)
    orders = {"all": smiles, "again": smiles, "backwards": smiles[::-1], "some": smiles[::7]}
    scores = {}
    for order, listed in orders.items():
        pd.DataFrame({"smiles": listed}).to_csv(tmp_path / f"{order}.csv", index=False)
        screen(adapted, tmp_path / f"{order}.csv", tmp_path / f"{order}-scores.csv")
        scores[order] = pd.read_csv(tmp_path / f"{order}-scores.csv")["score"].to_numpy()
    assert scores["all"].std() > 0.01
    assert (scores["again"] == scores["all"]).all()
    np.testing.assert_allclose(scores["backwards"][::-1], scores["all"], rtol=1e-5)
    np.testing.assert_allclose(scores["some"], scores["all"][::7], rtol=1e-5)

"""Libraries that once broke something, screened from the command line."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from product_commands import screen_command

from molmeta.cli.main import main

HOSTILE = Path(__file__).parents[4] / "shared" / "cases" / "hostile"
real = pytest.mark.skipif(not HOSTILE.exists(), reason=f"no {HOSTILE} beside the checkout")
STATUSES = {
    "badutf8_other.parquet": ["ok", "ok", "ok"],
    "badutf8_smiles.parquet": ["ok", "invalid", "ok"],
    "date_far.parquet": ["ok", "ok", "ok"],
    "ts_us_far.parquet": ["ok", "ok", "ok"],
    "nul.smi": ["invalid", "ok"],
    "wide20000.csv": ["ok"],
}


def statuses(library: Path, model: Path, assay: Path, out: Path) -> list[str]:
    """What became of each row."""
    assert main(screen_command(library, model, assay, out)) == 0
    lines = out.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    return [row["status"] for row in csv.DictReader(lines)]


@real
@pytest.mark.parametrize("name", STATUSES)
def test_every_row_keeps_its_place(name: str, model: Path, assay: Path, tmp_path: Path) -> None:
    found = statuses(HOSTILE / name, model, assay, tmp_path / "out.csv")
    assert found == STATUSES[name]


@real
def test_a_bomb_is_one_line(
    model: Path, assay: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    out = tmp_path / "out.csv"
    assert main(screen_command(HOSTILE / "bomb.parquet", model, assay, out)) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and "over 200 times its size" in lines[0]
    assert not out.exists()


def test_a_zero_in_a_line_marks_that_row_alone(model: Path, assay: Path, tmp_path: Path) -> None:
    for content in (b"C\0C a\nCCO b\n", b"\0CC a\nCCO b\n"):
        (tmp_path / "a.smi").write_bytes(content)
        found = statuses(tmp_path / "a.smi", model, assay, tmp_path / "out.csv")
        assert found == ["invalid", "ok"]
        (tmp_path / "out.csv").unlink()

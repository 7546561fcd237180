"""The page in the browser: drop two files, see them ranked, download; it asks nobody else."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from molmeta.cli.main import main
from molmeta.models import from_pretrained
from molmeta.tasks import Assays
from molmeta.workbench import app
from molmeta.workbench.verbs import read_library, read_one

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")


@pytest.fixture(scope="module")
def files(embedded: Assays, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """24 measurements, and a library of which a row is no molecule."""
    one, folder = embedded["CHEMBL2034_Ki"], tmp_path_factory.mktemp("app")
    smiles = one.molecules.smiles
    measured, library = folder / "measured.csv", folder / "library.csv"
    table = pd.DataFrame({"smiles": smiles[:24], "pKi": np.round(one.values[:24], 2)})
    table.to_csv(measured, index=False)
    rows = pd.DataFrame({"smiles": [*smiles[24:34], "nomolecule"], "value": range(11)})
    rows.to_csv(library, index=False)
    return measured, library


@pytest.mark.parametrize("threshold", [None, "median"])
def test_each_row_is_ranked_or_says_why_not(
    files: tuple[Path, Path], threshold: str | None
) -> None:
    policy = from_pretrained().experiment.model.policy
    model = app.fit(read_one(files[0], threshold, policy).assay, threshold)
    ranked = app.rank(model, *read_library(files[1], "smiles", policy))
    by = "value" if threshold is None else "probability"
    assert len(ranked) == 11
    assert ranked["rank"].tolist()[:10] == list(range(1, 11)) and pd.isna(ranked["rank"].iloc[10])
    assert ranked[by].iloc[:10].is_monotonic_decreasing
    assert ranked["status"].tolist() == ["ok"] * 10 + ["invalid"]
    assert {"low", "high", "inside", "similarity", "nearest"} <= set(ranked)
    own = "library_value" if threshold is None else "value"
    assert sorted(map(int, ranked[own])) == list(range(11))
    pictures = app.structures(ranked)
    assert pictures[10] is None and all(one.startswith("data:image/svg") for one in pictures[:10])


def test_a_library_may_have_columns_that_are_called_as_ours(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    table = pd.read_csv(files[1])
    others = ["structure", "library_smiles", "rank", "status"]
    table[others] = "own"
    table.to_csv(tmp_path / "library.csv", index=False)
    policy = from_pretrained().experiment.model.policy
    model = app.fit(read_one(files[0], None, policy).assay, None)
    ranked = app.rank(model, *read_library(tmp_path / "library.csv", "smiles", policy))
    assert ranked.columns.is_unique and "structure" not in ranked
    own = ["library_structure", "library_smiles", "library_rank", "library_status"]
    assert (ranked[own] == "own").all(axis=None)
    assert set(ranked["library_library_smiles"]) == set(table["smiles"])


def test_without_streamlit_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(app, "find_spec", lambda name: None)
    assert main(["app"]) == 2
    assert 'pip install "molmeta[app]"' in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore")  # streamlit's own
def test_the_page_tells_what_it_understood(files: tuple[Path, Path]) -> None:
    pytest.importorskip("streamlit", reason="needs molmeta[app]")
    from streamlit.testing.v1 import AppTest

    page = AppTest.from_file(str(app.SCRIPT), default_timeout=120).run()
    assert "Drop a table of measurements" in page.info[0].value
    page.file_uploader[0].upload("mine.csv", b"name,y\na,1\n").run()
    assert "mine.csv has no column 'smiles'" in page.error[0].value
    page.file_uploader[0].upload("mine.csv", files[0].read_bytes()).run()
    assert "24 molecules, values" in "".join(one.value for one in page.markdown)
    page.file_uploader[1].upload("library.csv", files[1].read_bytes()).run()
    page.button[0].click().run()
    assert "11 rows, 10 ranked, 1 that cannot be read" in page.markdown[-1].value
    assert len(page.dataframe[0].value) == 11
    page.radio[0].set_value("active or not").run()
    assert not page.dataframe, "what was ranked of other settings is still shown"
    page.button[0].click().run()
    assert "probability" in page.dataframe[0].value
    assert not page.exception


@pytest.fixture
def address() -> Iterator[str]:
    """Where `molmeta app` listens."""
    pytest.importorskip("streamlit", reason="needs molmeta[app]")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "molmeta", "app", "--port", str(port), "--no-browser"]
    server = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    yield f"127.0.0.1:{port}"
    subprocess.run(["kill", "--", f"-{server.pid}"], check=False)
    server.wait()


def until(met: Callable[[], object]) -> None:
    """Wait until something holds, at most two minutes."""
    from selenium.common.exceptions import WebDriverException

    for _ in range(240):
        try:
            if met():
                return
        except WebDriverException:
            pass  # not there yet, or just drawn anew
        time.sleep(0.5)
    raise AssertionError("the page never came to this")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_browser_shows_the_ranking_and_asks_nobody_else(
    files: tuple[Path, Path], address: str
) -> None:
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("needs chromium and chromedriver")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in ("headless", "no-sandbox", "disable-gpu", "no-first-run", "disable-sync"):
        options.add_argument(f"--{flag}")
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))

    def opened() -> bool:
        driver.get(f"http://{address}")
        return True

    def inputs() -> list:
        return driver.find_elements(By.CSS_SELECTOR, "input[type=file]")

    def shows(text: str) -> Callable[[], bool]:
        return lambda: text in driver.find_element(By.TAG_NAME, "body").text

    try:
        until(opened)
        until(lambda: len(inputs()) == 2)
        inputs()[0].send_keys(str(files[0]))
        until(shows("24 molecules, values"))
        inputs()[-1].send_keys(str(files[1]))
        until(shows("Fit and rank"))
        buttons = driver.find_elements(By.TAG_NAME, "button")
        next(one for one in buttons if one.text == "Fit and rank").click()
        until(shows("11 rows, 10 ranked"))
        until(shows("Download all rows"))
        script = "return performance.getEntriesByType('resource').map(one => one.name)"
        asked = [name for name in driver.execute_script(script) if name.startswith("http")]
        assert asked and all(address in name for name in asked), asked
    finally:
        driver.quit()

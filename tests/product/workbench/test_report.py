"""`molmeta report`: one file that asks nobody for anything, escapes everything, and works."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from molmeta.cli.main import main
from molmeta.datasets import load_embedded
from molmeta.tasks.assay import Assays

EVIL = "<script>document.title='run'</script>"
QUOTED = '"><img src=x onerror="document.title=\'run\'">'
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")


@pytest.fixture(scope="module")
def inputs(embedded: Assays, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """40 measurements under a hostile name, and a library with hostile cells."""
    one = embedded["CHEMBL2034_Ki"]
    smiles = one.molecules.smiles[:120]
    folder = tmp_path_factory.mktemp("report")
    assay, library = folder / "assay.csv", folder / "library.csv"
    values = np.round(one.values[:40], 2)
    pd.DataFrame({"smiles": smiles[:40], EVIL: values}).to_csv(assay, index=False)
    rows = pd.DataFrame({"name": [f"M{i:03d}" for i in range(80)], "smiles": smiles[30:110]})
    rows["note"] = [EVIL if i % 2 else QUOTED for i in range(80)]
    rows.loc[3, "smiles"] = EVIL
    rows.loc[4, "smiles"] = "not a molecule"
    rows.to_csv(library, index=False)
    return assay, library


@pytest.fixture(scope="module", params=["classes", "values"])
def page(request: pytest.FixtureRequest, inputs: tuple[Path, Path], tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp(request.param) / "report.html"
    command = ["report", *map(str, inputs), "--report-path", str(path), "--repeats", "1"]
    command += ["--top", "20", "--device", "cpu"]
    assert main([*command, *(["--regression"] if request.param == "values" else [])]) == 0
    return path


class Tags(HTMLParser):
    """Tags, their attributes, and the text between."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_it_asks_nobody_for_anything_and_holds_no_foreign_markup(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    found = Tags(text)
    assert sum(tag == "script" for tag, _ in found.tags) == 1
    assert not [tag for tag, _ in found.tags if tag in ("img", "iframe", "link", "object", "embed")]
    for tag, attributes in found.tags:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href", "xlink:href", "action"):
                assert value and value.startswith("#"), (tag, value)
    assert not re.search(r"url\((?!#)", text)
    shown = "".join(found.text)
    assert EVIL in shown and QUOTED in shown  # as text, whole


def test_every_part_is_there(page: Path) -> None:
    text = "".join(Tags(page.read_text(encoding="utf-8")).text)
    for heading in (
        "What was measured",
        "Which model",
        "The library",
        "Why the first are first",
        "What to measure next",
        "Known assays most like this one",
        "What the model knew before",
        "Model card",
    ):
        assert heading in text, heading
    told = re.search(
        r"80 rows, 78 ranked \((.*)\); the best (\d+) inside the domain are shown, and (\d+)", text
    )
    assert told and told[1] == "2 invalid"
    inside, outside = int(told[2]), int(told[3])
    assert inside == 20 and outside <= 4
    assert re.search(r"\d+ % of the library \(\d+ of 78 molecules\) is inside the domain", text)
    assert ("Outside the domain: nothing like these" in text) == (outside > 0)
    assert "measured molecules were in the model's training data" in text
    assert re.search(r"16 more measurements would move default by [+-]", text)
    svgs = page.read_text(encoding="utf-8").count("<svg")
    assert svgs == 2 * (inside + outside) + 6 + 8 + 3  # each row beside its nearest measured


@pytest.fixture
def browser() -> Iterator:
    """Chromium without a screen, that reaches nothing."""
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("needs chromium and chromedriver")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (
        *("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run"),
        *("disable-background-networking", "disable-component-update", "disable-sync"),
    ):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_in_a_browser_it_sorts_filters_and_runs_nothing_foreign(page: Path, browser) -> None:
    from selenium.webdriver.common.by import By

    browser.get(page.as_uri())
    assert browser.title == f"Assay {EVIL}"
    assert browser.get_log("browser") == []  # nothing blocked, nothing failed

    for width in (1400, 800):  # nothing is cut at the right edge
        browser.set_window_size(width, 1000)
        script = "return [document.documentElement.scrollWidth, window.innerWidth]"
        needed, there = browser.execute_script(script)
        assert needed <= there, width
        for one in browser.find_elements(By.CSS_SELECTOR, "table, svg"):
            assert one.rect["x"] + one.rect["width"] <= there, width
    browser.set_window_size(1400, 1000)
    drawn = browser.find_element(By.CSS_SELECTOR, "table.ranked td svg")
    assert drawn.rect["width"] >= 200  # large enough to read
    plot = browser.find_element(By.CSS_SELECTOR, ".plots svg")
    assert plot.rect["y"] + plot.rect["height"] < 1000  # seen without scrolling

    def ranked():  # the first table: those inside the domain
        return browser.find_element(By.CSS_SELECTOR, "table.ranked")

    def column(name: str) -> int:
        heads = ranked().find_elements(By.TAG_NAME, "th")
        return next(i for i, head in enumerate(heads) if head.text.startswith(name))

    def cells(place: int) -> list[str]:
        rows = ranked().find_elements(By.CSS_SELECTOR, "tbody tr")
        shown = (r.find_elements(By.TAG_NAME, "td")[place].text for r in rows if r.is_displayed())
        return [text.partition("\n")[0] for text in shown]

    def click(place: int) -> None:
        ranked().find_elements(By.TAG_NAME, "th")[place].find_element(By.TAG_NAME, "button").click()

    assert cells(0) == [str(i) for i in range(1, 21)]
    place = column("similarity")
    click(place)
    up = [float(text) for text in cells(place)]
    assert up == sorted(up)
    click(place)
    assert [float(text) for text in cells(place)] == up[::-1] or sorted(up) == up
    assert cells(place) == sorted(cells(place), key=float, reverse=True)
    name = column("name")
    click(name)
    assert cells(name) == sorted(cells(name))
    wanted = cells(name)[7]
    browser.find_element(By.ID, "filter").send_keys(wanted)
    assert cells(name) == [wanted]
    every = len(browser.find_elements(By.CSS_SELECTOR, "table.ranked tbody tr"))
    assert browser.find_element(By.ID, "shown").text == f"1 of {every} rows"
    assert browser.title == f"Assay {EVIL}"  # no cell's script has run


def test_without_a_library_and_a_comparison_it_is_a_page_about_the_data(inputs, tmp_path) -> None:
    path = tmp_path / "page.html"
    command = ["report", str(inputs[0]), "--report-path", str(path), "--repeats", "0"]
    assert main([*command, "--model-path", "nearest_neighbours"]) == 0
    text = "".join(Tags(path.read_text(encoding="utf-8")).text)
    assert "Models were not compared here" in text and "The library" not in text
    assert 'class="verdict"' not in path.read_text(encoding="utf-8")
    assert "learned from nothing but the measurements above" in text


def test_what_cannot_be_reported_is_refused(inputs, tmp_path, capsys) -> None:
    path = tmp_path / "page.html"
    path.write_text("mine")
    command = ["report", *map(str, inputs), "--report-path", str(path)]
    assert main(command) == 2
    assert "--overwrite" in capsys.readouterr().err and path.read_text() == "mine"
    assert main([*command[:-1], str(inputs[1])]) == 2
    assert "is an input of this command" in capsys.readouterr().err
    assert main([*command, "--overwrite", "--top", "0"]) == 2
    two = tmp_path / "two.csv"
    two.write_text("smiles,a,b\nC,1,2\nCC,2,3\n")
    assert main(["report", str(two), "--report-path", str(tmp_path / "other.html")]) == 2
    assert "has 2 assays" in capsys.readouterr().err


def test_a_library_of_other_molecules_is_called_that_first_and_in_colour(inputs, tmp_path) -> None:
    far = load_embedded()["CHEMBL2971_Ki"].molecules.smiles[:60]
    near = pd.read_csv(inputs[0])["smiles"].tolist()[:2]
    library, path = tmp_path / "library.csv", tmp_path / "page.html"
    pd.DataFrame({"smiles": [*far, *near]}).to_csv(library, index=False)
    command = ["report", str(inputs[0]), str(library), "--report-path", str(path), "--repeats", "0"]
    assert main([*command, "--regression", "--model-path", "gaussian_process", "--top", "10"]) == 0
    text = path.read_text(encoding="utf-8")
    said = re.search(r'<p class="banner warning">(.*?)</p>', text)
    assert said and re.match(r"Only \d+ % of the library \(\d+ of 62 molecules\)", said[1])
    assert text.index(said[0]) < text.index("<h2")
    inside, outside = text.split("Outside the domain: nothing like these was measured")
    assert near[0] in inside and outside.count("nearest measured") == 1
    assert "inside the domain" in text and "the same molecule" in inside

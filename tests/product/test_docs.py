"""The site: all that is public is described, and every link leads somewhere."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from molmeta import registry
from molmeta.cli.main import parser
from molmeta.models.config import experiment_names

ROOT = Path(__file__).parents[2]
ROOMS = sorted(
    ".".join(stub.parent.relative_to(ROOT).parts)
    for stub in (ROOT / "molmeta").rglob("__init__.pyi")
)
pytestmark = pytest.mark.slow


@dataclass
class Page(HTMLParser):
    """What a page has: the ids of its elements, its links, and what a browser loads with it."""

    html: str
    ids: set[str] = field(default_factory=set)
    links: set[str] = field(default_factory=set)
    loaded: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.ids.add(value or "")
            elif name in ("href", "src"):
                (self.links if tag == "a" else self.loaded).add(value or "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does: a warning ends it."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    """Every page by its file."""
    return {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}


@pytest.mark.parametrize("room", ROOMS)
def test_public_names_are_in_the_reference(room: str, site: Path, pages: dict[Path, Page]) -> None:
    described = {name for page in pages.values() for name in page.ids}
    own = pages[site / "reference" / f"{room.removeprefix('molmeta.')}.html"].html
    for name in import_module(room).__all__:
        assert f"<code>{name}</code>" in own, name
        value = getattr(import_module(room), name)
        if hasattr(value, "__qualname__") and value.__module__.startswith("molmeta."):
            assert f"{value.__module__}.{value.__qualname__}" in described, name


def test_inherited_methods_are_in_the_reference(site: Path, pages: dict[Path, Page]) -> None:
    described = pages[site / "reference" / "workbench.html"].ids
    for name in ("from_pretrained", "assess"):
        assert f"molmeta.workbench.estimators.FewShotRegressor.{name}" in described


def test_verbs_are_on_the_page_of_the_command_line(site: Path, pages: dict[Path, Page]) -> None:
    page = pages[site / "reference" / "command-line.html"]
    verbs = list(_verbs(parser()))
    assert {"molmeta screen", "molmeta data audit"} <= set(verbs)
    assert {verb.replace(" ", "-") for verb in verbs} <= page.ids


def _verbs(command: argparse.ArgumentParser) -> Iterator[str]:
    for action in command._actions:
        if isinstance(action, argparse._SubParsersAction):
            for verb in action.choices.values():
                yield verb.prog
                yield from _verbs(verb)


def test_names_of_an_experiment_are_on_their_page(site: Path, pages: dict[Path, Page]) -> None:
    html = pages[site / "reference" / "names.html"].html
    for kind in ("learner", "encoder", "featurizer", "text"):
        for name in registry.names(kind):
            assert f"<code>{name}</code>" in html, name
    for name in experiment_names():
        assert f"<summary>{name}</summary>" in html, name


def test_docstrings_are_read(pages: dict[Path, Page]) -> None:
    html = "".join(page.html for page in pages.values())
    assert html.count("<math") > 50
    for left in ("math::", ":math:", ", default:"):
        assert left not in html, left


def test_no_machine_is_named(pages: dict[Path, Page]) -> None:
    html = "".join(page.html for page in pages.values())
    for left in (str(ROOT), "site-packages", " at 0x"):
        assert left not in html, left


def test_tutorials_have_their_outputs(site: Path, pages: dict[Path, Page]) -> None:
    html = pages[site / "notebooks" / "01_new_assay.html"].html
    for output in ('class="output highlight"', "<th>smiles</th>", "data:image/svg+xml;base64,"):
        assert output in html, output


def test_no_link_is_dead(site: Path, pages: dict[Path, Page]) -> None:
    dead = [
        f"{path.relative_to(site)}: {link}"
        for path, page in pages.items()
        for link in page.links | page.loaded
        if not _leads_somewhere(link, path, site, pages)
    ]
    assert not dead


def _leads_somewhere(link: str, path: Path, site: Path, pages: dict[Path, Page]) -> bool:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return parts.scheme in ("http", "https", "data")
    start = site if parts.path.startswith("/") else path.parent
    target = (start / unquote(parts.path).lstrip("/")).resolve() if parts.path else path
    if target.is_dir():
        target /= "index.html"
    known = not parts.fragment or unquote(parts.fragment) in pages[target].ids
    return target.is_file() and known


def test_nothing_is_loaded_from_the_network(pages: dict[Path, Page]) -> None:
    loaded = {link for page in pages.values() for link in page.loaded}
    assert not [link for link in loaded if urlsplit(link).netloc]

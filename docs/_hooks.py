"""What the site has beside its prose, made when it is built: tutorials, reference, formulas."""

from __future__ import annotations

import argparse
import ast
import base64
import functools
import inspect
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import nbformat
from latex2mathml.converter import convert
from markdown import Extension, Markdown
from markdown.preprocessors import Preprocessor
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from molmeta import registry
from molmeta.cli.main import parser

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "molmeta"
NOT_ROOMS = ("molmeta.cli", "molmeta.experiments")  # they have pages of their own
KINDS = {
    "learner": "Learners and baselines",
    "encoder": "Encoders",
    "featurizer": "Featurisers",
    "text": "Text encoders",
}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Let Markdown read the formulas of docstrings."""
    config.markdown_extensions.append(Formulas())  # type: ignore[arg-type]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what is not in `docs/`: tutorials, the figures of the results, the reference."""
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        uri = f"notebooks/{path.name}"
        files.append(Notebook.generated(config, uri, content=tutorial(path)))
    for path in sorted((ROOT / "benchmarks" / "results").glob("*.png")):
        uri = f"results/figures/{path.name}"
        files.append(File.generated(config, uri, abs_src_path=str(path)))
    pages = {room.removeprefix("molmeta."): room_page(room) for room in rooms()}
    pages |= {"command-line": command_line(), "names": names_page()}
    for name, page in pages.items():
        files.append(File.generated(config, f"reference/{name}.md", content=page))
    return files


def on_page_content(html: str, page: Page, **_: Any) -> str:
    """Leave defaults to the signatures.

    Of parameters that share a line of a docstring, Griffe gives each the first one's.
    """
    reference = page.file.src_uri.startswith("reference/")
    return re.sub(r", default:\s*<code>[^\n]*</code>\s*\)", ")", html) if reference else html


# ---- tutorials: notebooks with the outputs that they were committed with


class Notebook(File):
    """A page made from a notebook; prose links to it by the notebook's name."""

    def is_documentation_page(self) -> bool:
        """It is one, though not a Markdown file."""
        return True


def tutorial(path: Path) -> str:
    """A notebook as Markdown."""
    parts = []
    for cell in nbformat.read(path, as_version=4).cells:
        code = cell.cell_type == "code"
        parts.append(fenced(cell.source, "python") if code else cell.source)
        parts += [shown(output) for output in cell.get("outputs", [])]
    return "\n\n".join(parts)


def shown(output: nbformat.NotebookNode) -> str:
    """One output of a cell: the richest form that Markdown can hold."""
    data = output.get("data", {"text/plain": output.get("text", "")})
    if "text/markdown" in data:
        return re.sub("^#", "###", data["text/markdown"], flags=re.MULTILINE)  # below the cell's
    if "image/svg+xml" in data:
        return image("svg+xml", base64.b64encode(data["image/svg+xml"].encode()).decode())
    if "image/png" in data:
        return image("png", "".join(data["image/png"].split()))
    if "text/html" in data:
        bare = re.sub(r"<style.*?</style>", "", data["text/html"], flags=re.DOTALL)
        return bare.replace('<table border="1" class="dataframe">', "<table>")
    return fenced(data["text/plain"].rstrip(), "{ .text .output }")


def image(kind: str, data: str) -> str:
    """A picture that is part of the page."""
    return f'<p><img alt="output of the cell" src="data:image/{kind};base64,{data}"></p>'


def fenced(text: str, kind: str) -> str:
    """A block of code."""
    return f"````{kind}\n{text}\n````"


# ---- reference: a page a room


def rooms() -> list[str]:
    """The package and the packages in it, by their dotted names."""
    inits = sorted(PACKAGE.rglob("__init__.py"))
    found = [".".join(init.parent.relative_to(ROOT).parts) for init in inits]
    return [room for room in found if not room.startswith(NOT_ROOMS)]


def room_page(room: str) -> str:
    """What the room says of itself, the names it hands on, and its modules."""
    package = import_module(room)
    names = sorted(package.__all__, key=str.lower)
    files = sorted((ROOT / room.replace(".", "/")).glob("[!_]*.py"))
    return "\n\n".join(
        [
            f"# {room}",
            inspect.getdoc(package) or "",
            table(f"from {room} import …", [(name, getattr(package, name)) for name in names]),
            *(module(room, path) for path in files),
        ]
    )


def module(room: str, path: Path) -> str:
    """All that a module describes; what a class has from a private one counts as its own."""
    top = ast.parse(path.read_text(encoding="utf-8")).body
    private = [node for node in top if isinstance(node, ast.ClassDef) and node.name[0] == "_"]
    methods = [node for base in private for node in base.body if isinstance(node, ast.FunctionDef)]
    inherited = sorted({node.name for node in methods if node.name[0] != "_"})
    options = f"\n    options:\n      inherited_members: {inherited}" if inherited else ""
    return f"::: {room}.{path.stem}{options}"


def table(title: str, entries: list[tuple[str, Any]]) -> str:
    """Names and the first lines of what they stand for, each linked to where it is described."""
    rows = [f"| `{title}` | |", "|---|---|"]
    for name, value in entries:
        where = identifier(value)
        label = f"[`{name}`][{where}]" if where else f"`{name}`"
        rows.append(f"| {label} | {cell(first_line(value) if where else constant(value))} |")
    return "\n".join(rows)


def first_line(value: Any) -> str:
    """The first line of a docstring."""
    return (inspect.getdoc(value) or "").partition("\n")[0]


def constant(value: Any) -> str:
    """A value as Python writes it; nothing if that is long."""
    shown = repr(value).replace(f"{ROOT}/", "")
    return f"`{shown}`" if len(shown) <= 120 else ""


def identifier(value: Any) -> str | None:
    """Where a class or function of molmeta is defined; None for another value."""
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    return f"{module}.{name}" if name and str(module).startswith("molmeta.") else None


def cell(text: str) -> str:
    """Text for a cell of a table."""
    return re.sub(r"(`[^`]*`)|\|", lambda found: found[1] or r"\|", text)


# ---- reference: the command line


def command_line() -> str:
    """Every verb with its arguments, as `--help` has them."""
    root = parser()
    about = "Errors that one can mend are one line on standard error, and exit code 2."
    return "\n\n".join(["# Command line", f"{root.description} {about}", *commands(root, 1)])


def commands(command: argparse.ArgumentParser, level: int) -> Iterator[str]:
    """A parser and those below it; the first has the page's title for a heading."""
    command.formatter_class = functools.partial(argparse.HelpFormatter, width=80)  # type: ignore[assignment]
    if level > 1:
        yield f"{'#' * level} {command.prog}"
        yield command.description or ""
    yield fenced(command.format_usage().removeprefix("usage: ").rstrip(), "text")
    below = [act for act in command._actions if isinstance(act, argparse._SubParsersAction)]
    given = [act for act in command._actions if act not in below and act.dest != "help"]
    if given:
        rows = [argument(act, command._get_formatter()) for act in given]
        yield "\n".join(["| argument | | default |", "|---|---|---|", *rows])
    for act in below:
        for verb in act.choices.values():
            yield from commands(verb, level + 1)


def argument(action: argparse.Action, formatter: argparse.HelpFormatter) -> str:
    """One argument as a row: how it is written, what it is, its default."""
    written = formatter._format_action_invocation(action)
    about = formatter._expand_help(action) if action.help else ""
    default = action.default
    if action.required:
        told = "required"
    elif default in (None, False, argparse.SUPPRESS):
        told = ""
    else:
        told = f"`{' '.join(map(str, default)) if isinstance(default, list | tuple) else default}`"
    return f"| `{written}` | {cell(about)} | {told} |"


# ---- reference: what can be named in an experiment


def names_page() -> str:
    """Every registered name, and every experiment that is shipped."""
    parts = [
        "# Learners by name",
        "What `name` may be in an experiment, on the command line and in `registry.lookup`. "
        "The first lines here; what a name takes, and the paper behind it, stand behind its link.",
    ]
    for kind, title in KINDS.items():
        found = [(name, registry.lookup(kind, name)) for name in registry.names(kind)]
        parts += [f"## {title}", table("name", found)]
    parts += [
        "## Experiments that are shipped",
        "`molmeta train --config` takes a file of one's own; start from one of these.",
    ]
    for path in sorted((PACKAGE / "experiments").rglob("*.toml"), key=lambda p: (p.parent, p)):
        text = fenced(path.read_text(encoding="utf-8").rstrip(), "toml")
        name = path.relative_to(PACKAGE / "experiments").with_suffix("")
        parts.append(f'??? note "{name}"\n\n' + re.sub("^", "    ", text, flags=re.MULTILINE))
    return "\n\n".join(parts)


# ---- formulas, which docstrings write as Sphinx would have them


class Formulas(Extension):
    """`:math:` and `.. math::` as MathML, which a browser draws without a script."""

    def extendMarkdown(self, md: Markdown) -> None:
        """Called by Markdown."""
        md.preprocessors.register(_Formulas(md), "formulas", 24)  # after code, which is left alone


class _Formulas(Preprocessor):
    def run(self, lines: list[str]) -> list[str]:
        """The lines with each formula put away."""
        text = re.sub(
            r"^( *)\.\. math::(.*(?:\n\1 +\S.*)*)",
            self._put("block"),
            "\n".join(lines),
            flags=re.M,
        )
        return re.sub(r"(:math:)`([^`]*)`", self._put("inline"), text).split("\n")

    def _put(self, display: str) -> Callable[[re.Match[str]], str]:
        def put(match: re.Match[str]) -> str:
            formula = convert(" ".join(match[2].split()), display=display)
            return self.md.htmlStash.store(formula.replace("&#x029F5;", "∖"))  # ⧵ is in few fonts

        return put

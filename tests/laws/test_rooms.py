"""The rooms of the package: each says what it is, and others ask the room, not its files."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import molmeta

PACKAGE = Path(molmeta.__file__).parent
ROOMS = sorted(path.parent for path in PACKAGE.rglob("__init__.pyi") if path.parent != PACKAGE)
OUTSIDE = [PACKAGE.parent / "benchmarks", PACKAGE.parent / "notebooks"]


def room(module: str) -> str:
    """The innermost room that a module stands in; "" outside of all."""
    names = [".".join(("molmeta", *path.relative_to(PACKAGE).parts)) for path in ROOMS]
    inside = [name for name in names if module == name or module.startswith(f"{name}.")]
    return max(inside, key=len, default="")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("molmeta."):
            yield str(node.module)


@pytest.mark.parametrize("folder", [PACKAGE, *OUTSIDE], ids=lambda path: path.name)
def test_other_rooms_ask_the_room_and_not_its_files(folder: Path) -> None:
    for path in folder.rglob("*.py"):
        own = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        for module in imports(path):
            asked = room(module)
            inside = asked and (room(own) + ".").startswith(f"{asked}.")
            assert module == asked or inside or not asked, f"{path} imports {module}"


@pytest.mark.parametrize("path", ROOMS, ids=lambda path: path.name)
def test_a_room_says_what_it_is_and_hands_on_what_it_names(path: Path) -> None:
    module = import_module(".".join(("molmeta", *path.relative_to(PACKAGE).parts)))
    told = (module.__doc__ or "").strip().splitlines()
    assert told[0].endswith(".") and told[2].startswith("It may import"), told
    assert told[-1].startswith("What never enters:"), told
    for name in module.__all__:
        assert getattr(module, name) is not None

"""The mutation run finds tests for every file that it breaks."""

from __future__ import annotations

from pathlib import Path

import mutants_tests
import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("room", mutants_tests.ROOMS)
def test_every_file_has_tests_that_are_there(room: str) -> None:
    files = [path for path in (ROOT / "molmeta" / room).rglob("*.py") if path.stem != "__init__"]
    assert len(files) > 3
    for path in files:
        named = [
            word for word in mutants_tests.tests_of(path.relative_to(ROOT)) if word.endswith(".py")
        ]
        tests = [word for word in named if not word.startswith("-")]
        assert tests, path
        assert all((ROOT / word).is_file() for word in tests), (path, tests)

"""A saved model says the options that it was given; what it leaves out must stay what it was."""

from __future__ import annotations

import json

from golden_defaults import GOLDEN, defaults


def test_defaults_of_learners_are_those_that_saved_models_were_built_with() -> None:
    assert defaults() == json.loads(GOLDEN.read_text())

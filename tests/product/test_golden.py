"""What makes it faster does not change what it says."""

from __future__ import annotations

import json

import pytest
from golden import CASES, FILE, predictions


@pytest.mark.parametrize("case", CASES)
def test_predictions_are_those_on_record(case: str) -> None:
    """Within float32 rounding, which two steps of AdamW and an inner loop widen."""
    recorded = json.loads(FILE.read_text(encoding="utf-8"))[case]
    assert predictions(case) == pytest.approx(recorded, rel=1e-4, abs=1e-4)

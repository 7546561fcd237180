"""What became of the rows of a library, counted."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Summary:
    """What became of the rows of a library.

    Attributes
    ----------
    rows : int
    statuses : dict
        Number of rows of each status.
    enrichment : list of str
        A line for each score, where the library has labels.
    features : str
        What became of features that were to be kept.
    before : bool
        An earlier run of the same had written everything, and was ended as it put away its parts.
    features : str
        What became of features that were to be kept.
    """

    rows: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    enrichment: list[str] = field(default_factory=list)
    features: str = ""
    before: bool = False
    features: str = ""

    def add(self, status: str) -> None:
        """Count a row."""
        self.rows += 1
        self.statuses[status] = self.statuses.get(status, 0) + 1

    def __str__(self) -> str:
        bad = {status: n for status, n in self.statuses.items() if status != "ok"}
        listed = ", ".join(f"{n} {status}" for status, n in sorted(bad.items()))
        scored = self.statuses.get("ok", 0)
        told = f"; {self.features}" if self.features else ""
        return f"{self.rows} rows, {scored} scored" + (f" ({listed})" if listed else "") + told

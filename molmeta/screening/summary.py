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
    inside : dict
        Of each trusted assay's column, how many scored rows are inside the domain.
    """

    rows: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    enrichment: list[str] = field(default_factory=list)
    features: str = ""
    before: bool = False
    inside: dict[str, int] = field(default_factory=dict)

    def add(self, status: str) -> None:
        """Count a row."""
        self.rows += 1
        self.statuses[status] = self.statuses.get(status, 0) + 1

    def __str__(self) -> str:
        bad = {status: n for status, n in self.statuses.items() if status != "ok"}
        listed = ", ".join(f"{n} {status}" for status, n in sorted(bad.items()))
        scored = self.statuses.get("ok", 0)
        counted = f"{self.rows} rows, {scored} scored" + (f" ({listed})" if listed else "")
        return "; ".join([counted, *self._domain(scored), *filter(None, [self.features])])

    def _domain(self, scored: int) -> list[str]:
        """How many of those that were scored are inside the domain, of each assay."""
        return [
            f"{inside} of {scored} ({percent(inside, scored)}) are "
            f"inside the domain{name.removeprefix('inside').replace('_', ' of ', 1)}"
            for name, inside in self.inside.items()
        ]


def percent(part: int, whole: int) -> str:
    """A share in words: none and all only where it is so."""
    share = 100 * part / max(whole, 1)
    if 0 < share < 1:
        return "less than 1 %"
    return "more than 99 %" if 99 < share < 100 else f"{share:.0f} %"

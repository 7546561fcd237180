"""What a look at a table says: one finding a topic, with the rows that it is about."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import pandas as pd

Level = Literal["good", "note", "warning"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    topic : str
    level : {"good", "note", "warning"}
        A warning costs something, if nothing is done.
    text : str
        What was found and what to do.
    rows : DataFrame
        The rows or molecules that it is about, if any.
    """

    topic: str
    level: Level
    text: str
    rows: pd.DataFrame = field(default_factory=pd.DataFrame)


@dataclass(frozen=True)
class DataCheck:
    """Everything that was looked at in one assay, in the order in which to read it."""

    assay: str
    findings: list[Finding]

    def markdown(self) -> str:
        """As a list, warnings marked."""
        marks = {"good": "ok", "note": "note", "warning": "WARNING"}
        lines = [f"- {marks[f.level]}: **{f.topic}**: {f.text}" for f in self.findings]
        return "\n".join([f"## {self.assay}", "", *lines]) + "\n"

    def rows(self) -> pd.DataFrame:
        """The rows behind the findings, one table: `assay_id`, `topic` and what each has."""
        parts = [f.rows.assign(topic=f.topic) for f in self.findings if len(f.rows)]
        if not parts:
            return pd.DataFrame(columns=["assay_id", "topic"])
        found = pd.concat(parts, ignore_index=True)
        found.insert(0, "assay_id", self.assay)
        return found

"""What a look at a table says: one finding a topic, with the rows that it is about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import pandas as pd

from molmeta.workbench.inputs import shortened

SENTENCE = 100  # characters of a finding in a summary

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


def summary_of(checks: Sequence[DataCheck], most: int = 5) -> str:
    """Many assays on one screen: for each topic the levels, and the first assay with a warning."""
    rows = [(check.assay, found) for check in checks for found in check.findings]
    lines = [f"## {len(checks):,} assays", ""]
    for topic in dict.fromkeys(found.topic for _, found in rows):
        of = [(assay, found) for assay, found in rows if found.topic == topic]
        warned = [(assay, found) for assay, found in of if found.level == "warning"]
        if warned:
            assay, first = warned[0]
            text = shortened(first.text, SENTENCE)
            lines.append(
                f"- WARNING: **{topic}** in {len(warned):,} of {len(of):,} ({assay}: {text})"
            )
        else:
            noted = sum(found.level == "note" for _, found in of)
            lines.append(f"- ok: **{topic}**" + (f", a note in {noted:,}" if noted else ""))
    counts = Counter(assay for assay, found in rows if found.level == "warning")
    worst = ", ".join(f"{assay} ({n})" for assay, n in counts.most_common(most))
    lines += ["", f"Most warnings: {worst}." if worst else "No warnings."]
    lines += ["--output writes all of it; --target-columns names the assays to look at."]
    return "\n".join(lines) + "\n"

"""Several tables of assays as one collection."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from molmeta.datasets.table import Report, Table
from molmeta.tasks import Assays, in_one_store

Names = dict[str, list[str]]  # of the assays for train, validation and test


def collected(
    tables: Sequence[Table], splits: Sequence[Names | None]
) -> tuple[Table, Names | None]:
    """Tables, standardised by one policy, as one, with the split that they come with.

    An assay is taken once: from the first table that has one of its name. Assays of a table
    without a split of its own are for training, unless another table has them for validation or
    test.

    Returns
    -------
    Table
        Its report adds up those of the tables.
    dict or None
        None where no table has a split.
    """
    if len(tables) == 1:
        return tables[0], splits[0]
    found: dict[str, int] = {}
    for number, table in enumerate(tables):
        for name in table.assays:
            found.setdefault(name, number)
    names = [[name for name, of in found.items() if of == k] for k in range(len(tables))]
    kept = [table.assays.select(own) for table, own in zip(tables, names, strict=True)]
    assays = Assays(assay for side in in_one_store(kept) for assay in side.values())
    twice = sum(len(table.assays) for table in tables) - len(assays)
    return Table(assays, _report([table.report for table in tables], twice), tables[0].policy), (
        _split(list(assays), splits) if any(splits) else None
    )


def _split(assays: Sequence[str], splits: Sequence[Names | None]) -> Names:
    held = {
        part: [name for split in splits if split for name in split[part]]
        for part in ("validation", "test")
    }
    apart = {name for part in held.values() for name in part}
    return {"train": [name for name in assays if name not in apart], **held}


def _report(reports: Sequence[Report], twice: int) -> Report:
    said = [f"{len(reports)} tables"]
    said += [f"{twice:,} assays of several, each taken from the first"] if twice else []
    return Report(
        sum(report.rows for report in reports),
        pd.concat([report.rejected for report in reports], ignore_index=True),
        sum(report.merged for report in reports),
        pd.concat([report.conflicts for report in reports], ignore_index=True),
        sum(report.bounds for report in reports),
        tuple(said),
        tuple(concern for report in reports for concern in report.concerns),
    )

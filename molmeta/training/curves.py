"""What trainings were stopped by, against steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pandas as pd

from molmeta.files import write_atomic
from molmeta.training.progress import progress_of

Runs = Iterable[tuple[Path, Mapping[str, object]]]


def write_validation_curves(
    runs: Runs, path: Path, plot: Callable[[pd.DataFrame, Path], None]
) -> None:
    """`validation_curves` as CSV, and what `plot` makes of them beside it, as `.png`.

    Nothing is written where nothing was trained.
    """
    table = validation_curves(runs)
    if table.empty:
        return
    write_atomic(path, table.to_csv(index=False, lineterminator="\n").encode())
    plot(table, path.with_suffix(".png"))


def validation_curves(runs: Runs) -> pd.DataFrame:
    """A row a look at the validation tasks, of whole runs and of those under way.

    Parameters
    ----------
    runs : iterable of (Path, mapping)
        The folder of each run, and what it is called: the first columns.

    Returns
    -------
    DataFrame
        The names, `step`, `loss` (mean since the look before) and `score`, in the order of the
        names; empty where nothing was trained.
    """
    names: list[str] = []
    rows: list[dict[str, object]] = []
    for folder, called in runs:
        names = list(called)
        looks = progress_of(folder).history
        rows += [
            {**called, **{column: look[column] for column in ("step", "loss", "score")}}
            for look in looks
            if pd.notna(look.get("score"))
        ]
    table = pd.DataFrame(rows, columns=[*names, "step", "loss", "score"])
    return table.sort_values([*names, "step"], ignore_index=True)

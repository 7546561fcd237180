"""From a table of measurements to adapted assays as files."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from tqdm import tqdm

from molmeta.datasets import Report, likeliest, read_table
from molmeta.device import resolve
from molmeta.errors import DataError
from molmeta.files import check_output
from molmeta.models import AdaptedAssay, BaseModel, Trusted, from_pretrained, save_assay
from molmeta.tasks import Assays


def adapt_table(
    data_path: str | Path,
    model_path: str | Path,
    assay_path: str | Path,
    *,
    threshold: float | str | None = "median",
    overwrite: bool = False,
    device: str = "auto",
    known: str | Path | None = None,
    **columns: Any,
) -> tuple[dict[Path, AdaptedAssay], Report]:
    """Read a table, adapt a model to each of its assays, write what the model learned.

    Each is calibrated by cross-validation (ten more fits), and knows its measured molecules: what
    `molmeta screen --trust` asks for.

    Parameters
    ----------
    data_path, columns
        As for `read_table`; molecules are standardised by the model's own policy.
    model_path : path
        A model folder, or the name of a baseline.
    assay_path : path
        The file that is written; a folder of `<assay>.safetensors` if there are several assays.
        Rows that could not be used, and duplicates that disagree, go to `<file>.report.csv`.
    threshold : float or str, optional
        A value at or above it is active; "median"; or None to keep a regression.
    known : path, optional
        A table of earlier assays of the same project; those of the names that are adapted to are
        left out.

    Raises
    ------
    MolmetaError
        Anything is wrong with the table, the model or the output. Nothing is written then.
    """
    assay_path = Path(assay_path)
    if not assay_path.is_dir():
        check_output(assay_path, [Path(data_path)], overwrite=overwrite)
    base = from_pretrained(model_path, resolve(device))
    table = read_table(data_path, policy=base.experiment.model.policy, **columns)
    assays = table.assays if threshold is None else table.assays.binarise(threshold)
    paths = _paths(assays, assay_path)
    report_path = assay_path.with_name(assay_path.name + ".report.csv")
    for path in paths:
        check_output(path, [Path(data_path)], overwrite=overwrite)
    check_output(report_path, [Path(data_path)], overwrite=True)
    knows = base if known is None else knowing(base, known, without=assays)
    shown = tqdm(paths.items(), "adapting", delay=2, disable=None)
    trusted = {path: Trusted.of(knows, assays[name]) for path, name in shown}
    for path, one in trusted.items():
        save_assay(one, path)
    table.report.write(report_path)
    return {path: one.adapted for path, one in trusted.items()}, table.report


def knowing(
    base: BaseModel, known: str | Path | Assays, without: Collection[str] = ()
) -> BaseModel:
    """A model that knows earlier assays: a table of them, or as they are.

    Parameters
    ----------
    known : path or Assays
    without : collection of str
        Names of assays that are left out.

    Raises
    ------
    DataError
        The table cannot be read, or has no other assay.
    ConfigError
        The model has no use for earlier assays.
    """
    if not isinstance(known, Assays):
        known = read_table(known, policy=base.experiment.model.policy).assays
    earlier = [assay for name, assay in known.items() if name not in without and len(assay) > 1]
    if not earlier:
        raise DataError("there is no earlier assay among those that are known, but the new one")
    return base.knowing(earlier)


def _paths(assays: Assays, assay_path: Path) -> dict[Path, str]:
    if len(assays) == 1 and not assay_path.is_dir():
        return {assay_path: next(iter(assays))}
    if assay_path.suffix == ".safetensors":
        counts = {name: len(assay) for name, assay in assays.items()}
        raise DataError(
            f"the table has {len(assays):,} assays, each with its measurements: "
            f"{likeliest(list(counts), counts)}; name one with --target-columns, or give a folder "
            "as assay path"
        )
    safe = {name: re.sub(r"[^\w.+-]", "_", name) for name in assays}
    if len(set(safe.values())) < len(safe):
        raise DataError(f"two assays would be written to one file: {', '.join(safe.values())}")
    return {assay_path / f"{safe[name]}.safetensors": name for name in assays}

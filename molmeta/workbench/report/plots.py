"""What a report draws: the measurements, the library beside them, and the learning curve."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from molmeta.evaluation import pyplot
from molmeta.models import Domain
from molmeta.tasks import Assay, Classification, exact
from molmeta.workbench.comparison import NAMES, REFERENCE, Comparison
from molmeta.workbench.report.page import drawing

SIZE = (4.6, 3.0)  # inches
MEASURED, INSIDE, OUTSIDE = "#5c6b7a", "#1f5fa8", "#b23b2e"
BINS = 24


def learning_curve(comparison: Comparison) -> Markup:
    """The metric of the first model and the forest by the number of measurements."""
    figure, axis = _new("Learning curve")
    part = comparison.curve[comparison.curve["metric"] == comparison.metric]
    table = part.pivot_table(index="size", columns="learner", values="value")
    for name in table:
        colour = "black" if name == REFERENCE else INSIDE
        axis.plot(table.index, table[name], marker="o", label=str(name), color=colour)
    axis.set_xscale("log", base=2)
    axis.set_xticks(table.index, [str(size) for size in table.index])
    axis.minorticks_off()
    axis.set(xlabel="measurements", ylabel=NAMES[comparison.metric])
    return _drawn(figure, axis)


def measured_and_predicted(assay: Assay, main: str, found: pd.DataFrame | None) -> Markup:
    """How measured values are spread, and those predicted of a library, as shares.

    Of classes: the scores of the library; without one, how many molecules are of each class.
    """
    binary = isinstance(assay.target, Classification)
    parts = {}
    if not binary:
        parts["measured", MEASURED] = assay.values[exact(assay)]
    if found is not None:
        parts |= _by_domain(found[main].to_numpy(float), found)
    if not parts:
        figure, axis = _new("Measured molecules")
        counts = np.bincount(assay.active, minlength=2)
        axis.barh(["inactive", "active"], counts, color=[MEASURED, INSIDE])
        axis.set(xlabel="molecules")
        return _drawn(figure, axis, legend=False)
    title = [] if binary else ["measured"]
    title += [] if found is None else ["predicted of the library"]
    figure, axis = _new(", ".join(title).capitalize())
    _shares(axis, parts)
    axis.set(xlabel="score" if binary else "value")
    return _drawn(figure, axis)


def similarities(domain: Domain, found: pd.DataFrame) -> Markup:
    """How similar a library is to the nearest measured molecule, and where the domain ends."""
    figure, axis = _new("Library, likeness to what was measured")
    _shares(axis, _by_domain(found["similarity"].to_numpy(float), found), together=True)
    axis.axvline(domain.least, color="black", linestyle="--", label="the domain ends")
    axis.set(xlabel="similarity to the nearest measured molecule", xlim=(0, 1))
    return _drawn(figure, axis)


def _by_domain(values: np.ndarray, found: pd.DataFrame) -> dict[tuple[str, str], np.ndarray]:
    inside = found["inside"].to_numpy(bool)
    parts = {("inside the domain", INSIDE): values[inside], ("outside", OUTSIDE): values[~inside]}
    return {name: part for name, part in parts.items() if len(part)}


def _shares(axis: Any, parts: dict[tuple[str, str], np.ndarray], *, together: bool = False) -> None:
    """A histogram a part, each in shares of itself; or, together, of all."""
    every = np.concatenate(list(parts.values()))
    edges = np.histogram_bin_edges(every, BINS)
    for (name, colour), values in parts.items():
        weights = np.full(len(values), 100 / (len(every) if together else max(len(values), 1)))
        look = {"color": colour, "label": f"{name} ({len(values):,})"}
        axis.hist(values, edges, weights=weights, alpha=0.45, histtype="stepfilled", **look)
    axis.set(ylabel="share in %")


def _new(title: str) -> tuple[Any, Any]:
    figure, axis = pyplot().subplots(figsize=SIZE, layout="constrained")
    axis.set_title(title, fontsize=10, loc="left")
    axis.spines[["top", "right"]].set_visible(False)
    return figure, axis


def _drawn(figure: Any, axis: Any, *, legend: bool = True) -> Markup:
    if legend:
        axis.legend(frameon=False, fontsize=8)
    text = io.StringIO()
    figure.savefig(text, format="svg")
    pyplot().close(figure)
    found = text.getvalue()
    return drawing(found[found.index("<svg") :])

"""The columns that a screen adds to the rows of a library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from molmeta.errors import MolmetaError
from molmeta.models import AdaptedAssay, Trusted
from molmeta.screening.libraries import Kind
from molmeta.tasks import Classification

Told = list[str]  # the columns that are added to a row, as text


def adapted_assay(one: AdaptedAssay | Trusted) -> AdaptedAssay:
    """The assay, whether it is to be trusted or not."""
    return one.adapted if isinstance(one, Trusted) else one


def added_columns(assays: Sequence[AdaptedAssay | Trusted], kind: Kind) -> list[str]:
    """The columns that a screen adds: `score`, or `score_<assay>` for each of several, and so on.

    Of assays that are `Trusted`, each score is followed by `low` and `high` (of classes, after
    `probability`), `nearest`, `similarity` and `inside`.

    Raises
    ------
    MolmetaError
        There is no assay, two have one name, or only some are trusted.
    """
    if not assays:
        raise MolmetaError("no adapted assay was given to screen with")
    if len({isinstance(one, Trusted) for one in assays}) > 1:
        raise MolmetaError("some of the assays are Trusted and some are not; screen them apart")
    adapted = [adapted_assay(one) for one in assays]
    ends = [f"_{one.name}" for one in adapted] if len(adapted) > 1 else [""]
    names = [f"{what}{end}" for end in ends for what in _of_each(assays[0])]
    if len(set(names)) < len(names):
        raise MolmetaError(f"two of the assays have the same name: {', '.join(names)}")
    smiles = ["standardised_smiles"] if kind == "molblock" else []
    return [*smiles, *names, "status", "reason"]


def _of_each(assay: AdaptedAssay | Trusted) -> list[str]:
    if not isinstance(assay, Trusted):
        return ["score"]
    binary = isinstance(assay.adapted.target, Classification)
    own = ["score", *(["probability"] if binary else []), "low", "high"]
    return [*own, "nearest", "similarity", "inside"]


def places_of(columns: Sequence[str], what: str) -> list[int]:
    """Where the columns of one kind are, of each assay in turn: of `score`, say."""
    return [i for i, name in enumerate(columns) if name == what or name.startswith(f"{what}_")]


def kind_of(column: str) -> Literal["text", "truth", "number"]:
    """What an added column holds."""
    what = column.partition("_")[0]
    if what in ("standardised", "status", "reason", "nearest"):
        return "text"
    return "truth" if what == "inside" else "number"

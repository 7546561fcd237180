"""What every engine does with a piece of a library: texts in, texts out, a row for each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from rdkit import Chem

from molmeta.errors import MolmetaError
from molmeta.featurizers import Standardised, quiet_rdkit
from molmeta.models import CHUNK, AdaptedAssay, Panel
from molmeta.molecules import Molecules
from molmeta.screening.features import Described, FeatureStore
from molmeta.screening.libraries import Kind
from molmeta.screening.reading import Ask, MoleculeReader

DIGITS = "{:.7g}"


Told = list[str]  # the columns that are added to a row, as text


def added_columns(assays: Sequence[AdaptedAssay], kind: Kind) -> list[str]:
    """The columns that a screen adds: `score`, or `score_<assay>` for each of several, and so on.

    Raises
    ------
    MolmetaError
        There is no assay, or two have one name.
    """
    if not assays:
        raise MolmetaError("no adapted assay was given to screen with")
    names = [f"score_{assay.name}" for assay in assays] if len(assays) > 1 else ["score"]
    if len(set(names)) < len(names):
        raise MolmetaError(f"two of the assays have the same name: {', '.join(names)}")
    smiles = ["standardised_smiles"] if kind == "molblock" else []
    return [*smiles, *names, "status", "reason"]


class Scorer:
    """Scores rows, chunk by chunk; never raises for a row.

    Parameters
    ----------
    assays : sequence of AdaptedAssay
        Of one model.
    kind : {"smiles", "molblock"}
        What the rows are.
    features : Path, optional
        A folder of a `FeatureStore`, where what is there is not computed again.
    """

    def __init__(
        self, assays: Sequence[AdaptedAssay], kind: Kind = "smiles", features: Path | None = None
    ) -> None:
        base = assays[0].base
        self.assays, self.kind, self.panel = assays, kind, Panel(assays)
        self.read = MoleculeReader(base.experiment.model.policy, kind)
        self.features = FeatureStore.of(features, base, kind) if features else None

    def score(self, rows: Sequence[Ask]) -> list[Told]:
        """The added columns of each row; chunks begin at every 1,024th."""
        starts = range(0, len(rows), CHUNK)
        return [told for start in starts for told in self._chunk(rows[start : start + CHUNK])]

    def failed(self, row: Ask, status: str, reason: str) -> Told:
        """The added columns of a row that has no score."""
        smiles = [""] if self.kind == "molblock" else []
        return [*smiles, *[""] * len(self.assays), status, reason]

    def _chunk(self, rows: Sequence[Ask]) -> list[Told]:
        known = self.features and self.features.read(rows)
        if known:
            try:
                scores = self.panel.score(known.molecules)
                return self._told(rows, known, scores, [""] * len(scores))
            except torch.OutOfMemoryError:
                raise
            except (MolmetaError, RuntimeError, ValueError):
                pass  # of one molecule perhaps, which is found as it is read
        mols, found = self._described(rows)
        scores, failures = self._scores(mols, found.molecules)
        if self.features and not any(failures):
            self.features.keep(rows, found)
        return self._told(rows, found, scores, failures)

    def _described(self, rows: Sequence[Ask]) -> tuple[list[Chem.Mol], Described]:
        """Read the molecules of some rows."""
        mols: dict[int, Chem.Mol] = {}
        others: dict[int, tuple[str, str]] = {}
        with quiet_rdkit():
            for place, row in enumerate(rows):
                read = self.read(row)
                if isinstance(read, Standardised):
                    others[place] = read.status, read.reason
                else:
                    mols[place] = read
        every = list(mols.values())
        shown = [Chem.MolToSmiles(mol) for mol in every] if self.kind == "molblock" else []
        return every, Described(list(mols), Molecules(parsed=every), shown, others)

    def _told(
        self, rows: Sequence[Ask], found: Described, scores: np.ndarray, failures: Sequence[str]
    ) -> list[Told]:
        """The added columns of each row."""
        told = {place: self.failed(rows[place], *why) for place, why in found.others.items()}
        shown = found.smiles or [None] * len(found.places)
        for place, text, values, failure in zip(found.places, shown, scores, failures, strict=True):
            why = failure or ("" if np.isfinite(values).all() else "a score is not finite")
            smiles = [] if text is None else [text]
            told[place] = (
                self.failed(rows[place], "failed", why)
                if why
                else [*smiles, *map(DIGITS.format, values.tolist()), "ok", ""]
            )
        return [told[place] for place in range(len(rows))]

    def _scores(
        self, mols: list[Chem.Mol], molecules: Molecules | None = None
    ) -> tuple[np.ndarray, list[str]]:
        """Scores `[n, assays]`, and for each molecule why it has none ("" where it has)."""
        if not mols:
            return np.empty((0, len(self.assays))), []
        try:
            return self.panel.score(molecules or Molecules(parsed=mols)), [""] * len(mols)
        except torch.OutOfMemoryError:
            raise
        except (MolmetaError, RuntimeError, ValueError) as error:
            if len(mols) == 1:
                reason = str(error).splitlines()[0] if str(error) else type(error).__name__
                return np.full((1, len(self.assays)), np.nan), [reason]
        half = len(mols) // 2  # find the molecule that cannot be described, keep the rest
        left, right = self._scores(mols[:half]), self._scores(mols[half:])
        return np.concatenate([left[0], right[0]]), left[1] + right[1]

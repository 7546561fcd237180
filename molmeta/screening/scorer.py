"""What every engine does with a piece of a library: texts in, texts out, a row for each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from rdkit import Chem

from molmeta.errors import MolmetaError
from molmeta.featurizers import Standardised, quiet_rdkit
from molmeta.models import CHUNK, AdaptedAssay, Panel
from molmeta.molecules import Molecules
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
    """

    def __init__(self, assays: Sequence[AdaptedAssay], kind: Kind = "smiles") -> None:
        self.assays, self.kind, self.panel = assays, kind, Panel(assays)
        self.read = MoleculeReader(assays[0].base.experiment.model.policy, kind)

    def score(self, rows: Sequence[Ask]) -> list[Told]:
        """The added columns of each row; chunks begin at every 1,024th."""
        starts = range(0, len(rows), CHUNK)
        return [told for start in starts for told in self._chunk(rows[start : start + CHUNK])]

    def failed(self, row: Ask, status: str, reason: str) -> Told:
        """The added columns of a row that has no score."""
        smiles = [""] if self.kind == "molblock" else []
        return [*smiles, *[""] * len(self.assays), status, reason]

    def _chunk(self, rows: Sequence[Ask]) -> list[Told]:
        out: list[Told] = []
        usable: list[int] = []
        mols: list[Chem.Mol] = []
        with quiet_rdkit():
            for row in rows:
                found = self.read(row)
                if isinstance(found, Standardised):
                    out.append(self.failed(row, found.status, found.reason))
                else:
                    usable.append(len(out))
                    mols.append(found)
                    out.append([])
        scores, failures = self._scores(mols)
        for place, mol, values, reason in zip(usable, mols, scores, failures, strict=True):
            if reason or not np.isfinite(values).all():
                why = reason or "a score is not finite"
                out[place] = self.failed(rows[place], "failed", why)
            else:
                shown = [Chem.MolToSmiles(mol)] if self.kind == "molblock" else []
                out[place] = [*shown, *map(DIGITS.format, values), "ok", ""]
        return out

    def _scores(self, mols: list[Chem.Mol]) -> tuple[np.ndarray, list[str]]:
        """Scores `[n, assays]`, and for each molecule why it has none ("" where it has)."""
        if not mols:
            return np.empty((0, len(self.assays))), []
        try:
            return self.panel.score(Molecules(parsed=mols)), [""] * len(mols)
        except torch.OutOfMemoryError:
            raise
        except (MolmetaError, RuntimeError, ValueError) as error:
            if len(mols) == 1:
                reason = str(error).splitlines()[0] if str(error) else type(error).__name__
                return np.full((1, len(self.assays)), np.nan), [reason]
        half = len(mols) // 2  # find the molecule that cannot be described, keep the rest
        left, right = self._scores(mols[:half]), self._scores(mols[half:])
        return np.concatenate([left[0], right[0]]), left[1] + right[1]

"""What every engine does with a piece of a library: texts in, texts out, a row for each."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rdkit import Chem

from molmeta.errors import MolmetaError
from molmeta.featurizers import Standardised, quiet_rdkit
from molmeta.models import CHUNK, AdaptedAssay, Panel, Trusted
from molmeta.molecules import Molecules, ecfp4_bits
from molmeta.screening.columns import Told, adapted_assay, added_columns, kind_of, places_of
from molmeta.screening.features import Described, FeatureStore
from molmeta.screening.libraries import Kind
from molmeta.screening.reading import Ask, MoleculeReader

DIGITS = "{:.7g}"


class Scorer:
    """Scores rows, chunk by chunk; never raises for a row.

    Parameters
    ----------
    assays : sequence of AdaptedAssay or Trusted
        Of one model, and of one kind: of those that are `Trusted` there is more to tell.
    kind : {"smiles", "molblock"}
        What the rows are.
    features : Path, optional
        A folder of a `FeatureStore`, where what is there is not computed again.
    """

    def __init__(
        self,
        assays: Sequence[AdaptedAssay | Trusted],
        kind: Kind = "smiles",
        features: Path | None = None,
    ) -> None:
        adapted = [adapted_assay(one) for one in assays]
        base = adapted[0].base
        self.trusted = [one for one in assays if isinstance(one, Trusted)]
        columns = added_columns(assays, kind)
        self.empty = len(columns) - 2  # cells of a row that has no score
        own = [name for name in columns if kind_of(name) == "number"]
        near = places_of(own, "similarity")  # which is not of the model
        self.width = (len(own) - len(near)) // len(assays)
        self.kind, self.panel = kind, Panel(adapted)
        self.read = MoleculeReader(base.experiment.model.policy, kind)
        self.features = FeatureStore.of(features, base, kind) if features else None

    def score(self, rows: Sequence[Ask]) -> list[Told]:
        """The added columns of each row; chunks begin at every 1,024th."""
        starts = range(0, len(rows), CHUNK)
        return [told for start in starts for told in self._chunk(rows[start : start + CHUNK])]

    def failed(self, row: Ask, status: str, reason: str) -> Told:
        """The added columns of a row that has no score."""
        return [*[""] * self.empty, status, reason]

    def _chunk(self, rows: Sequence[Ask]) -> list[Told]:
        known = self.features and self.features.read(rows)
        if known:
            try:
                numbers = self._numbers(known.molecules)
                mols = [self.read(rows[place]) for place in known.places] if self.trusted else []
                return self._told(rows, known, mols, numbers, [""] * len(numbers))
            except torch.OutOfMemoryError:
                raise
            except (MolmetaError, RuntimeError, ValueError):
                pass  # of one molecule perhaps, which is found as it is read
        mols, found = self._described(rows)
        if self.features:
            self.features.ask(found.molecules)
        numbers, failures = self._of_each(mols, found.molecules)
        if self.features and not any(failures):
            self.features.keep(rows, found)
        return self._told(rows, found, mols, numbers, failures)

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
        self,
        rows: Sequence[Ask],
        found: Described,
        mols: Sequence[Any],
        numbers: np.ndarray,
        failures: Sequence[str],
    ) -> list[Told]:
        """The added columns of each row."""
        near = self._near(mols)
        told = {place: self.failed(rows[place], *why) for place, why in found.others.items()}
        shown = found.smiles or [None] * len(found.places)
        each = zip(found.places, shown, numbers, failures, strict=True)
        for row, (place, text, values, failure) in enumerate(each):
            why = failure or ("" if np.isfinite(values[:, 0]).all() else "a score is not finite")
            if why:
                told[place] = self.failed(rows[place], "failed", why)
                continue
            cells = [] if text is None else [text]
            for number, own in enumerate(values.tolist()):
                cells += [DIGITS.format(one) if isfinite(one) else "" for one in own]
                cells += near[number][row] if near else []
            told[place] = [*cells, "ok", ""]
        return [told[place] for place in range(len(rows))]

    def _near(self, mols: Sequence[Any]) -> list[list[Told]]:
        """Of each trusted assay, of each molecule: what is nearest, how similar, and if inside."""
        bits = [ecfp4_bits(mol) for mol in mols] if self.trusted else []
        found = []
        for one in self.trusted:
            place, similarity = one.domain.nearest(bits)
            inside = one.domain.inside(similarity)
            each = zip(place.tolist(), similarity.tolist(), inside.tolist(), strict=True)
            smiles = one.domain.smiles
            found.append([[smiles[i], DIGITS.format(near), str(own)] for i, near, own in each])
        return found

    def _numbers(self, molecules: Molecules) -> np.ndarray:
        """The score of each molecule and what bounds it, `[n, assays, 1 or more]`."""
        if not self.trusted:
            return self.panel.score(molecules)[:, :, None]
        scores, outputs = self.panel.score_and_outputs(molecules)
        bounds = [one.bounds(outputs[:, i]).values() for i, one in enumerate(self.trusted)]
        each = [np.stack([scores[:, i], *own], axis=1) for i, own in enumerate(bounds)]
        return np.stack(each, axis=1)

    def _of_each(
        self, mols: list[Chem.Mol], molecules: Molecules | None = None
    ) -> tuple[np.ndarray, list[str]]:
        """What `_numbers` tells, and for each molecule why it has none ("" where it has)."""
        if not mols:
            return np.empty(0), []
        try:
            return self._numbers(molecules or Molecules(parsed=mols)), [""] * len(mols)
        except torch.OutOfMemoryError:
            raise
        except (MolmetaError, RuntimeError, ValueError) as error:
            if len(mols) == 1:
                reason = str(error).splitlines()[0] if str(error) else type(error).__name__
                return np.full((1, len(self.panel.assays), self.width), np.nan), [reason]
        half = len(mols) // 2  # find the molecule that cannot be described, keep the rest
        left, right = self._of_each(mols[:half]), self._of_each(mols[half:])
        return np.concatenate([left[0], right[0]]), left[1] + right[1]

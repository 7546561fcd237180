"""An adapted model with what it takes to believe it: calibration, intervals, and its domain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from rdkit import Chem
from scipy.special import expit
from tqdm import tqdm

from molmeta.device import one_thread
from molmeta.errors import OneClassSupport
from molmeta.models.base import AdaptedAssay, BaseModel
from molmeta.models.calibration import Conformal, ConformalInterval, VennAbers
from molmeta.models.domain import Domain
from molmeta.molecules import Molecules
from molmeta.seeds import generator
from molmeta.tasks import Assay, Classification, exact

FOLDS = 10
LEAST = 3  # measurements that anything is calibrated on
CONFIDENCE = 0.8
CALIBRATED = {"venn_abers": VennAbers, "conformal": Conformal, "interval": ConformalInterval}
TIES = 1e-6  # what the score may add to a probability, so that a ranking by either is the same


@dataclass(frozen=True)
class Calibration:
    """What the labelled molecules say of predictions that were made of them out of fold.

    Attributes
    ----------
    venn_abers, conformal
        Of a classification.
    interval
        Of a regression.
    """

    venn_abers: VennAbers | None = None
    conformal: Conformal | None = None
    interval: ConformalInterval | None = None

    @classmethod
    def of(cls, base: BaseModel, assay: Assay) -> Calibration | None:
        """By cross-validation; None below 3 molecules or 2 of a class, and zero-shot.

        None too where values are equal but for those of one fold, of which nothing can be learned.
        """
        if base.learner.described_by:
            return None
        binary = isinstance(assay.target, Classification)
        if len(assay) < LEAST or (binary and min(np.bincount(assay.active, minlength=2)) < 2):
            return None
        try:
            outputs = out_of_fold(base, assay)
        except OneClassSupport:
            return None
        if binary:
            score = log_odds(outputs)
            return cls(VennAbers.fit(score, assay.active), Conformal.fit(score, assay.active))
        known = exact(assay)
        mean, deviation = outputs[known, 0], np.exp(outputs[known, 1] / 2)
        return cls(interval=ConformalInterval.fit(assay.values[known], mean, deviation))

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON."""
        found = {name: vars(one) for name, one in vars(self).items() if one is not None}
        return {
            name: {key: array.tolist() for key, array in arrays.items()}
            for name, arrays in found.items()
        }

    @classmethod
    def from_dict(cls, found: dict[str, dict[str, list[float]]]) -> Calibration:
        """What `to_dict` gave."""
        return cls(
            **{
                name: CALIBRATED[name](**{key: np.array(one, float) for key, one in arrays.items()})
                for name, arrays in found.items()
            }
        )


def log_odds(outputs: np.ndarray) -> np.ndarray:
    """Of active, by a learner's outputs `[n, 2]`: `[n]`."""
    return outputs[:, 1] - outputs[:, 0]


def out_of_fold(base: BaseModel, assay: Assay) -> np.ndarray:
    """Outputs `[n, width]` for each labelled molecule, from a model that did not see its label.

    Folds have equal shares of the classes, and depend on the molecules, not on their order.
    """
    fold = fold_of_each(assay, FOLDS)
    outputs = np.empty((len(assay), assay.target.width))
    for k in tqdm(range(fold.max() + 1), "calibrating", unit=" folds", delay=2, disable=None):
        out, rest = np.flatnonzero(fold == k), np.flatnonzero(fold != k)
        with one_thread():
            outputs[out] = base.adapt(assay.take(rest)).outputs(assay.molecules[out])
    return outputs


def fold_of_each(assay: Assay, folds: int, seed: int = 0) -> np.ndarray:
    """The number of each molecule's fold, `[n]`; by a median of values as by classes."""
    by_name = np.argsort(np.array(assay.molecules.smiles), kind="stable")
    shuffled = by_name[generator("folds", len(assay), seed).permutation(len(assay))]
    shuffled = shuffled[np.argsort(assay.active[shuffled], kind="stable")]
    fold = np.empty(len(assay), dtype=np.int64)
    fold[shuffled] = np.arange(len(assay)) % folds
    return fold


@dataclass(frozen=True)
class Trusted:
    """An adapted model that says how far it can be believed.

    Attributes
    ----------
    adapted : AdaptedAssay
    domain : Domain
        Of its measured molecules.
    calibration : Calibration or None
        Without it, probabilities are the learner's own.
    """

    adapted: AdaptedAssay
    domain: Domain
    calibration: Calibration | None

    @classmethod
    def of(cls, base: BaseModel, assay: Assay, *, calibrate: bool = True) -> Trusted:
        """Adapt a model, and calibrate it by cross-validation on the same measurements."""
        adapted = base.adapt(assay)
        domain = Domain.of(assay.molecules.smiles)
        return cls(adapted, domain, Calibration.of(base, assay) if calibrate else None)

    @classmethod
    def from_dict(cls, adapted: AdaptedAssay, found: dict[str, Any]) -> Trusted:
        """An adapted model with what `to_dict` gave."""
        calibration = found["calibration"]
        return cls(
            adapted,
            Domain.of(found["measured"]),
            None if calibration is None else Calibration.from_dict(calibration),
        )

    def to_dict(self) -> dict[str, Any]:
        """What there is beside the adapted model, as plain JSON."""
        calibration = None if self.calibration is None else self.calibration.to_dict()
        return {"measured": self.domain.smiles, "calibration": calibration}

    def outputs(self, smiles: Sequence[str], mols: Sequence[Chem.Mol]) -> np.ndarray:
        """The learner's outputs for molecules that were standardised and read: `[n, 2]`."""
        return self.adapted.outputs(Molecules(smiles, mols))

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        """p(active), and its lower and upper bound, of outputs `[n, 2]`: `[n, 3]`.

        Of molecules with one calibrated probability the order is that of the score: it adds up to
        10⁻⁶.
        """
        raw = expit(log_odds(outputs))
        if self.calibration is None or self.calibration.venn_abers is None:
            return np.stack([raw, np.zeros_like(raw), np.ones_like(raw)], axis=1)
        found = self.calibration.venn_abers.predict(log_odds(outputs))
        found[:, 0] += TIES * (raw - found[:, 0])
        return found

    def half_width(self, outputs: np.ndarray, confidence: float) -> np.ndarray:
        """Half the width of the interval of each value, of outputs `[n, 2]`: `[n]`."""
        deviation = np.exp(outputs[:, 1] / 2)
        if self.calibration is None or self.calibration.interval is None:
            return np.full(len(outputs), np.inf)
        return deviation * self.calibration.interval.width(confidence)

    def assess(
        self, smiles: Sequence[str], mols: Sequence[Chem.Mol], confidence: float = CONFIDENCE
    ) -> pd.DataFrame:
        """A row a molecule: what is predicted, how sure it is, and how near it was measured.

        Of a classification `score` (the learner's own p(active)), `probability`, `low`, `high`
        and `active`: True, False, or None where neither can be ruled out at the confidence (or
        both are). Of a regression `value`, `low` and `high`, which hold it as often as the
        confidence says. And the columns of `Domain.assess`.
        """
        outputs = self.outputs(smiles, mols)
        found = self.bounds(outputs, confidence)
        if isinstance(self.adapted.target, Classification):
            found = {"score": expit(log_odds(outputs)), **found}
            found["active"] = self.decided(outputs, confidence)
        else:
            found = {"value": outputs[:, 0], **found}
        return pd.concat([pd.DataFrame(found), self.domain.assess(mols)], axis=1)

    def bounds(self, outputs: np.ndarray, confidence: float = CONFIDENCE) -> dict[str, np.ndarray]:
        """`low` and `high` of outputs `[n, 2]`; of a classification `probability` before them."""
        if isinstance(self.adapted.target, Classification):
            p, low, high = self.probabilities(outputs).T
            return {"probability": p, "low": low, "high": high}
        value, width = outputs[:, 0], self.half_width(outputs, confidence)
        return {"low": value - width, "high": value + width}

    def decided(self, outputs: np.ndarray, confidence: float) -> np.ndarray:
        """True, False, or None where that is open, for outputs `[n, 2]`: `[n]`."""
        decided = np.full(len(outputs), None, dtype=object)
        if self.calibration is not None and self.calibration.conformal is not None:
            p = self.calibration.conformal.p_values(log_odds(outputs))
            possible = p > 1 - confidence
            decided[possible[:, 1] & ~possible[:, 0]] = True
            decided[possible[:, 0] & ~possible[:, 1]] = False
        return decided

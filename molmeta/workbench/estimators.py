"""scikit-learn's conventions: `fit(smiles, y)`, `predict(smiles)` on one's own measurements."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self, overload

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from rdkit import Chem
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from molmeta.datasets import Table, table_from_rows
from molmeta.device import resolve
from molmeta.errors import MolmetaError
from molmeta.featurizers import Standardised, Standardiser
from molmeta.models import CONFIDENCE, DEFAULT, BaseModel, Trusted, from_pretrained
from molmeta.tasks import Assays, Classification, Regression, Target
from molmeta.workbench.adaptation import knowing
from molmeta.workbench.inputs import column, listed, read_labels, read_smiles, read_values
from molmeta.workbench.molecule_checks import unusual_reason

ASSAY = "assay"


class _Row(NamedTuple):
    """A row as it was read."""

    smiles: str
    status: str
    reason: str
    mol: Chem.Mol | None


class _FewShot(BaseEstimator):
    """What both estimators do: read molecules, adapt a model, and say how far to believe it."""

    def __init__(
        self,
        model: str | Path | BaseModel = DEFAULT,
        *,
        calibrate: bool = True,
        confidence: float = CONFIDENCE,
        device: str = "auto",
    ) -> None:
        self.model = model
        self.calibrate = calibrate
        self.confidence = confidence
        self.device = device

    @classmethod
    def from_pretrained(cls, path: str | Path = DEFAULT, **options: Any) -> Self:
        """An estimator on a model folder, or on the model that is shipped; loaded now.

        Raises
        ------
        CheckpointError
            There is no such model, or it is damaged.
        """
        return cls(from_pretrained(path, resolve(options.get("device", "auto"))), **options)

    def assess(self, X: Any) -> pd.DataFrame:
        """All that can be said of each row, bad rows too: as many rows as were given.

        Returns
        -------
        DataFrame
            `smiles` (standardised), `status` ("ok", or what is wrong) and `reason`; what is
            predicted, the `nearest` measured molecule, `similarity` to it, `new_scaffold` and
            `inside` the domain: empty if the status is not ok. A classifier gives `prediction` (a
            label, or None where it abstains), `score` (the learner's own probability), and
            `probability` with `low` and `high`, of `classes_[1]`; a regressor gives `value` with
            `low` and `high`.
        """
        rows, good = self._read(X)
        told = pd.DataFrame(rows, columns=list(_Row._fields)).drop(columns="mol")
        found = self.trusted_.assess(*_molecules(rows, good), self.confidence)
        return told.join(self._named(found).set_index(good))

    def _named(self, found: pd.DataFrame) -> pd.DataFrame:
        return found

    def __sklearn_tags__(self) -> Any:
        """Rows are texts, not vectors."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string, tags.input_tags.two_d_array = True, False
        return tags

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        """One line, as scikit-learn writes it."""
        return re.sub(r"\n\s*", " ", super().__repr__(N_CHAR_MAX))

    def _forget(self) -> None:
        """Leave nothing of an earlier fit, so that a fit that fails leaves nothing fitted."""
        for name in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, name)

    def _fit(
        self,
        texts: Sequence[str],
        values: np.ndarray,
        censor: np.ndarray,
        target: Target,
        known: str | Path | Assays | None,
    ) -> Self:
        if not 0 < self.confidence < 1:
            raise MolmetaError(f"confidence is {self.confidence}; it must be between 0 and 1")
        base = self.model
        if not isinstance(base, BaseModel):
            base = from_pretrained(base, resolve(self.device))
        if known is not None:
            base = knowing(base, known)
        table = _table(texts, values, censor, base)
        assay = replace(table.assays[ASSAY], target=target)  # values that happen to be 0 and 1, too
        if base.readable(assay) is not assay:
            warnings.warn(
                f"the model '{base.experiment.name}' reads no bounds: {table.report.bounds} of the "
                "measurements are taken as values",
                stacklevel=3,
            )
        assay = base.readable(assay)
        self.trusted_ = Trusted.of(base, assay, calibrate=self.calibrate)
        self.report_ = table.report
        self.n_measured_ = len(assay)
        return self

    def _outputs(self, X: Any) -> tuple[np.ndarray, list[str], list[str], np.ndarray]:
        """Outputs of rows that can be read; what is wrong with others, and odd; which are read."""
        rows, good = self._read(X)
        bad = [f"row {i}: {row.reason}" for i, row in enumerate(rows) if row.mol is None]
        odd = [f"row {i}: {why}" for i in good if (why := unusual_reason(rows[i].mol))]
        return self.trusted_.outputs(*_molecules(rows, good)), bad, odd, good

    def _of_each(self, X: Any, what: str, told: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """What is told by the outputs, of each row; NaN, with a warning, where there are none."""
        outputs, bad, odd, good = self._outputs(X)
        if bad:
            warnings.warn(f"no {what} for {listed(bad)}", stacklevel=3)
        if odd:
            told_of = "unlike what the model learned from, so that it says little of them"
            warnings.warn(f"{listed(odd)}: {told_of}", stacklevel=3)
        found = told(outputs)
        if not bad:
            return found
        holds_nan = float if np.issubdtype(found.dtype, np.number) else object
        out = np.full((len(bad) + len(good), *found.shape[1:]), np.nan, dtype=holds_nan)
        out[good] = found
        return out

    def _read(self, X: Any) -> tuple[list[_Row], np.ndarray]:
        check_is_fitted(self)
        one = Standardiser(self.trusted_.adapted.base.experiment.model.policy)
        rows = []
        for text in read_smiles(X):
            found = one.molecule(text)
            if isinstance(found, Standardised):
                rows.append(_Row(text, found.status, found.reason, None))
            else:
                rows.append(_Row(Chem.MolToSmiles(found), "ok", "", found))
        return rows, np.flatnonzero([row.mol is not None for row in rows])


class FewShotClassifier(ClassifierMixin, _FewShot):
    """Learns which molecules are active from a few measured ones, by what other assays taught.

    A classifier of scikit-learn whose rows are SMILES or RDKit molecules; it can be cloned,
    cross-validated, searched over and put at the end of a pipeline.

    Parameters
    ----------
    model : str, path or BaseModel
        A model that is shipped, such as `"default"` or `"prototypical"` (`molmeta models` lists
        them); a folder of `molmeta train`; or a baseline by name, such as `"random_forest"`.
    calibrate : bool
        Calibrate by cross-validation on the measurements given (ten more fits), so that
        `predict_proba` may be taken at its word: Venn–Abers. Without it, probabilities are the
        learner's own.
    confidence : float
        At which `assess` rules classes out, and abstains where it cannot.
    device : str
        `auto`, or a torch device.

    Attributes
    ----------
    classes_ : ndarray
        The two labels, sorted; the second is "active".
    report_ : Report
        Rows that were left out, duplicates that were merged, and those that disagree.
    trusted_ : Trusted
        The adapted model with its calibration and domain.
    n_measured_ : int
        Distinct molecules that it learned from.

    Examples
    --------
    >>> from molmeta import FewShotClassifier
    >>> smiles = ["CCO", "CCN", "c1ccccc1O", "c1ccccc1N", "CCCO", "c1ccccc1"]
    >>> model = FewShotClassifier("nearest_neighbours", calibrate=False)
    >>> model.fit(smiles, ["no", "no", "yes", "yes", "no", "yes"]).predict(["CCCCO", "c1ccccc1F"])
    array(['no', 'yes'], dtype='<U3')
    """

    def fit(self, X: Any, y: ArrayLike, *, known: str | Path | Assays | None = None) -> Self:
        """Adapt to measured molecules.

        Parameters
        ----------
        X : list, array, Series or frame of one column
            SMILES or RDKit molecules. What cannot be read is left out, with a warning, as by
            `molmeta adapt`. Duplicates are merged: the majority of their labels counts; a tie is
            left out, with a warning.
        y : array-like
            Two labels of any kind.
        known : path or Assays, optional
            Earlier assays of the same project, on the same or other molecules, as of `read_table`:
            those that agree with the new one add what they know.

        Raises
        ------
        MolmetaError
            No molecule can be read, or labels are missing, or of more than two kinds.
        OneClassSupport
            All labels are the same.
        """
        self._forget()
        texts = read_smiles(X)
        classes, codes = read_labels(y)
        zeros = np.zeros(len(codes), dtype=np.int64)
        self._fit(texts, codes.astype(np.float64), zeros, Classification(2), known)
        self.classes_ = classes
        return self

    def _named(self, found: pd.DataFrame) -> pd.DataFrame:
        labels = [None if one is None else self.classes_[int(one)] for one in found["active"]]
        named = found.drop(columns="active")
        named.insert(0, "prediction", pd.Series(labels, dtype=object))
        return named

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of `classes_`, `[n, 2]`; NaN, with a warning, for what cannot be read."""

        def both(outputs: np.ndarray) -> np.ndarray:
            active = self.trusted_.probabilities(outputs)[:, 0]
            return np.stack([1 - active, active], axis=1)

        return self._of_each(X, "prediction", both)

    def predict(self, X: Any) -> np.ndarray:
        """The more probable label of each row; NaN, with a warning, for what cannot be read.

        Beside a NaN, labels that are numbers are floats, and others are Python objects.
        """

        def more_probable(outputs: np.ndarray) -> np.ndarray:
            active = self.trusted_.probabilities(outputs)[:, 0]
            return self.classes_[(active > 0.5).astype(int)]

        return self._of_each(X, "prediction", more_probable)


class FewShotRegressor(RegressorMixin, _FewShot):
    """Learns a measured value from a few molecules, by what other assays taught.

    A regressor of scikit-learn, as `FewShotClassifier` is a classifier. Give values of which
    higher is more active, such as pIC50.

    Parameters
    ----------
    model : str, path or BaseModel
        As for `FewShotClassifier`; a model that was trained for classes cannot predict values.
    calibrate : bool
        Calibrate intervals by cross-validation on the measurements given (ten more fits). Without
        it they are not known.
    confidence : float
        How often intervals shall hold the value.
    device : str
        `auto`, or a torch device.

    Attributes
    ----------
    report_, trusted_, n_measured_
        As for `FewShotClassifier`.

    Examples
    --------
    >>> from molmeta import FewShotRegressor
    >>> model = FewShotRegressor(calibrate=False)
    >>> model = model.fit(["CCO", "CCN", "CCCO", "CCCCO"], [4.8, ">5", 5.1, 5.6])
    >>> model.predict(["CCCCCO"]).shape
    (1,)
    """

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        censor: ArrayLike | None = None,
        *,
        known: str | Path | Assays | None = None,
    ) -> Self:
        """Adapt to measured molecules.

        Parameters
        ----------
        X : list, array, Series or frame of one column
            SMILES or RDKit molecules. What cannot be read is left out, with a warning, as by
            `molmeta adapt`. Duplicates are merged to their median; beside a value, bounds are left
            out.
        y : array-like
            Numbers; or texts such as "6.2" and, for bounds, ">5" and "<4.3".
        censor : array-like, optional
            For numbers: −1 where the value is an upper bound, 1 where it is a lower one, else 0.
        known : path or Assays, optional
            As for `FewShotClassifier`.

        Raises
        ------
        MolmetaError
            No molecule can be read, or a value cannot be: all such rows are named.
        """
        self._forget()
        texts = read_smiles(X)
        values, found = read_values(column(y, "values"))
        if censor is not None:
            if found.any():
                raise MolmetaError("give bounds in y or in censor, not in both")
            found = np.asarray(column(censor, "censor"), dtype=np.float64)
            if len(found) != len(values) or not np.isin(found, (-1, 0, 1)).all():
                raise MolmetaError(f"censor must be {len(values)} numbers of -1, 0 and 1")
        return self._fit(texts, values, found.astype(np.int64), Regression(), known)

    @overload
    def predict(self, X: Any, return_std: Literal[False] = False) -> np.ndarray: ...
    @overload
    def predict(self, X: Any, return_std: Literal[True]) -> tuple[np.ndarray, np.ndarray]: ...
    def predict(
        self, X: Any, return_std: bool = False
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """The expected value of each row, `[n]`; NaN, with a warning, for what cannot be read.

        With `return_std`, as of scikit-learn's Gaussian process, also its standard deviation,
        `[n]`: the learner's own, where `predict_interval` is calibrated.
        """

        def mean_and_std(outputs: np.ndarray) -> np.ndarray:
            return np.stack([outputs[:, 0], np.exp(outputs[:, 1] / 2)], axis=1)

        mean, std = self._of_each(X, "prediction", mean_and_std).T
        return (mean, std) if return_std else mean

    def predict_interval(self, X: Any, confidence: float | None = None) -> np.ndarray:
        """Lower and upper end, `[n, 2]`, that hold the value as often as the confidence says.

        Infinite where there are too few measurements to promise it (n of them can up to
        n / (n + 1)); NaN for what cannot be read.
        """

        def ends(outputs: np.ndarray) -> np.ndarray:
            half = self.trusted_.half_width(outputs, confidence or self.confidence)
            return np.stack([outputs[:, 0] - half, outputs[:, 0] + half], axis=1)

        return self._of_each(X, "interval", ends)


def _table(texts: Sequence[str], values: np.ndarray, censor: np.ndarray, base: BaseModel) -> Table:
    if len(texts) != len(values):
        raise MolmetaError(f"{len(texts)} molecules have {len(values)} labels; give one a molecule")
    measured = {"row": np.arange(1, len(texts) + 1), "assay_id": ASSAY, "value": values}
    table = table_from_rows(
        pd.Series(list(texts), dtype=object),
        pd.DataFrame({**measured, "censor": censor}),
        base.experiment.model.policy,
        "the molecules given to fit",
    )
    rejected, conflicts = (
        part.to_dict("records") for part in (table.report.rejected, table.report.conflicts)
    )
    if rejected:
        told = [f"row {row['row'] - 1}, {row['smiles']!r}: {row['reason']}" for row in rejected]
        warnings.warn(
            f"{len(told)} molecules cannot be read, and are left out: {listed(told)}", stacklevel=4
        )
    if conflicts:
        told = [f"{c['smiles']} ({c['low']:g} to {c['high']:g}: {c['action']})" for c in conflicts]
        warnings.warn(f"duplicates disagree: {listed(told)}", stacklevel=4)
    return table


def _molecules(rows: Sequence[_Row], good: np.ndarray) -> tuple[list[str], list[Any]]:
    read = [rows[int(i)] for i in good]
    return [row.smiles for row in read], [row.mol for row in read]

"""Which model to use on one's own measurements: cross-validation, and a recommendation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from molmeta import metrics
from molmeta.baselines import linear_probe
from molmeta.encoders import FeaturesWithPrior
from molmeta.errors import MolmetaError, TooFewMeasurements
from molmeta.learners import Embedded
from molmeta.metrics import Interval, resampled_interval
from molmeta.models import BaseModel, from_pretrained
from molmeta.molecules import scaffolds
from molmeta.seeds import generator
from molmeta.tasks import Assay, Classification, exact
from molmeta.workbench.trust import fold_of_each

RANDOM, SCAFFOLD = "stratified", "scaffold"
SPLITS = (RANDOM, SCAFFOLD)
FOLDS = 4
REPEATS = 5
LEAST = 16
MORE = 16
REFERENCE = "random_forest"
BASELINES = ("gaussian_process", REFERENCE)
METRICS = {True: ("roc_auc", "delta_auprc"), False: ("spearman", "rmse")}
NAMES = {
    "roc_auc": "ROC-AUC",
    "delta_auprc": "ΔAUPRC",
    "spearman": "Spearman's ρ",
    "rmse": "RMSE",
}
CHANCE = {"roc_auc": 0.5, "spearman": 0.0}


@dataclass(frozen=True)
class Comparison:
    """What cross-validation on one assay says.

    Attributes
    ----------
    assay : Assay
    scores : DataFrame
        Tidy: `learner, split, repeat, fold, size` (of the training part), `metric, value`.
    curve : DataFrame
        The same for smaller training parts of the stratified folds.
    impossible : dict
        Kinds of split that could not be made, and why.
    """

    assay: Assay
    scores: pd.DataFrame
    curve: pd.DataFrame
    impossible: dict[str, str]

    @property
    def metric(self) -> str:
        """What decides: ROC-AUC, or of values Spearman's correlation."""
        return METRICS[isinstance(self.assay.target, Classification)][0]

    def summary(self) -> pd.DataFrame:
        """`split, metric, learner, mean, difference, low, high`: paired with the forest's."""
        rows = []
        for (split, metric), part in self.scores.groupby(["split", "metric"], sort=False):
            table = _per_fold(part)
            for name in dict.fromkeys(part["learner"]):
                found = resampled_interval(table[name] - table[REFERENCE], 1 / (FOLDS - 1))
                rows.append(
                    (split, metric, name, table[name].mean(), found.mean, found.low, found.high)
                )
        columns = ["split", "metric", "learner", "mean", "difference", "low", "high"]
        return pd.DataFrame(rows, columns=columns)

    def recommendation(self) -> str:
        """What to use here, in words."""
        table = self.summary()
        table = table[table["metric"] == self.metric].set_index(["split", "learner"])
        splits = list(dict.fromkeys(table.index.get_level_values("split")))
        first = next(name for name in self.scores["learner"] if name != REFERENCE)
        rows = table.xs(first, level="learner")[["difference", "low", "high"]].T.to_dict()
        gains = {
            str(split): Interval(row["difference"], row["low"], row["high"])
            for split, row in rows.items()
        }
        told = "; ".join(f"{split}: {gain}" for split, gain in gains.items())
        told = f"{first} − random forest, {NAMES[self.metric]}, {told}"
        means = table.loc[splits[0]]["mean"]
        best = max(means)
        if best > max(means[first], means[REFERENCE]):
            told += f"; highest mean of {splits[0]} folds: {means.idxmax()}"
        if best - CHANCE[self.metric] < 0.05:
            return (
                f"No model ranks better than chance yet ({NAMES[self.metric]} {best:.2f} at best): "
                f"measure more before anything is screened. ({told})"
            )
        if any(gain.high < 0 for gain in gains.values()):
            where = " and ".join(split for split, gain in gains.items() if gain.high < 0)
            return f"Use the random forest here: it wins on {where} folds. ({told})"
        if any(gain.low > 0 for gain in gains.values()):
            where = " and ".join(split for split, gain in gains.items() if gain.low > 0)
            return f"Use {first}: it wins on {where} folds. ({told})"
        return (
            f"These {len(self.assay)} measurements do not tell {first} from the random forest; use "
            f"either. ({told})"
        )

    def gain_of_more(self, learner: str, more: int = MORE) -> Interval | None:
        r"""What `more` measurements would add to the metric, by the slope of the learning curve.

        The value is taken to grow by the same at each doubling, as over the sizes that were tried;
        None, where there is only one.
        """
        part = self.curve[
            (self.curve["learner"] == learner) & (self.curve["metric"] == self.metric)
        ]
        table = part.pivot_table(index=["repeat", "fold"], columns="size", values="value").dropna()
        if table.shape[1] < 2:
            return None
        doublings = np.log2(table.columns.to_numpy(float))
        doublings -= doublings.mean()
        slopes = table.to_numpy() @ doublings / (doublings @ doublings)
        step = float(np.log2((len(self.assay) + more) / len(self.assay)))
        return resampled_interval(slopes * step, 1 / (FOLDS - 1))

    def markdown(self) -> str:
        """Tables, the recommendation, and what more measurements would give."""
        lines = [f"## {self.assay.name}: {len(self.assay)} molecules", "", self.recommendation()]
        bounds = int((~exact(self.assay)).sum())
        if bounds:
            lines += ["", f"{bounds} of them are bounds: learned from, and not scored."]
        table, repeats = self.summary(), self.scores["repeat"].nunique()
        for split in dict.fromkeys(table["split"]):
            part = table[table["split"] == split]
            names = list(dict.fromkeys(part["metric"]))
            lines += [
                "",
                f"{split} {FOLDS}-fold cross-validation, {repeats} times; differences to the "
                "forest on the same folds, 95 % interval (Nadeau, Bengio):",
                "",
                "| model | " + " | ".join(f"{NAMES[m]} | − forest" for m in names) + " |",
                "|---|" + "---:|---|" * len(names),
            ]
            for name in dict.fromkeys(part["learner"]):
                rows = part[part["learner"] == name].set_index("metric").loc[names]
                cells = []
                for row in rows.to_dict("records"):
                    gain = Interval(row["difference"], row["low"], row["high"])
                    cells += [f"{row['mean']:.3f}", "–" if name == REFERENCE else str(gain)]
                lines.append(f"| {name} | " + " | ".join(cells) + " |")
        lines += ["", *(f"No {split} folds: {why}" for split, why in self.impossible.items())]
        return "\n".join([*lines, *self._curve_lines()]).strip() + "\n"

    def _curve_lines(self) -> Iterator[str]:
        part = self.curve[self.curve["metric"] == self.metric]
        table = part.pivot_table(index="learner", columns="size", values="value", sort=False)
        yield ""
        yield f"{NAMES[self.metric]} by the number of measurements (stratified folds):"
        yield ""
        yield "| model | " + " | ".join(map(str, table.columns)) + " |"
        yield "|---|" + "---:|" * len(table.columns)
        for name, row in table.iterrows():
            yield f"| {name} | " + " | ".join(f"{value:.3f}" for value in row) + " |"
        yield ""
        for name in table.index:
            gain = self.gain_of_more(str(name))
            if gain is None:
                yield f"{name}: too few measurements to say what more would give."
            else:
                yield f"{name}: {MORE} more measurements would give {gain}."


def standard_models(base: BaseModel | None = None) -> dict[str, BaseModel]:
    """The default model, a linear probe on its network, a Gaussian process, and the forest."""
    base = base or from_pretrained()
    models = {base.experiment.name: base}
    probe = linear_probe_of(base)
    if probe is not None:
        models["linear_probe"] = probe
    return {**models, **{name: from_pretrained(name) for name in BASELINES}}


def linear_probe_of(base: BaseModel) -> BaseModel | None:
    """Logistic (or ridge) regression on the vectors of a model's network, if it has one."""
    encoder = base.learner.encoder if isinstance(base.learner, Embedded) else None
    if not isinstance(encoder, FeaturesWithPrior):
        return None
    learner = linear_probe(encoder.network, Classification(2)).eval()
    model = replace(base.experiment.model, learner={"name": "linear_probe"})
    return BaseModel(
        learner, replace(base.experiment, name="linear_probe", model=model), base.sha256
    )


def compare(
    assay: Assay,
    models: Mapping[str, BaseModel] | None = None,
    *,
    repeats: int = REPEATS,
    seed: int = 0,
) -> Comparison:
    """Cross-validate models on one's own measurements, by molecule and by scaffold.

    Parameters
    ----------
    assay : Assay
        Binary, or of measured values.
    models : mapping, optional
        By name, the forest (`random_forest`) among them; by default `standard_models()`.
    repeats : int
        Of each kind of fold, dealt anew.

    Raises
    ------
    TooFewMeasurements
        Fewer than 16 molecules, or fewer than 4 of a class.
    """
    models = models or standard_models()
    if REFERENCE not in models:
        raise MolmetaError(f"compare needs the model '{REFERENCE}' to compare with")
    binary = isinstance(assay.target, Classification)
    least = int(min(np.bincount(assay.active, minlength=2))) if binary else FOLDS
    if len(assay) < LEAST or least < FOLDS:
        raise TooFewMeasurements(
            f"assay {assay.name} has {len(assay)} molecules"
            + (f", {least} of the rarer class" if binary else "")
            + f"; a comparison needs {LEAST} and {FOLDS} of each class: measure more"
        )
    kinds = _groups_of(assay)
    scores: list[Row] = []
    impossible: dict[str, str] = {}
    for split in SPLITS:
        found = [
            row
            for repeat in range(repeats)
            for row in _cross_validate(assay, models, split, kinds, repeat, seed)
        ]
        if found:
            scores += found
        else:
            impossible[split] = "no division by scaffold leaves both classes on both sides"
    curve = [
        row for repeat in range(repeats) for row in _learning_curve(assay, models, repeat, seed)
    ]
    columns = ["learner", "split", "repeat", "fold", "size", "metric", "value"]
    tables = [pd.DataFrame(rows, columns=columns) for rows in (scores, curve)]
    return Comparison(assay, tables[0], tables[1], impossible)


Row = tuple[str, str, int, int, int, str, float]


def _cross_validate(
    assay: Assay,
    models: Mapping[str, BaseModel],
    split: str,
    kinds: Sequence[str],
    repeat: int,
    seed: int,
) -> Iterator[Row]:
    fold = _folds(assay, split, kinds, repeat, seed)
    for k in range(FOLDS):
        train, test = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        if not _both(assay, train) or not _both(assay, test):
            continue
        for name, model in models.items():
            for metric, value in _score(model, assay, train, test):
                yield name, split, repeat, k, len(train), metric, value


def _learning_curve(
    assay: Assay, models: Mapping[str, BaseModel], repeat: int, seed: int
) -> Iterator[Row]:
    """The first model and the forest on nested parts of each fold's training part."""
    fold = _folds(assay, RANDOM, [], repeat, seed)
    names = dict.fromkeys([next(iter(models)), REFERENCE])
    for k in range(FOLDS):
        train, test = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        for size in _sizes(len(assay) * (FOLDS - 1) // FOLDS):
            part = train[_spread(assay.active[train], seed, repeat, k)][:size]
            if _both(assay, part) and _both(assay, test):
                for name in names:
                    for metric, value in _score(models[name], assay, part, test):
                        yield name, RANDOM, repeat, k, size, metric, value


def _sizes(most: int) -> list[int]:
    """8, 16, 32, … and the most."""
    doubled = [2**power for power in range(3, 12) if 2**power < 0.75 * most]
    return [*doubled, most]


def _spread(active: np.ndarray, *names: object) -> np.ndarray:
    """An order of which every beginning has about the share of actives of the whole."""
    order = generator("learning curve", *names).permutation(len(active))
    place = np.empty(len(active))
    for label in (0, 1):
        own = order[active[order] == label]
        place[own] = (np.arange(len(own)) + 0.5) / max(len(own), 1)
    return np.argsort(place, kind="stable")


def _folds(assay: Assay, split: str, kinds: Sequence[str], repeat: int, seed: int) -> np.ndarray:
    if split == RANDOM:
        return fold_of_each(assay, FOLDS, seed + 1000 * repeat)
    state = int(generator("scaffold folds", seed, repeat).integers(2**31))
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=state)
    out = np.empty(len(assay), dtype=np.int64)
    for k, (_, test) in enumerate(folds.split(np.zeros(len(assay)), assay.active, kinds)):
        out[test] = k
    return out


def _groups_of(assay: Assay) -> list[str]:
    return scaffolds(assay.molecules.smiles)


def _both(assay: Assay, rows: np.ndarray) -> bool:
    if isinstance(assay.target, Classification):
        return 0 < assay.active[rows].sum() < len(rows)
    return int(exact(assay.take(rows)).sum()) > 1


def _score(
    model: BaseModel, assay: Assay, train: np.ndarray, test: np.ndarray
) -> Iterator[tuple[str, float]]:
    predicted = model.adapt(model.readable(assay.take(train))).predict(assay.molecules[test])
    asked = assay.take(test)
    if isinstance(assay.target, Classification):
        yield "roc_auc", metrics.roc_auc(asked.active, predicted)
        yield "delta_auprc", metrics.delta_auprc(asked.active, predicted)
    else:  # a bound is learned from, but no error from it is known
        known = exact(asked)
        yield "spearman", metrics.spearman(asked.values[known], predicted[known])
        yield "rmse", metrics.rmse(asked.values[known], predicted[known])


def _per_fold(scores: pd.DataFrame) -> pd.DataFrame:
    return scores.pivot_table(index=["repeat", "fold"], columns="learner", values="value")

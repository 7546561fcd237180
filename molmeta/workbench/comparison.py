"""What cross-validation says of models on one's own measurements: tables, and a recommendation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from molmeta.metrics import Interval, resampled_interval
from molmeta.tasks import Assay, Classification, exact

FOLDS = 4
MORE = 16
REFERENCE = "random_forest"
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
        return "roc_auc" if isinstance(self.assay.target, Classification) else "spearman"

    def summary(self) -> pd.DataFrame:
        """`split, metric, learner, mean, difference, low, high`: paired with the forest's."""
        rows = []
        for (split, metric), part in self.scores.groupby(["split", "metric"], sort=False):
            table = part.pivot_table(index=["repeat", "fold"], columns="learner", values="value")
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

    def gain_of_more(self, learner: str) -> Interval | None:
        """What `MORE` measurements would add to the metric, by the slope of the learning curve.

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
        step = float(np.log2((len(self.assay) + MORE) / len(self.assay)))
        return resampled_interval(slopes * step, 1 / (FOLDS - 1))

    def tables(self) -> Iterator[tuple[str, list[str], list[list[str]]]]:
        """A split, its metrics, and of each model the name, and means and differences by metric."""
        for split, part in self.summary().groupby("split", sort=False):
            metrics = list(dict.fromkeys(part["metric"]))
            rows = []
            for name in dict.fromkeys(part["learner"]):
                found = part[part["learner"] == name].set_index("metric").loc[metrics]
                cells = [str(name)]
                for row in found.to_dict("records"):
                    gain = Interval(row["difference"], row["low"], row["high"])
                    cells += [f"{row['mean']:.3f}", "–" if name == REFERENCE else str(gain)]
                rows.append(cells)
            yield str(split), [NAMES[metric] for metric in metrics], rows

    def markdown(self) -> str:
        """Tables, the recommendation, and what more measurements would give."""
        lines = [f"## {self.assay.name}: {len(self.assay)} molecules", "", self.recommendation()]
        bounds = int((~exact(self.assay)).sum())
        if bounds:
            lines += ["", f"{bounds} of them are bounds: learned from, and not scored."]
        repeats = self.scores["repeat"].nunique()
        for split, metrics, rows in self.tables():
            lines += [
                "",
                f"{split} {FOLDS}-fold cross-validation, {repeats} times; differences to the "
                "forest on the same folds, 95 % interval (Nadeau, Bengio):",
                "",
                "| model | " + " | ".join(f"{name} | − forest" for name in metrics) + " |",
                "|---|" + "---:|---|" * len(metrics),
                *("| " + " | ".join(row) + " |" for row in rows),
            ]
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

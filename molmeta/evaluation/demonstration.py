"""`molmeta demo`: the main job on the embedded data, from assays to a ranked library."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from molmeta.datasets import embedded_split, load_embedded
from molmeta.evaluation.assay_benchmark import run_benchmark
from molmeta.evaluation.plots import pyplot
from molmeta.evaluation.protocol import Protocol
from molmeta.evaluation.results import REFERENCE, write_results
from molmeta.evaluation.trained_models import trained_model
from molmeta.metrics import enrichment_factor, roc_auc
from molmeta.models import save_assay
from molmeta.molecules import Molecules
from molmeta.screening import screen
from molmeta.seeds import generator
from molmeta.tasks import Assay, Split, stratified

LEARNERS = ("prior_mean", "prototypical", "anil", "matching", REFERENCE)
SHOWN = "CHEMBL204_Ki"  # thrombin: the assay that the demo screens for
SUPPORT = 32


def demo(
    save_dir: str | Path = "molmeta-demo",
    *,
    learners: Sequence[str] = LEARNERS,
    workers: int = 2,
    protocol: Protocol | None = None,
    say: Callable[[str], None] = print,
) -> pd.DataFrame:
    """Meta-train, compare with the forest, adapt to one assay, screen a library.

    Writes below `save_dir`: `results.csv` and `results.md` (the comparison on the 8 test
    assays), `runs/` (the trained models), `library.csv`, `predictions.csv` (one row out per row
    in), `hits.csv` (the same ranked, best first, with what is known of each molecule) and
    `enrichment.png`. The first of `learners` (experiments) is the one that screens. Returns the
    tidy results.
    """
    protocol = protocol or Protocol(draws=5)
    folder, start = Path(save_dir), time.monotonic()
    split = Split(*(assays.binarise() for assays in embedded_split()))
    say(
        f"Embedded ChEMBL assays: {len(split.train)} to meta-train, {len(split.validation)} to "
        f"select, {len(split.test)} to test; no molecule of a test assay is in the others.\n"
        f"Meta-training, and scoring on the same episodes: {', '.join(learners)} "
        f"({', '.join(map(str, protocol.support_sizes))} measurements, {protocol.draws} draws) ..."
    )
    results = run_benchmark(learners, split, protocol, folder / "runs", workers=workers)
    say("\n" + write_results(results, folder / "results.csv", protocol, "molmeta demo"))
    _screen_shown(learners[0], split, folder, say)
    say(f"\n{time.monotonic() - start:.0f} s in all; everything is in {folder}/")
    return results.scores


def _screen_shown(learner: str, split: Split, folder: Path, say: Callable[[str], None]) -> None:
    assay = split.test[SHOWN]
    support = stratified(assay.active, SUPPORT, generator("demo", SHOWN), SHOWN)
    library = _write_library(assay, support, folder / "library.csv")
    model, forest = (
        trained_model(name, split, folder / "runs").adapt(assay.take(support))
        for name in (learner, REFERENCE)
    )
    summary = screen(model, folder / "library.csv", folder / "predictions.csv", overwrite=True)
    save_assay(model, folder / f"{SHOWN}.safetensors")
    hits = pd.read_csv(folder / "predictions.csv")
    name = model.base.experiment.name
    described = Molecules.cat([one.molecules for one in load_embedded().values()])
    position = {text: i for i, text in enumerate(described.smiles)}
    molecules = described[[position[text] for text in library["smiles"]]]
    curves = {name: hits["score"].to_numpy(), REFERENCE: forest.predict(molecules)}
    hits = hits.sort_values("score", ascending=False, kind="stable")
    hits.insert(0, "rank", np.arange(1, len(hits) + 1))
    hits.to_csv(folder / "hits.csv", index=False, lineterminator="\n")

    target = assay.info["target_name"]
    say(f"{target} ({SHOWN}): {name} adapted to {SUPPORT} measurements, {summary}.")
    truth = library["known"].eq("active").to_numpy().astype(int)
    for name, score in curves.items():
        say(
            f"  {name}: of {truth.sum()} known actives, the best 1 % of the ranking is "
            f"{enrichment_factor(truth, score, 0.01):.1f} times richer than chance, the best 5 % "
            f"{enrichment_factor(truth, score, 0.05):.1f} times; "
            f"ROC-AUC {roc_auc(truth, score):.2f}"
        )
    plot_enrichment(truth, curves, f"{target}, {SUPPORT} measurements", folder)
    say(f"The best of {folder / 'hits.csv'}:")
    say(hits.head(5)[["rank", "score", "known", "smiles"]].to_string(index=False))


def _write_library(assay: Assay, support: np.ndarray, path: Path) -> pd.DataFrame:
    """The assay's other molecules among those of all other assays, in an order of no meaning."""
    rest = assay.take(np.setdiff1d(np.arange(len(assay)), support))
    known = dict(
        zip(rest.molecules.smiles, np.where(rest.active, "active", "inactive"), strict=True)
    )
    mine = set(assay.molecules.smiles)
    others = sorted(load_embedded().smiles() - mine)
    picked = generator("demo library").permutation(len(others))[: 12_000 - len(known)]
    known |= {others[i]: "not measured" for i in picked}
    rows = sorted(known)
    order = generator("demo order").permutation(len(rows))
    library = pd.DataFrame(
        {
            "id": [f"M{i:05d}" for i in range(len(rows))],
            "smiles": [rows[i] for i in order],
            "known": [known[rows[i]] for i in order],
        }
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    library.to_csv(path, index=False, lineterminator="\n")
    return library


def plot_enrichment(
    truth: np.ndarray, curves: dict[str, np.ndarray], title: str, folder: Path
) -> None:
    """Share of the actives found against share of the library measured, as `enrichment.png`."""
    plt = pyplot()
    screened = np.arange(1, len(truth) + 1) / len(truth)
    figure, axis = plt.subplots(figsize=(5.5, 4.5), layout="constrained")
    for name, score in curves.items():
        found = np.cumsum(truth[np.argsort(-score, kind="stable")]) / truth.sum()
        axis.plot(100 * screened, 100 * found, label=name.replace("_", " "))
    ideal = np.minimum(1, screened * len(truth) / truth.sum())
    axis.plot(100 * screened, 100 * ideal, color="0.6", linestyle=":", label="perfect ranking")
    axis.plot([0, 100], [0, 100], color="0.6", linestyle="--", label="chance")
    axis.set(
        xlabel="best-ranked part of the library (%)",
        ylabel="known actives found (%)",
        title=title,
        xlim=(0, 100),
        ylim=(0, 101),
    )
    axis.legend(loc="lower right", frameon=False)
    figure.savefig(folder / "enrichment.png", dpi=150)
    plt.close(figure)

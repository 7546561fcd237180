"""What is committed under benchmarks/results is whole, and what the pages say of it is true."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from molmeta.evaluation.image_results import image_markdown
from molmeta.evaluation.protocol import COLUMNS, markdown, summarise
from molmeta.metrics import bootstrap_interval
from molmeta.models.config import experiment_names, load_experiment, names_of
from molmeta.reproduce.methods import COLUMNS as REPRODUCTION
from molmeta.reproduce.methods import LABELS

ROOT = Path(__file__).parents[3]
RESULTS = ROOT / "benchmarks" / "results"
OF_ASSAYS = (
    *("demo", "embedded", "embedded-validation", "speed-precision"),
    *("chembl22-disjoint", "chembl22-measured", "tox21-disjoint", "tox21-overlapping"),
    *("default", "default-measured"),
)
SHOWN = (16, 64, 256)
ALL_SIZES = (16, 32, 64, 128, 256)
PROMISES = (
    "values: interval holds the value at 80%",
    "values: interval holds the value at 90%",
    "values: mean error inside the domain",
    "values: mean error outside the domain",
    "classes: active not ruled out at 80%",
    "classes: inactive not ruled out at 80%",
    "classes: decided at 80%",
    "classes: right where decided at 80%",
)
PROTOCOLS = ("disjoint", "overlapping")
OF_IMAGES = ("omniglot-small1",)


def scores(name: str) -> pd.DataFrame:
    return pd.read_csv(RESULTS / f"{name}.csv")


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def gains(table: pd.DataFrame, reference: str, metric: str, factor: int) -> dict[str, str]:
    """For each learner its mean, and the paired difference with its interval."""
    digits = 3 if factor == 1 else 1
    cells = {}
    for row in summarise(table, reference, metric).to_dict("records"):
        mean, gain, low, high = (
            factor * row[name] for name in ("mean", "difference", "low", "high")
        )
        cells[str(row["learner"])] = f"{mean:.{digits}f}" + (
            ""
            if row["learner"] == reference
            else f" ({gain:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}])"
        )
    return cells


def at(name: str, size: int) -> pd.DataFrame:
    """The scores of a result at one support size."""
    table = scores(name)
    return table[table["support_size"] == size]


def means(table: pd.DataFrame, reference: str, metric: str) -> dict[str, str]:
    """The mean of each learner, in %."""
    rows = summarise(table, reference, metric).to_dict("records")
    return {str(row["learner"]): f"{100 * row['mean']:.1f}" for row in rows}


def reads(name: str) -> str:
    """Which encoder a row of the suite's table used."""
    encoder = load_experiment(name).model.encoder
    kinds = names_of(encoder)
    if "weisfeiler_lehman" in encoder.get("blocks", ()):
        return "graph colours, network" if "gin" in kinds else "graph colours"
    if "gin" in kinds:
        return "graph network" if "whitened" in kinds else "untrained graph network"
    known = {
        "weighted_fingerprint": "weighted counts",
        "fingerprint": "fingerprint network",
        "features_with_prior": "fingerprints, network",
        "train_assay_labels": "labels",
        "features": "fingerprints",
    }
    return known[encoder["name"]]


def suite_table() -> list[str]:
    """The table of the whole suite: best at 16 measurements of ChEMBL-22 first."""
    images = scores("omniglot-small1")
    five = images[(images["support_size"] == 25) & (images["prevalence"] == 0.2)]
    columns = [
        *(gains(at("chembl22-disjoint", n), "random_forest", "delta_auprc", 1) for n in SHOWN),
        *(means(at(f"tox21-{kind}", 20), "random_forest", "roc_auc") for kind in PROTOCOLS),
        means(five, "nearest_neighbours", "accuracy"),
    ]
    names = sorted(columns[0], key=lambda name: float(columns[0][name].split()[0]), reverse=True)
    return [
        f"| `{name}` | {reads(name)} | "
        + " | ".join(column.get(name, "–") for column in columns)
        + " |"
        for name in names
    ]


def images_table() -> list[str]:
    """The table of images: best in 5-way 5-shot first; last, without the hardest alphabet."""
    images = scores("omniglot-small1")
    easier = images[images["task"] != "Balinese"]
    settings = [(5, 0.2), (25, 0.2), (20, 0.05), (100, 0.05)]  # images, 1 / classes
    columns = [
        part[(part["support_size"] == size) & (part["prevalence"] == share)]
        .groupby("learner")["value"]
        .mean()
        for part, (size, share) in [*((images, one) for one in settings), (easier, settings[1])]
    ]
    return [
        f"| `{name}` | " + " | ".join(f"{100 * column[name]:.1f}" for column in columns) + " |"
        for name in columns[1].sort_values(ascending=False).index
    ]


def measured_table() -> list[str]:
    """The table of learning from measured values."""
    columns = [gains(at("chembl22-measured", n), "random_forest", "delta_auprc", 1) for n in SHOWN]
    return [
        f"| `{name}` | " + " | ".join(column[name] for column in columns) + " |"
        for name in columns[0]
    ]


def shipped_table() -> list[str]:
    """The table of the shipped model."""
    made = {"classes": "default", "measured values": "default-measured"}
    rows = []
    for what, name in made.items():
        cells = [
            gains(at(name, n), "random_forest", "delta_auprc", 1)["default"] for n in ALL_SIZES
        ]
        rows.append(f"| {what} | " + " | ".join(cells) + " |")
    return rows


def lines_of(name: str) -> list[str]:
    """The rows of the first table of a committed page."""
    lines = (RESULTS / f"{name}.md").read_text("utf-8").splitlines()
    return [line for line in lines if line.startswith("|")]


def promises() -> list[str]:
    """The rows of how far intervals, sets and the domain hold."""
    rows = {line.split(" | ")[0].strip("| "): line for line in lines_of("default-trust")}
    return [rows[name] for name in PROMISES]


def speed_table() -> list[str]:
    """The table of speed: what has a goal."""
    rows = pd.read_csv(RESULTS / "speed.csv").dropna(subset="target").to_dict("records")
    return [
        f"| {row['goal']} | {row['peer']} | {row['ratio']:.3g} | {row['target']:.3g} |"
        for row in rows
    ]


@pytest.mark.parametrize("name", [*OF_ASSAYS, *OF_IMAGES])
def test_a_result_is_tidy_and_has_its_environment(name: str) -> None:
    table = scores(name)
    assert list(table.columns) == COLUMNS
    assert table["value"].notna().all()
    counts = table.groupby(["learner", "metric"]).size()
    assert counts.nunique() == 1, "every learner has the same episodes"
    assert (RESULTS / f"{name}.environment.json").exists()


@pytest.mark.parametrize("name", OF_ASSAYS)
def test_an_assay_result_is_summarised_as_written(name: str) -> None:
    assert markdown(scores(name), "random_forest") in (RESULTS / f"{name}.md").read_text("utf-8")


@pytest.mark.parametrize("name", OF_IMAGES)
def test_an_image_result_is_summarised_as_written(name: str) -> None:
    assert image_markdown(scores(name)) in (RESULTS / f"{name}.md").read_text("utf-8")


def test_results_have_every_shipped_learner() -> None:
    assert set(scores("embedded")["learner"]) == set(experiment_names())
    missing = {"zero_shot", "zero_shot_fingerprint", "fine_tune_all"}  # no descriptions, or slow
    assert set(scores("chembl22-disjoint")["learner"]) == set(experiment_names()) - missing
    images = {name.removeprefix("images/") for name in experiment_names("images")}
    assert set(scores("omniglot-small1")["learner"]) == images - {"zero_shot"}


def test_every_learner_with_a_support_beats_the_constant_on_validation() -> None:
    table = summarise(scores("embedded-validation"), "constant")
    behind = set(table[table["low"] <= 0]["learner"])
    assert behind == {"constant", "zero_shot_fingerprint", "label_only"}


def test_the_demo_table_is_the_committed_result() -> None:
    lines = (RESULTS / "demo.md").read_text("utf-8").splitlines()
    table = "\n".join([line for line in lines if line.startswith("|")][: 2 + 15])
    assert table.count("| random_forest |") == 3
    assert table in page("docs/results/benchmark.md")


def test_the_suite_table_is_the_committed_result() -> None:
    assert "\n".join(suite_table()) in page("docs/results/suite.md")
    assert "\n".join(measured_table()) in page("docs/results/suite.md")


def test_the_images_table_is_the_committed_result() -> None:
    assert "\n".join(images_table()) in page("docs/results/images.md")


def test_what_is_said_of_the_shipped_model_is_the_committed_result() -> None:
    for name in ("README.md", "docs/results/benchmark.md"):
        assert "\n".join(shipped_table()) in page(name)
    assert "\n".join(promises()) in page("docs/how-to/new-assay.md")
    assert "\n".join(lines_of("default-suggest")) in page("docs/how-to/suggest.md")


def test_what_is_said_of_earlier_assays_is_the_committed_result() -> None:
    assert "\n".join(lines_of("default-known")) in page("docs/results/benchmark.md")
    text = (RESULTS / "default-known.md").read_text("utf-8")
    assert text.endswith(markdown(scores("default-known"), "default"))


@pytest.mark.parametrize("name", ["nguyen2020-night", "nguyen2020-further"])
def test_the_paper_run_again_is_summarised_as_written(name: str) -> None:
    table = scores(name)
    assert list(table.columns) == REPRODUCTION
    assert table["value"].between(0, 1).all()
    models = table.groupby(["learner", "metric"])["model_seed"].nunique()
    rows = table.groupby(["learner", "metric"]).size() / models
    assert rows.nunique() == 1  # every model is judged on all
    told = page(f"benchmarks/results/{name}.md")
    for group in ("in-distribution", "out-of-distribution", "organisms"):
        part = table[(table["group"] == group) & (table["metric"] == "auprc")]
        for learner in ("maml", "fine_tune_all", "random_forest"):
            one = part[(part["learner"] == learner) & (part["support_size"] == 16)]
            interval = bootstrap_interval(one.groupby("task")["value"].mean())
            assert f"| {LABELS[learner]} | {interval.text('.3f')} |" in told
    assert (RESULTS / f"{name}.png").exists()
    assert (RESULTS / f"{name}.environment.json").exists()


def test_what_is_said_of_the_paper_is_the_committed_result() -> None:
    lines = {*lines_of("nguyen2020-night"), *lines_of("nguyen2020-further")}
    text = page("docs/results/paper.md")
    first = text.index("| method |")
    tables = [
        line
        for line in text[first : text.index("## How fast")].splitlines()
        if line.startswith("| ")
    ]
    assert sum(line.startswith("| MAML |") for line in tables) >= 3
    assert sum(line.startswith("| random forest |") for line in tables) >= 3
    for line in tables:
        assert line in lines, line


def test_the_speed_of_the_papers_networks_is_the_committed_result() -> None:
    assert "\n".join(lines_of("nguyen2020-speed")) in page("docs/results/paper.md")


def test_the_load_table_is_the_committed_result() -> None:
    assert "\n".join(lines_of("screening-load")) in page("docs/results/speed.md")
    table = pd.read_csv(RESULTS / "screening-load.csv")
    for _, part in table.groupby("engine"):  # ten times the rows, within 50 MB
        assert part["rows"].tolist() == [100_000, 1_000_000]
        assert part["this_mb"].max() - part["this_mb"].min() <= 50


def test_the_speed_table_is_the_committed_result() -> None:
    assert "\n".join(speed_table()) in page("docs/results/speed.md")

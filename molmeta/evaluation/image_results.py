"""What an image benchmark writes: accuracies with paired differences, beside the papers'."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import pandas as pd

from molmeta.evaluation.protocol import ImageProtocol, summarise
from molmeta.evaluation.results import Results, costs_table, write_tables

REFERENCE = "nearest_neighbours"
# Accuracies in % of the papers, 5-way and 20-way tasks of 1 and 5 shots, on the full Omniglot with
# their own splits. * from memory of the paper, not from its table.
PUBLISHED_KINDS = ((5, 1), (5, 5), (20, 1), (20, 5))  # n_way, k
PUBLISHED = {
    "siamese": ("96.7*", "98.4*", "88.0*", "96.5*"),
    "relation": ("99.6", "99.8", "97.6*", "99.1*"),
    "matching": ("98.1", "98.9", "93.8", "98.5"),
    "prototypical": ("98.8", "99.7", "96.0", "98.9"),
    "few_shot_gnn": ("99.2*", "99.7*", "97.4*", "99.0*"),
    "mann": ("82.8* (2nd instance)", "94.9* (5th instance)", "–", "–"),
    "meta_networks": ("98.95*", "–", "–", "–"),
    "maml": ("98.7 (t)", "99.9 (t)", "95.8 (t)", "98.9 (t)"),
    "fomaml": ("98.3*", "99.2*", "89.4*", "97.9*"),
    "reptile": ("–", "99.5 (t)", "–", "–"),
    "anil": ("–", "–", "96.2", "98.0"),
}


def write_image_results(
    results: Results, path: Path, protocol: ImageProtocol, command: str, data: str
) -> str:
    """`<path>`.csv, and beside it a Markdown summary and the environment; returns the summary."""
    looks = (
        "The test classes were looked at once in this run."
        if protocol.part == "test"
        else "These are the validation classes, by which training was stopped: no test result."
    )
    tasks = results.scores["task"].nunique()
    summary = (
        f"Accuracy in %, mean over {protocol.draws} tasks of each kind on each of {tasks} "
        f"{protocol.part} sets (seed {protocol.seed}, {protocol.query_shots} queries a class); in "
        f"brackets the difference to {REFERENCE} (most similar image, Tanimoto on pixels) on the "
        f"same tasks, with its 95 % bootstrap interval over the sets. {looks} Learners whose "
        "weights do not depend on the number of classes were trained once, on tasks of the most "
        "classes.\n\n"
        f"{image_markdown(results.scores)}\n{costs_table(results.costs)}"
    )
    if data == "omniglot":
        summary += f"\n{_published(results.scores)}"
    write_tables(results, path, command, summary)
    return summary


def kinds(scores: pd.DataFrame) -> list[tuple[int, int]]:
    """(n_way, k) of the tasks in a results table, by n_way and k."""
    pairs = scores[["prevalence", "support_size"]].drop_duplicates()
    ways = [(round(1 / share), int(size)) for share, size in pairs.itertuples(index=False)]
    return sorted((n_way, size // n_way) for n_way, size in ways)


def image_markdown(scores: pd.DataFrame) -> str:
    """A row a learner, a column a kind of task: accuracy and paired difference in %."""
    columns = kinds(scores)
    cells: dict[str, list[str]] = {}
    for n_way, k in columns:
        for row in _of_kind(scores, n_way, k):
            text = f"{100 * row['mean']:.1f}"
            if row["learner"] != REFERENCE:
                ends = ", ".join(f"{100 * row[end]:+.1f}" for end in ("low", "high"))
                text += f" ({100 * row['difference']:+.1f} [{ends}])"
            cells.setdefault(str(row["learner"]), []).append(text)
    heads = [f"{n_way}-way {k}-shot" for n_way, k in columns]
    lines = [f"| learner | {' | '.join(heads)} |", "|---|" + "---|" * len(heads)]
    lines += [f"| {name} | {' | '.join(row)} |" for name, row in cells.items()]
    return "\n".join(lines) + "\n"


def _of_kind(scores: pd.DataFrame, n_way: int, k: int) -> list[dict[Hashable, Any]]:
    chance, size = scores["prevalence"].sub(1 / n_way).abs() < 1e-9, n_way * k
    part = scores[chance & (scores["support_size"] == size)]
    return summarise(part, REFERENCE, "accuracy").to_dict("records")


def _published(scores: pd.DataFrame) -> str:
    """The papers' accuracies beside ours."""
    columns = [kind for kind in PUBLISHED_KINDS if kind in kinds(scores)]
    ours: dict[str, dict[tuple[int, int], float]] = {}
    for kind in columns:
        for row in _of_kind(scores, *kind):
            ours.setdefault(str(row["learner"]), {})[kind] = 100 * row["mean"]
    heads = [
        f"{n_way}-way {k}-shot, {whose}" for n_way, k in columns for whose in ("ours", "paper")
    ]
    lines = [
        "The papers' figures are for the full Omniglot (some 1,200 characters to learn from, with "
        "rotations, tested on some 400 of alphabets seen and unseen), 64 channels and tens of "
        "thousands of steps, where this run had the data and the budget above: they show what the "
        "methods reach, and are not the mark for this table. (t) transductive through BatchNorm; "
        "* as remembered from the paper, not read from its table.\n",
        f"| learner | {' | '.join(heads)} |",
        "|---|" + "---|" * len(heads),
    ]
    for name, figures in PUBLISHED.items():
        if name in ours:
            paper = dict(zip(PUBLISHED_KINDS, figures, strict=True))
            pairs = [(f"{ours[name][kind]:.1f}", paper[kind]) for kind in columns]
            lines.append(f"| {name} | {' | '.join(text for pair in pairs for text in pair)} |")
    return "\n".join(lines) + "\n"

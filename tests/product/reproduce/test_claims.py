"""What a reproduction says of the paper's claims, on scores that one can add up by hand."""

from __future__ import annotations

import pandas as pd

from molmeta.datasets import IN, OUT
from molmeta.reproduce.claims import leads, leads_by_model, widening

AUPRC = {IN: {"maml": (0.5, 0.7), "knn": (0.4, 0.5)}, OUT: {"maml": (0.6, 0.8), "knn": (0.2, 0.6)}}


def scores(*learners: str) -> pd.DataFrame:
    rows = [
        {
            **{"learner": name, "task": f"{group} {i}", "group": group, "support_size": 16},
            **{"model_seed": seed, "split_seed": 0, "metric": "auprc", "value": value},
        }
        for group, found in AUPRC.items()
        for name in learners
        for seed in (0, 1)  # two models, as good as one another
        for i, value in enumerate(found[name])
    ]
    return pd.DataFrame(rows).assign(prevalence=0.5)


def test_a_lead_is_paired_assay_by_assay() -> None:
    told = leads(scores("maml", "knn"))
    assert "| kNN, multi-task | +0.150 [+0.100, +0.200], 2/2 |" in told  # in distribution
    assert "| kNN, multi-task | +0.300 [+0.200, +0.400], 2/2 |" in told  # out of it


def test_a_lead_widens_by_the_difference_of_means() -> None:
    told = widening(scores("maml", "knn"))
    assert told.startswith("out-of-distribution: MAML's lead there − its lead in distribution")
    assert "| kNN, multi-task | +0.150 [+0.000, +0.300] |" in told


def test_each_model_has_its_own_lead() -> None:
    table = scores("maml", "knn")
    table.loc[(table["learner"] == "maml") & (table["model_seed"] == 1), "value"] += 0.1
    told = leads_by_model(table).splitlines()
    assert "| 0 | +0.150 [+0.100, +0.200] |" in told  # in distribution
    assert "| 1 | +0.250 [+0.200, +0.300] |" in told
    assert "| 1 | +0.400 [+0.300, +0.500] |" in told  # out of it
    assert leads_by_model(table[table["model_seed"] == 0]) == ""  # that is the table of leads


def test_without_maml_nothing_is_claimed_of_it() -> None:
    assert leads(scores("knn")) == widening(scores("knn")) == leads_by_model(scores("knn")) == ""

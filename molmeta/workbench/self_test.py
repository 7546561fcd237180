"""The shipped model, tried on one assay: what `molmeta doctor` runs in a process of its own."""

from __future__ import annotations

import numpy as np

from molmeta.datasets import load_embedded
from molmeta.device import resolve
from molmeta.errors import MolmetaError
from molmeta.metrics import roc_auc
from molmeta.models import from_pretrained
from molmeta.seeds import generator

ASSAY = "CHEMBL1862_Ki"  # ABL1: a test assay that the shipped model ranks well
SUPPORT, QUERY = 16, 64  # molecules that the self-test adapts to, and ranks
LEAST_AUC = 0.7  # of the self-test's ranking; it has 0.9


def self_test() -> str:
    """Adapt the shipped model to 16 molecules of an assay and rank 64 others; the result in a line.

    Raises
    ------
    MolmetaError
        A score is not finite, or the ranking is little better than chance.
    """
    whole = load_embedded()[ASSAY].binarise()
    few = whole.take(generator("doctor").permutation(len(whole))[: SUPPORT + QUERY])
    model = from_pretrained(device=resolve())
    query = few.take(np.arange(SUPPORT, len(few)))
    scores = model.adapt(few.take(np.arange(SUPPORT))).predict(query.molecules)
    if not np.isfinite(scores).all():
        raise MolmetaError("the shipped model gave scores that are not finite")
    auc = roc_auc(query.active, scores)
    if auc < LEAST_AUC:
        raise MolmetaError(f"the shipped model ranks {ASSAY} with ROC-AUC {auc:.2f}, not 0.9")
    return f"{SUPPORT} molecules of {ASSAY} learned, {QUERY} ranked, ROC-AUC {auc:.2f}"

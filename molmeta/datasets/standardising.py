"""Many SMILES standardised once, and kept for the next time that somebody reads them."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from hashlib import sha256
from itertools import chain
from pathlib import Path

import numpy as np
import rdkit

from molmeta.featurizers import Policy, Standardised, Standardiser
from molmeta.files import cache_folder, keep_arrays, kept_arrays
from molmeta.processes import in_chunks

MANY = 20_000  # texts, which take more than a few seconds
COLUMNS = ("smiles", "status", "reason")


def standardised(texts: Iterable[str], policy: Policy, workers: int = 1) -> dict[str, Standardised]:
    """Each distinct text, standardised; of `MANY` or more the results are kept in the cache.

    What is kept is found again by the texts, the policy, RDKit's version and the code.
    """
    distinct = list(dict.fromkeys(texts))
    if len(distinct) < MANY:
        return dict(zip(distinct, _each(distinct, policy), strict=True))
    folder = cache_folder() / "standardised" / _key(distinct, policy)
    found = kept_arrays(folder)
    if found is None:
        parts = in_chunks(_each, distinct, policy, workers=workers, what="standardising")
        results = list(chain.from_iterable(parts))
        keep_arrays(folder, {c: _packed([getattr(r, c) for r in results]) for c in COLUMNS}, {})
    else:
        columns = [_unpacked(found[0][column]) for column in COLUMNS]
        results = [Standardised(*row) for row in zip(*columns, strict=True)]  # type: ignore[arg-type]
    return dict(zip(distinct, results, strict=True))


def _each(texts: Sequence[str], policy: Policy) -> list[Standardised]:
    return list(map(Standardiser(policy), texts))


def _key(texts: list[str], policy: Policy) -> str:
    code = Path(inspect.getfile(Standardiser)).read_bytes()
    made_by = [asdict(policy), rdkit.__version__, sha256(code).hexdigest()]
    return sha256(json.dumps([made_by, texts]).encode()).hexdigest()[:20]


def _packed(texts: list[str]) -> np.ndarray:
    """Texts without line breaks as bytes."""
    return np.frombuffer("\n".join(texts).encode(), dtype=np.uint8)


def _unpacked(content: np.ndarray) -> list[str]:
    return content.tobytes().decode().split("\n")

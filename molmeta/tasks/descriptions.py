"""The support of a learner that reads what an assay is, not what was measured."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from molmeta import registry
from molmeta.errors import MolmetaError, UnsupportedTarget
from molmeta.tasks.assay import Assay
from molmeta.tasks.episode import Examples
from molmeta.tasks.targets import Classification

# what is told of an assay, where its `info` has it
TOLD = ("target_class", "target_name", "measurement", "description")


def descriptions(info: Mapping[str, str]) -> list[str]:
    """One text a class of a binary assay, inactive then active, from what is known of it.

    Raises
    ------
    MolmetaError
        Nothing is known.
    """
    known = [str(info[key]) for key in TOLD if str(info.get(key, "")).strip()]
    if not known:
        raise MolmetaError(
            f"the assay has no description; give one of {', '.join(TOLD)} in its info"
        )
    return [f"{word} on {', '.join(known)}" for word in ("inactive", "active")]


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

"""Training above an encoder that stays: its vectors are computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor, nn

from molmeta.encoders import Encoder
from molmeta.learners import Embedded, Learner
from molmeta.models import encode_all
from molmeta.molecules import Molecules
from molmeta.tasks import Assay


class OnVectors(Embedded):
    """A learner on the vectors of its fixed encoder, and of what is trained above that.

    The parts are those of the whole learner, so that training this one trains that.

    Parameters
    ----------
    whole : Embedded
        What is used afterwards.
    above : nn.Module
        The vectors of the fixed part of its encoder to those that the learner reads.
    """

    def __init__(self, whole: Embedded, above: nn.Module) -> None:
        super().__init__(above, whole.learner, whole.support_encoder)
        self.whole = (whole,)  # no part of this one: its weights are not saved twice

    def for_use(self) -> Learner:
        """The whole learner."""
        return self.whole[0].requires_grad_(True).eval()


def above_fixed(learner: Learner, *groups: list[Assay]) -> tuple[Learner, list[list[Assay]]]:
    """The learner without the part that training leaves as it is, and assays as that encodes them.

    Where nothing stays, they are what they were.
    """
    encoder = learner.encoder if isinstance(learner, Embedded) else None
    layers = encoder.fixed_below if isinstance(encoder, Encoder) else None
    if layers is None:
        return learner, list(groups)
    fixed, above = layers
    assert isinstance(learner, Embedded)
    vectors = _vectors(fixed.eval(), [assay for group in groups for assay in group])
    encoded = [[replace(a, molecules=vectors[id(a)]) for a in group] for group in groups]
    return OnVectors(learner, above), encoded


def _vectors(encoder: Encoder, assays: Sequence[Assay]) -> dict[int, Tensor]:
    """Of each assay `[n, dim]`; a molecule is encoded once."""
    every = Molecules.cat([assay.molecules for assay in assays])
    _, first, place = np.unique(every.smiles, return_index=True, return_inverse=True)
    distinct = encode_all(encoder, every[first]).cpu()
    ends = np.cumsum([len(assay) for assay in assays])
    parts = np.split(place, ends[:-1])
    return {id(a): distinct[part] for a, part in zip(assays, parts, strict=True)}

"""Goal 3: few-shot evaluation on a frozen encoder, against a loop that encodes every episode."""

from __future__ import annotations

from dataclasses import replace

import torch
from common import SUPPORT, Row, assays, base_model, main, measured, side_by_side
from pyg import PygGIN, encode

from molmeta.encoders import GIN
from molmeta.learners import Embedded
from molmeta.tasks import Assay, evaluation_episode
from molmeta.training import score_episode, score_learner

DRAWS, THEIR_DRAWS = 100, 5


def fresh(assay: Assay) -> Assay:
    """The assay, with nothing collated yet."""
    return replace(assay, molecules=assay.molecules[:])


def of_head(head: str) -> Row:
    """Seconds an episode: drawn, adapted to, predicted and scored."""
    learner, assay = base_model(head).learner, assays()[0]
    assert isinstance(learner, Embedded) and isinstance(learner.encoder, GIN)
    encoder = PygGIN(learner.encoder)

    def ours(number: int) -> None:
        list(score_learner(learner, [fresh(assay)], [SUPPORT], DRAWS, seed=number))

    def theirs(number: int) -> None:
        for draw in range(THEIR_DRAWS):
            with torch.no_grad():
                task = encode(encoder, evaluation_episode(assay, SUPPORT, draw, number))
            list(score_episode(learner.learner, task))

    goal, peer = f"evaluation, {head}, frozen encoder", "PyG's GINConv on every episode"
    row = side_by_side(goal, peer, ours, measured(theirs), 200, unit="s an episode")
    a, b = row.ours / DRAWS, row.theirs / THEIR_DRAWS
    return row._replace(ours=a, theirs=b, ratio=b / a)


def rows() -> list[Row]:
    """Both kinds of head."""
    return [of_head("anil"), of_head("prototypical")]


if __name__ == "__main__":
    main(rows)

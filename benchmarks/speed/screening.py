"""Goal 6: SMILES to scores, standardisation and all, against chemprop's prediction."""

from __future__ import annotations

from common import Row, adapted, base_model, main, side_by_side, smiles
from peers import NAMES, Chemprop

from molmeta.screening import Ask, Scorer


def of(head: str, precision: str, path: str = "", target: float = 4) -> Row:
    """A learner on a frozen encoder of the same width and depth, against a path of chemprop."""
    scorer = Scorer(adapted(base_model(head, precision), 1))
    library = [Ask(text) for text in smiles()]

    def ours(_: int) -> None:
        scorer.score(library)

    goal, unit = f"screening, {head}, {precision}", f"s for {len(library)} molecules"
    for _ in range(5):  # compiled code is loaded when enough molecules have come by
        ours(0)
    with Chemprop(f"predict{path}") as theirs:
        return side_by_side(goal, NAMES[path], ours, theirs, target, unit=unit)


def with_weights_per_task() -> Row:
    """MAML, whose encoder is adapted too: reported apart."""
    return of("maml", "float32", target=float("nan"))


def rows() -> list[Row]:
    """In both precisions, and against both paths."""
    return [
        of("anil", "float32"),
        of("anil", "float32", "-cuik", 2),
        of("anil", "bf16"),
        with_weights_per_task(),
    ]


if __name__ == "__main__":
    main(rows)

"""Goal 6: SMILES to scores, standardisation and all, against chemprop's prediction."""

from __future__ import annotations

from common import Row, adapted, base_model, main, side_by_side, smiles
from peers import Chemprop

from molmeta.screening import Ask, Scorer


def of(head: str, precision: str) -> Row:
    """A learner on a frozen encoder of the same width and depth."""
    scorer = Scorer(adapted(base_model(head, precision), 1))
    library = [Ask(text) for text in smiles()]

    def ours(_: int) -> None:
        scorer.score(library)

    goal, unit = f"screening, {head}, {precision}", f"s for {len(library)} molecules"
    with Chemprop("predict") as theirs:
        return side_by_side(goal, "chemprop 2.3.1", ours, theirs, 5, unit=unit)


def with_weights_per_task() -> Row:
    """MAML, whose encoder is adapted too: reported apart."""
    return of("maml", "float32")._replace(target=float("nan"))


def rows() -> list[Row]:
    """In both precisions."""
    return [of("anil", "float32"), of("anil", "bf16"), with_weights_per_task()]


if __name__ == "__main__":
    main(rows)

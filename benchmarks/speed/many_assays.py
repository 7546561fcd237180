"""Goal 4: a library scored by all assays at once, against the same by one."""

from __future__ import annotations

from common import Row, adapted, base_model, main, measured, side_by_side, smiles

from molmeta.models import score_assays
from molmeta.molecules import Molecules

ASSAYS = 690


def of_head(head: str) -> Row:
    """Seconds for the library, from SMILES to scores; the ratio is one's over all's."""
    many, library = adapted(base_model(head), ASSAYS), smiles()

    def ours(_: int) -> None:
        score_assays(many, Molecules(library))

    def theirs(_: int) -> None:
        score_assays(many[:1], Molecules(library))

    goal, unit = f"{ASSAYS} assays at once, {head}", f"s for {len(library)} molecules"
    return side_by_side(goal, "one assay", ours, measured(theirs), 1 / 1.05, unit=unit)


def rows() -> list[Row]:
    """Both kinds of head."""
    return [of_head("anil"), of_head("prototypical")]


if __name__ == "__main__":
    main(rows)

r"""The models of `--size night`, judged on each set of molecules once, and on all of FS-Mol's test.

    python benchmarks/nguyen2020/further.py fsmol_assays.csv.gz chembl_organism_assays.csv.gz \
        --save-dir DIR

DIR holds what `molmeta reproduce nguyen2020 --size night --save-dir DIR` trained. Of the 40 assays
that the split draws in distribution, 23 measure one panel of 157 molecules: an interval over assays
takes them for 23 experiments. Here an assay is left out if more than half of its molecules are in
those before it; and the assays of FS-Mol's test that were not drawn are added, less the molecules
that the models have learned from. Writes `benchmarks/results/nguyen2020-further.*`.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from molmeta.datasets import (
    IN,
    Study,
    collected,
    read_fs_mol,
    read_groups,
    read_split,
    read_table,
    recreate,
    split_assays,
)
from molmeta.evaluation import Protocol, prepared
from molmeta.reproduce import SIZES, Size, describe, reproduce, write_reproduction
from molmeta.tasks import Assay, Assays, Split

SPLIT = "nguyen2020"
LEAST = 128  # measurements of an assay that is judged on
RESULTS = Path(__file__).parents[1] / "results"
APART = (
    "- an assay in distribution is left out if more than half of its molecules are in those before "
    "it\n"
    "- in distribution are, beside those that the split draws, the other binding and functional "
    "assays of FS-Mol's test, less the molecules of training and validation, if 128 measurements "
    "are left"
)


def main() -> None:
    """Find the models trained, judge them, write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("fs_mol", type=Path)
    parser.add_argument("organisms", type=Path)
    parser.add_argument("--save-dir", type=Path, required=True, help="what was trained")
    parser.add_argument("--model-seeds", type=int, default=SIZES["night"].model_seeds)
    parser.add_argument(
        "--methods",
        nargs="+",
        default=["maml", "fomaml", "anil", "multi_task", "random_forest"],
    )
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args()
    size = replace(SIZES["night"], model_seeds=args.model_seeds)
    study = further(args.fs_mol, args.organisms, size)
    results = reproduce(study, size, args.save_dir, methods=args.methods, workers=args.workers)
    about = describe(study, size, "corrected", released=False, grouped=True)
    words = ["python benchmarks/nguyen2020/further.py", args.fs_mol.name, args.organisms.name]
    words += ["--model-seeds", str(args.model_seeds), "--methods", *args.methods]
    path = RESULTS / "nguyen2020-further.csv"
    print(write_reproduction(results, path, " ".join(words), f"{about}\n{APART}"))


def further(fs_mol: Path, organisms: Path, size: Size) -> Study:
    """The study of the split, with the same training, on other assays in distribution.

    All assays of FS-Mol's test that are not binding or functional are in the split's test already,
    or too small.
    """
    learned, parts = read_fs_mol(fs_mol)
    table, _ = collected([learned, read_table(organisms)], [None, None])
    split = split_assays(table.assays, read_split(SPLIT))
    known = split.train.smiles() | split.validation.smiles()
    more = [name for name in sorted(parts["test"]) if name not in split.test]
    added, _ = table.assays.select(more).without(known).binarise_where_possible()
    groups = read_groups(SPLIT)
    inside = [assay for name, assay in split.test.items() if groups[name] == IN]
    inside = apart([*inside, *(assay for assay in added.values() if len(assay) >= LEAST)])
    rest = [assay for name, assay in split.test.items() if groups[name] != IN]
    tested = Assays([*inside, *rest])
    groups |= {assay.name: IN for assay in inside}
    return recreate(
        prepared(Split(split.train, split.validation, tested), Protocol()),
        size.support_sizes,
        validation_assays=size.validation_assays,
        groups=groups,
    )


def apart(assays: list[Assay]) -> list[Assay]:
    """Those of which at most half of the molecules are in those kept before."""
    kept: list[Assay] = []
    seen: set[str] = set()
    for assay in assays:
        own = set(assay.molecules.smiles)
        if len(own & seen) <= len(own) / 2:
            kept.append(assay)
            seen |= own
    return kept


if __name__ == "__main__":
    main()

"""What a project's earlier assays are worth to a new one: FS-Mol's training tasks as such.

    python benchmarks/default/known.py --data-path fsmol_assays.csv.gz

Each test task has beside it the training tasks that measured most of its molecules (`same
molecules`); the same without any of its molecules (`others`); and as many drawn by chance, without
its molecules (`unrelated`). Tasks of which a kind has none are left out. The shipped model learned
from none of FS-Mol's labels. The scores of each task are kept below `--save-dir`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pandas as pd
from looks import arguments, write

from molmeta.datasets import read_fs_mol
from molmeta.evaluation import REFERENCE, benchmark, markdown
from molmeta.files import write_atomic
from molmeta.models import from_pretrained
from molmeta.seeds import generator
from molmeta.tasks import Assay, Assays, fits
from molmeta.training import compute_features

SIZES = (16, 64)
DRAWS = 3
EARLIER = 4  # assays of a project
SHARED = 16  # molecules that an earlier assay shares with the new one, at least


def main() -> None:
    """Score each test task with and without earlier assays."""
    args = arguments(__doc__, "molmeta-known")
    args.save_dir.mkdir(parents=True, exist_ok=True)
    table, names = read_fs_mol(args.data_path)
    train, asked = (table.assays.select(names[part]) for part in ("train", args.part))
    base, forest = from_pretrained("default"), from_pretrained(REFERENCE)
    tasks = [one for one in asked.values() if fits(one, SIZES[0])]
    measured_in: dict[str, list[str]] = {}
    for name, assay in train.items():
        for text in assay.molecules.smiles:
            measured_in.setdefault(text, []).append(name)
    parts = []
    for task in tasks:
        beside = dict(earlier(task, train, measured_in))
        if not beside or not all(beside.values()):
            continue
        path = args.save_dir / f"{task.name}.csv"
        if path.exists():
            parts.append(pd.read_csv(path))
            continue
        every = [task, *(one for known in beside.values() for one in known)]
        compute_features(base.learner, every)
        learners = {name: base.knowing(known).learner for name, known in beside.items()}
        learners = {"default": base.learner, **learners, REFERENCE: forest.learner}
        parts.append(benchmark(learners, [task], SIZES, DRAWS))
        write_atomic(path, parts[-1].to_csv(index=False).encode())
        print(len(parts), task.name, {name: len(known) for name, known in beside.items()})
    scores = pd.concat(parts, ignore_index=True)
    told = f"{len(parts)} of {len(tasks)} tasks share {SHARED} molecules with a training task.\n\n"
    write("known", args, scores, told + markdown(scores, "default"))


def earlier(
    task: Assay, train: Assays, measured_in: dict[str, list[str]]
) -> Iterator[tuple[str, list[Assay]]]:
    """Earlier assays of each kind; nothing where no training task shares enough molecules."""
    own = set(task.molecules.smiles)
    shared = Counter(name for text in own for name in measured_in.get(text, ()))
    nearest = [name for name, count in shared.most_common(EARLIER) if count >= SHARED]
    if not nearest:
        return
    drawn = generator("unrelated", task.name).permutation(len(train))[: len(nearest)]
    unrelated = [list(train)[i] for i in drawn]
    yield "same molecules", list(train.select(nearest).values())
    for kind, names in (("others", nearest), ("unrelated", unrelated)):
        yield kind, [one for one in train.select(names).without(own).values() if len(one)]


if __name__ == "__main__":
    main()

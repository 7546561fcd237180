"""What a run of Nguyen et al. 2020 was made of, and how it differs from the paper: in words."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields

from molmeta.datasets import SIMILAR, Study
from molmeta.reproduce.methods import FOREST_WITH_VALIDATION, LABELS
from molmeta.reproduce.sizes import Size

RECREATED = (
    "assays, molecules and what is active are not the paper's (ChEMBL-20 of Mayr et al. is not to "
    "be had): active is above an assay's median, or what its table says",
    "no molecule of a test assay is in training, where the split is so",
    "RDKit's atom features in place of OpenEye's (`featurizers/atoms75.py` lists what differs)",
)
BY_CLASS = (
    "out of distribution is a test assay whose target's class no training assay has; where no "
    "class is known, one whose molecules resemble those of the nearest training assay by less than "
    f"{SIMILAR} (mean of the largest Tanimoto similarities, ECFP4)"
)

BY_SPLIT = "what is out of distribution the split says, by kinds of assays that are not learned"


def describe(
    study: Study, size: Size, compat: str, *, released: bool, grouped: bool = False
) -> str:
    """What is run, on what, and how it differs from the paper; its split may have the groups."""
    counts = {k: sum(k in task.sizes([k]) for task in study.test) for k in size.support_sizes}
    groups = Counter(task.group or "of no known group" for task in study.test)
    what = "The data that the paper released." if released else "A re-creation, on other data."
    differences = [] if released else [*RECREATED, BY_SPLIT if grouped else BY_CLASS]
    published = {field.name: getattr(Size(), field.name) for field in fields(Size)}
    differences += [
        f"{name.replace('_', ' ')} {getattr(size, name)}, where the paper has {value}"
        for name, value in published.items()
        if getattr(size, name) != value and name != "once"
    ]
    differences += [f"one model of {' and '.join(size.once)}"] if size.once else []
    if compat != "gsk2020":
        beside = "" if compat == "corrected" else f", but for {compat} as released"
        differences.append(
            f"corrected{beside}: the inner loss is divided by the number of molecules once, with "
            "the step size .0016 that the release's two divisions make of the paper's .05 (at .05 "
            "itself meta-training diverged here); no loss is weighted; the meta-loss is a mean; "
            "ANIL leaves the encoder alone; selection is judged on molecules that fine-tuning is "
            "not stopped by"
        )
    differences.append("dropout of the multi-task network draws once for atoms that are alike")
    lines = [
        f"{what} Fine-tuned on k measurements, stopped by the assay's validation part, judged on "
        f"its test part; mean over models of each kind ({size.model_seeds}) and supports of each "
        f"size ({size.split_seeds}), then over assays.",
        "",
        f"- meta-training on {len(study.train)} assays; selection on {len(study.validation)}; test "
        f"on {len(study.test)}: " + ", ".join(f"{n} {group}" for group, n in groups.items()),
        "- test assays with enough measurements: "
        + ", ".join(f"{n} for k = {k}" for k, n in counts.items()),
        "- the networks are stopped by labels beyond the k that they are tuned on; the forest has "
        f'the k alone, and in the row "{LABELS[FOREST_WITH_VALIDATION]}" these labels as well',
        "",
        "Differences from the paper:",
        "",
        *(f"- {text}" for text in differences),
    ]
    return "\n".join(lines)

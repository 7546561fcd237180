"""Build the embedded assays from the wheel of MoleculeACE 3.0.0, and their split by target.

    python data/build.py [--wheel MoleculeACE-3.0.0-py3-none-any.whl]

Without `--wheel`, pip downloads it by name, without its dependencies. Writes, beside this script,
`chembl_assays.csv.gz` (smiles, assay_id, pactivity) and `split.json`; the same bytes every time.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import random
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pandas as pd

from molmeta.featurizers import standardise

HERE = Path(__file__).parent
SHA256 = "c2028c9a75281eab53d3b3e7dc11cbc8ac970d008bac4a0d3927f11ac2024bdc"
FOLDER = "MoleculeACE/Data/benchmark_data/"
TEST, VALIDATION = 8, 4


def main() -> None:
    """Download, check, convert, split."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheel", type=Path, help="a copy that is there already")
    wheel = parser.parse_args().wheel
    with tempfile.TemporaryDirectory() as folder:
        content = (wheel or download(Path(folder))).read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        sys.exit(f"the wheel has sha256 {found}, expected {SHA256}; nothing was written")
    table = convert(zipfile.ZipFile(io.BytesIO(content)))
    write_gzip(HERE / "chembl_assays.csv.gz", table.to_csv(index=False, lineterminator="\n"))
    split = split_by_target(pd.read_csv(HERE / "targets.csv"))
    (HERE / "split.json").write_text(json.dumps(split, indent=2) + "\n")
    print(f"{len(table)} measurements of {table['smiles'].nunique()} molecules written")


def download(folder: Path) -> Path:
    """The wheel by name from the package index."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "-d", str(folder)]
    subprocess.run([*command, "MoleculeACE==3.0.0"], check=True)
    return next(folder.glob("*.whl"))


def convert(wheel: zipfile.ZipFile) -> pd.DataFrame:
    """All assays as rows of (smiles, assay_id, pactivity), sorted."""
    parts = []
    for name in sorted(n for n in wheel.namelist() if n.startswith(FOLDER) and ".csv" in n):
        part = pd.read_csv(wheel.open(name), usecols=["smiles", "y"])
        part["assay_id"] = Path(name).stem
        parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    unique = list(dict.fromkeys(table["smiles"]))
    results = dict(zip(unique, standardise(unique), strict=True))
    bad = {text: result.reason for text, result in results.items() if result.status != "ok"}
    if bad:
        sys.exit(f"{len(bad)} molecules cannot be standardised: {bad}")
    table["smiles"] = table["smiles"].map(lambda text: results[text].smiles)
    table["pactivity"] = (table["y"] + 9).map("{:.3f}".format)  # y = −log10(nM)
    return table.sort_values(["smiles", "assay_id"])[["smiles", "assay_id", "pactivity"]]


def split_by_target(targets: pd.DataFrame) -> dict[str, object]:
    """Test, validation and meta-training assays; all assays of a target on one side.

    Targets are shuffled by a seed and dealt to test, then validation, then meta-training. The
    seed is the first under which every class of three targets or more has one in the test set.
    """
    by_target = targets.groupby("target_chembl_id")
    classes = targets.drop_duplicates("target_chembl_id").groupby("target_class").size()
    wanted = set(classes[classes >= 3].index)
    for seed in range(1000):
        order = sorted(by_target.groups)
        random.Random(seed).shuffle(order)
        sides: dict[str, list[str]] = {"test": [], "validation": [], "train": []}
        for target in order:
            assays = by_target.get_group(target)["assay_id"].tolist()
            if len(sides["test"]) + len(assays) <= TEST:
                sides["test"] += assays
            elif len(sides["validation"]) + len(assays) <= VALIDATION:
                sides["validation"] += assays
            else:
                sides["train"] += assays
        covered = set(targets.loc[targets["assay_id"].isin(sides["test"]), "target_class"])
        if wanted <= covered:
            return {"seed": seed} | {side: sorted(names) for side, names in sides.items()}
    raise AssertionError("no seed covers all classes")


def write_gzip(path: Path, text: str) -> None:
    """Compress without name or time, so that equal content gives equal bytes."""
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as file:
        file.write(text.encode())


if __name__ == "__main__":
    main()

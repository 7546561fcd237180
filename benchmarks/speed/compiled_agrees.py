"""Whether the compiled blocks are RDKit's own, for all molecules of some tables.

`python benchmarks/speed/compiled_agrees.py ../shared/data/*.csv.gz`; the embedded molecules are
always among them. Prints what differs, how many molecules go to RDKit one by one, and both times.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import pandas as pd
from rdkit import Chem, RDLogger

from molmeta.datasets import load_embedded
from molmeta.featurizers import SERVED, compiled_blocks, same_block

CHUNK = 2048


def smiles(paths: list[str]) -> list[str]:
    """Distinct SMILES of the embedded assays and of all tables with such a column."""
    found = set(load_embedded().smiles())
    for path in paths:
        table = pd.read_csv(path)
        if "smiles" in table:
            found |= set(table["smiles"].dropna())
    return sorted(found)


def main() -> None:
    """Compare chunk by chunk."""
    RDLogger.DisableLog("rdApp.*")  # type: ignore[attr-defined]
    texts, spent = smiles(sys.argv[1:]), np.zeros(2)
    read, known_ones, differing = 0, 0, dict.fromkeys(SERVED, 0)
    for start in range(0, len(texts), CHUNK):
        mols = [Chem.MolFromSmiles(text) for text in texts[start : start + CHUNK]]
        mols = [mol for mol in mols if mol is not None and mol.GetNumAtoms()]
        clock = time.process_time()
        found, known = compiled_blocks(mols, list(SERVED))
        spent[0] += time.process_time() - clock
        places = np.flatnonzero(known)
        clock = time.process_time()
        expected = {}
        for name, made in SERVED.items():
            one = made()
            expected[name] = one.collect([one.row(mols[i]) for i in places])
        spent[1] += time.process_time() - clock
        read, known_ones = read + len(mols), known_ones + len(places)
        for name in SERVED:
            ours = found[name].take(places)
            if same_block(ours, expected[name]):
                continue
            for k, i in enumerate(places):
                row = np.array([k])
                if not same_block(ours.take(row), expected[name].take(row)):
                    differing[name] += 1
                    print(f"{name} differs: {Chem.MolToSmiles(mols[i])}", flush=True)
        if start % (20 * CHUNK) == 0:
            print(f"{read} molecules", flush=True)
    print(f"{read} molecules, {read - known_ones} of them left to RDKit; that differ: {differing}")
    print(f"blocks compiled {spent[0] / read * 1e6:.0f} µs, RDKit's {spent[1] / read * 1e6:.0f} µs")


if __name__ == "__main__":
    main()

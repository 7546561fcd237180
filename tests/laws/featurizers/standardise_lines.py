"""Standardise SMILES one by one, in a process of its own: `python standardise_lines.py < asked`.

Reads policies and SMILES as JSON; each SMILES in turn is for the next policy. Writes a line for
each: what became of it, and what becomes of that. One that takes longer than a minute ends the
process.
"""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import asdict
from itertools import cycle

from rdkit import Chem

from molmeta.featurizers.standardisation import Policy, Standardised, Standardiser

MINUTE = 60


def main() -> None:
    policies, texts = json.load(sys.stdin)
    standardisers = [Standardiser(Policy(**policy)) for policy in policies]
    for text, one in zip(texts, cycle(standardisers), strict=False):
        signal.alarm(MINUTE)
        found = one.molecule(text)
        assert isinstance(found, Standardised | Chem.Mol)
        first = one(text)
        assert first.status == "ok" if isinstance(found, Chem.Mol) else first == found
        again = one(first.smiles) if first.status == "ok" else first
        print(json.dumps([asdict(first), asdict(again)]), flush=True)


if __name__ == "__main__":
    main()

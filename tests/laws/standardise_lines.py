"""Standardise SMILES one by one, in a process of its own: `python standardise_lines.py < asked`.

Reads a policy and a list of SMILES as JSON. Writes a line for each: what became of it, and what
becomes of that. One that takes longer than a minute ends the process.
"""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import asdict

from rdkit import Chem

from molmeta.featurizers.standardise import Policy, Standardised, Standardiser

MINUTE = 60


def main() -> None:
    policy, texts = json.load(sys.stdin)
    one = Standardiser(Policy(**policy))
    for text in texts:
        signal.alarm(MINUTE)
        found = one.molecule(text)
        assert isinstance(found, Standardised | Chem.Mol)
        first = one(text)
        assert first.status == "ok" if isinstance(found, Chem.Mol) else first == found
        again = one(first.smiles) if first.status == "ok" else first
        print(json.dumps([asdict(first), asdict(again)]), flush=True)


if __name__ == "__main__":
    main()

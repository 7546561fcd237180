"""What the shipped model predicts: a checkpoint keeps loading, and means the same for ever.

`python tests/product/models/golden_pretrained.py` writes `golden_pretrained.json` anew: only when
another model is shipped, never because the code around it changed.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from molmeta.models.checkpoints import from_pretrained
from molmeta.molecules.molecules import Molecules
from molmeta.tasks.assay import Assay
from molmeta.tasks.targets import Regression

FILE = Path(__file__).with_name("golden_pretrained.json")
DRUGS = {  # anti-inflammatory drugs and others, with values that nobody measured
    "CC(C)Cc1ccc(C(C)C(=O)O)cc1": 6.1,
    "COc1ccc2cc(C(C)C(=O)O)ccc2c1": 6.8,
    "CC(C(=O)O)c1cccc(C(=O)c2ccccc2)c1": 7.0,
    "O=C(O)Cc1ccccc1Nc1c(Cl)cccc1Cl": 7.4,
    "CC(=O)Oc1ccccc1C(=O)O": 4.9,
    "CN1C(=O)CN=C(c2ccccc2)c2cc(Cl)ccc21": 4.2,
    "CN1C=NC2=C1C(=O)N(C)C(=O)N2C": 4.0,
    "CC(C)NCC(O)COc1cccc2ccccc12": 4.4,
    "CC(=O)Nc1ccc(O)cc1": 4.7,
    "NS(=O)(=O)c1cc(C(=O)O)c(NCc2ccco2)cc1Cl": 4.3,
}
ASKED = [
    "CC(C(=O)O)c1ccc(-c2ccccc2)c(F)c1",
    "CC1=C(CC(=O)O)c2cc(F)ccc2C1=Cc1ccc(S(C)=O)cc1",
    "CC(C)NCC(O)COc1ccc(CC(N)=O)cc1",
    "OC(=O)c1ccccc1O",
    "C1CCCCC1",
]


def assay() -> Assay:
    """The ten drugs."""
    return Assay("golden", Molecules(list(DRUGS)), np.array(list(DRUGS.values())), Regression())


def predictions() -> dict[str, list[list[float]]]:
    """Outputs of the shipped model, by classes, by values, and with bounds."""
    base, asked = from_pretrained(), Molecules(ASKED)
    values = assay()
    bounds = Assay(
        *(values.name, values.molecules, values.values, values.target),
        censor=np.array([0, 1, 0, 0, -1, 0, -1, 0, 0, 0]),
    )
    tasks = {"classes": values.binarise(5.5), "values": values, "bounds": bounds}
    return {name: base.adapt(task).outputs(asked).tolist() for name, task in tasks.items()}


if __name__ == "__main__":
    content = {"sha256": from_pretrained().sha256, "predictions": predictions()}
    FILE.write_text(json.dumps(content, indent=1) + "\n")

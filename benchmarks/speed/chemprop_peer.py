"""chemprop, in an environment of its own: reads a line, does a round, writes its CPU seconds.

usage: python chemprop_peer.py (featurise | predict)[-cuik] smiles.txt width depth

`-cuik`: by `chemprop --use-cuikmolmaker-featurization`, a batch at a time in C++.
"""

from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path

import torch
from chemprop.data import (
    CuikmolmakerDataset,
    LazyMoleculeDatapoint,
    MoleculeDatapoint,
    MoleculeDataset,
    build_dataloader,
)
from chemprop.featurizers import CuikmolmakerMolGraphFeaturizer, SimpleMoleculeMolGraphFeaturizer
from chemprop.models import MPNN
from chemprop.nn import BinaryClassificationFFN, BondMessagePassing, MeanAggregation
from rdkit import Chem

BATCH = 64  # the default of `chemprop predict`


def featurise(smiles: list[str]) -> None:
    """SMILES to its default molecular graphs, one by one."""
    featurizer = SimpleMoleculeMolGraphFeaturizer()
    for text in smiles:
        featurizer(Chem.MolFromSmiles(text))


def featurise_in_batches(smiles: list[str]) -> None:
    """The same in C++."""
    featurizer = CuikmolmakerMolGraphFeaturizer("V2")
    for start in range(0, len(smiles), BATCH):
        featurizer(smiles[start : start + BATCH])


def predict(smiles: list[str], model: MPNN, cuik: bool) -> None:
    """SMILES to predictions, by the parts that `chemprop predict` is made of."""
    if cuik:
        points = [LazyMoleculeDatapoint(smiles=text) for text in smiles]
        data = CuikmolmakerDataset(points, CuikmolmakerMolGraphFeaturizer("V2"))
    else:
        data = MoleculeDataset([MoleculeDatapoint.from_smi(text) for text in smiles])
    loader = build_dataloader(data, BATCH, num_workers=0, shuffle=False)
    with torch.inference_mode():
        for batch in loader:
            model(batch.bmg)


def main() -> None:
    """One round a line of standard input."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    what, path, width, depth = sys.argv[1:]
    what, _, cuik = what.partition("-")
    featurise_all = featurise_in_batches if cuik else featurise
    smiles = Path(path).read_text().split()
    mp = BondMessagePassing(d_h=int(width), depth=int(depth))
    ffn = BinaryClassificationFFN(input_dim=int(width), hidden_dim=int(width))
    model = MPNN(mp, MeanAggregation(), ffn).eval()
    for _ in sys.stdin:
        start = time.process_time()
        featurise_all(smiles) if what == "featurise" else predict(smiles, model, bool(cuik))
        print(time.process_time() - start, flush=True)


if __name__ == "__main__":
    main()

"""Why a molecule is ranked where it is: measured molecules, its own atoms, and known assays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from rdkit import Chem, DataStructs
from rdkit.Chem.Draw import rdMolDraw2D
from tqdm import tqdm

from molmeta import metrics
from molmeta.errors import OneClassSupport, TooFewMeasurements
from molmeta.models import AdaptedAssay, BaseModel, log_odds
from molmeta.molecules import Molecules, ecfp4_bits, read_mol
from molmeta.seeds import generator
from molmeta.tasks import Assay, Assays, Classification, exact, stratified

MEASURED = 128  # molecules of a known assay that are learned from
GOOD, BAD = (0.35, 0.60, 0.95), (0.95, 0.45, 0.35)  # colours of what raises and lowers a score


def raw_score(adapted: AdaptedAssay, molecules: Molecules) -> np.ndarray:
    """The log-odds of active, or the value: what parts can be added up in, `[n]`."""
    outputs = adapted.outputs(molecules)
    return log_odds(outputs) if isinstance(adapted.target, Classification) else outputs[:, 0]


def influences(base: BaseModel, assay: Assay, molecules: Molecules) -> np.ndarray:
    r"""How much each measured molecule moves each prediction: `[predicted, measured]`.

    .. math:: I_{qi} = s_q(S) - s_q(S \setminus \{i\})

    with the log-odds, or the value, s. The model is adapted once for each measured molecule; of two
    that say the same neither has much influence. A molecule that is the last of its class cannot
    be left out, and has NaN.
    """
    whole = raw_score(base.adapt(assay), molecules)
    out = np.full((len(molecules), len(assay)), np.nan)
    for i in tqdm(range(len(assay)), "explaining", unit=" fits", delay=2, disable=None):
        rest = assay.take(np.delete(np.arange(len(assay)), i))
        try:
            out[:, i] = whole - raw_score(base.adapt(rest), molecules)
        except OneClassSupport:
            continue
    return out


def atom_contributions(adapted: AdaptedAssay, mol: Chem.Mol) -> np.ndarray:
    """What the score loses when an atom is made a dummy that is like no other, `[atoms]`.

    Works with any encoder. Contributions do not add up to the score.
    """
    masked = [_masked(mol, atom.GetIdx()) for atom in mol.GetAtoms()]
    texts = ["" for _ in range(len(masked) + 1)]
    scores = raw_score(adapted, Molecules(texts, [mol, *masked]))
    return scores[0] - scores[1:]


def _masked(mol: Chem.Mol, index: int) -> Chem.Mol:
    changed = Chem.RWMol(mol)
    atom = changed.GetAtomWithIdx(index)
    atom.SetAtomicNum(0)
    atom.SetFormalCharge(0)
    atom.SetIsotope(0)
    atom.SetNumExplicitHs(0)
    atom.SetNoImplicit(True)
    changed.UpdatePropertyCache(strict=False)
    Chem.FastFindRings(changed)
    return changed.GetMol()


def draw_molecule(
    mol: Chem.Mol, contributions: ArrayLike | None = None, size: tuple[int, int] = (220, 160)
) -> str:
    """The structure as SVG; atoms blue where they raise the score, red where they lower it."""
    drawing = rdMolDraw2D.MolDraw2DSVG(*size)
    drawing.drawOptions().clearBackground = False
    colours: dict[int, tuple[float, ...]] = {}
    if contributions is not None:
        largest = max(np.abs(contributions).max(), 1e-12)
        for i, value in enumerate(np.asarray(contributions) / largest):
            if abs(value) > 0.1:
                shade = np.array(GOOD if value > 0 else BAD)
                colours[i] = tuple(1 - abs(value) * (1 - shade))
    rdMolDraw2D.PrepareAndDrawMolecule(
        drawing, mol, highlightAtoms=list(colours), highlightAtomColors=colours, highlightBonds=[]
    )
    drawing.FinishDrawing()
    text = drawing.GetDrawingText()
    return text[text.index("<svg") :].strip()  # without the XML declaration, to stand in a page


def similar_assays(base: BaseModel, assay: Assay, known: Assays) -> pd.DataFrame:
    """The known assays that say most about this one, best first.

    Each is learned from by the same model (up to 128 of its molecules, none of this assay's) and
    predicts this assay's measurements.

    Returns
    -------
    DataFrame
        `assay_id`, what is known of it (`target_name`, `measurement`), `agreement` (ROC-AUC, or
        Spearman's correlation of values), `low` and `high` (95 %, bootstrap over this assay's
        molecules), `similarity` (mean over this assay's molecules to the nearest of it), `shared`
        molecules.
    """
    assay = replace(assay, molecules=assay.molecules.apart())
    own = set(assay.molecules.smiles)
    bits = [ecfp4_bits(read_mol(text)) for text in assay.molecules.smiles]
    rows = []
    for name, one in tqdm(known.items(), "known assays", unit="", delay=2, disable=None):
        shared = len(own & set(one.molecules.smiles))
        other = _part(one, own)
        if other is None:
            continue
        if isinstance(assay.target, Classification) and not base.learner.serves_all_targets:
            other = other.binarise()
        predicted = base.adapt(base.readable(other)).predict(assay.molecules)
        theirs = [ecfp4_bits(read_mol(text)) for text in other.molecules.smiles]
        near = [max(DataStructs.BulkTanimotoSimilarity(bit, theirs)) for bit in bits]
        agreement, low, high = _agreement(assay, predicted)
        told = [one.info.get(key, "") for key in ("target_name", "measurement")]
        rows.append((name, *told, agreement, low, high, float(np.mean(near)), shared))
    columns = ["assay_id", "target_name", "measurement", "agreement", "low", "high"]
    found = pd.DataFrame(rows, columns=[*columns, "similarity", "shared"])
    return found.sort_values("agreement", ascending=False, kind="stable", ignore_index=True)


def _part(one: Assay, without: set[str]) -> Assay | None:
    kept = np.flatnonzero([text not in without for text in one.molecules.smiles])
    part = one.take(kept)
    try:
        if len(part) > MEASURED:
            rng = generator("similar assays", one.name)
            part = part.take(stratified(part.active, MEASURED, rng, one.name))
    except TooFewMeasurements:
        return None
    if len(part) < 16:
        return None
    return replace(part, molecules=part.molecules.apart())


def _agreement(assay: Assay, predicted: np.ndarray) -> tuple[float, float, float]:
    rng, binary = np.random.default_rng(0), isinstance(assay.target, Classification)

    def measure(rows: np.ndarray) -> float:
        if not binary:
            known = rows[exact(assay)[rows]]
            return metrics.spearman(assay.values[known], predicted[known])
        active = assay.active[rows]
        return metrics.roc_auc(active, predicted[rows]) if 0 < active.sum() < len(rows) else np.nan

    n = len(assay)
    drawn = [measure(rng.integers(0, n, n)) for _ in range(200)]
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return measure(np.arange(n)), float(low), float(high)

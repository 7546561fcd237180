"""What the page in the browser does: a table read, a model fitted, a library ranked."""

from __future__ import annotations

import base64
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from molmeta.errors import ConfigError
from molmeta.molecules import read_mol
from molmeta.tasks import Assay
from molmeta.workbench.estimators import FewShotClassifier, FewShotRegressor
from molmeta.workbench.explanations import draw_molecule
from molmeta.workbench.report import LibraryRow

SCRIPT = Path(__file__).with_name("app_page.py")
SIZE = (180, 120)
SETTINGS = {
    "server.address": "127.0.0.1",  # this machine alone
    "browser.gatherUsageStats": "false",
    "server.showEmailPrompt": "false",
    "server.fileWatcherType": "none",
    "client.toolbarMode": "minimal",
    "theme.base": "light",  # structures are drawn in black
}
Model = FewShotClassifier | FewShotRegressor


def serve(*, port: int = 8501, browser: bool = True) -> None:
    """Show the page on this machine, and on no other, until it is stopped.

    Raises
    ------
    ConfigError
        streamlit is missing, or could not serve.
    """
    if find_spec("streamlit") is None:
        raise ConfigError('the page needs streamlit; pip install "molmeta[app]"')
    settings = {**SETTINGS, "server.port": port, "server.headless": str(not browser).lower()}
    options = [f"--{name}={value}" for name, value in settings.items()]
    done = subprocess.run([sys.executable, "-m", "streamlit", "run", str(SCRIPT), *options])
    if done.returncode:
        raise ConfigError(f"the page on port {port} ended; is the port taken? give another --port")


def fit(assay: Assay, threshold: float | str | None) -> Model:
    """An estimator of values, or of what is active at a threshold.

    Raises
    ------
    MolmetaError
        The assay cannot be learned from.
    """
    if threshold is None:
        model = FewShotRegressor.from_pretrained()
        return model.fit(assay.molecules.smiles, assay.values, assay.censor)
    binary = assay.binarise(threshold)
    model = FewShotClassifier.from_pretrained()
    return model.fit(binary.molecules.smiles, binary.active == 1)


def rank(model: Model, header: list[str], rows: list[LibraryRow]) -> pd.DataFrame:
    """All rows of a library, the best first, as `assess` tells of them, with their own cells.

    A column of the library that is called as one of ours has `library_` before its name.
    """
    told = model.assess(["" if row.mol is None else row.smiles for row in rows])
    for column in ("smiles", "status", "reason"):
        told[column] = [getattr(row, column) for row in rows]
    by = "value" if "value" in told else "probability"
    names = _distinct(header, {*map(str, told), "rank", "structure"})
    own = pd.DataFrame([list(row.cells) for row in rows], columns=names)
    found = pd.concat([told, own], axis=1).sort_values(by, ascending=False, kind="stable")
    ranks = range(1, int(found[by].notna().sum()) + 1)
    found.insert(0, "rank", pd.Series(ranks, index=found.index[: len(ranks)], dtype="Int64"))
    return found.reset_index(drop=True)


def _distinct(header: list[str], ours: set[str]) -> list[str]:
    """The library's names of columns, with `library_` before those that are taken already."""
    names: list[str] = []
    for name in header:
        free = name
        while free in ours or free in names or (free != name and free in header):
            free = f"library_{free}"
        names.append(free)
    return names


def structures(ranked: pd.DataFrame) -> list[str | None]:
    """A picture of each row's molecule, as an address that holds it; None where there is none."""
    good = ranked["rank"].notna()
    return [
        _picture(smiles) if known else None
        for smiles, known in zip(ranked["smiles"], good, strict=True)
    ]


def _picture(smiles: str) -> str:
    drawn = draw_molecule(read_mol(smiles), size=SIZE)
    return "data:image/svg+xml;base64," + base64.b64encode(drawn.encode()).decode()

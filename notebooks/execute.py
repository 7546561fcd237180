"""Run the notebooks: `python notebooks/execute.py [NAME …]` writes each `.ipynb` anew.

A notebook is a pair: the `.py` is what one edits and reads in a diff, the `.ipynb` the same cells
with their outputs. Each is run in an empty folder; with MOLMETA_SMOKE set, smaller.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent
SECONDS = 900  # a cell may take


def execute(name: str, folder: str | Path) -> nbformat.NotebookNode:
    """The notebook `<name>.py` with its outputs, run in a folder."""
    notebook = jupytext.read(HERE / f"{name}.py")
    resources = {"metadata": {"path": str(folder)}}
    options = {"kernel_name": "python3", "coalesce_streams": True}  # of a bar its end alone
    NotebookClient(notebook, timeout=SECONDS, resources=resources, **options).execute()
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:02d}"  # the same in every run
        cell.metadata.pop("execution", None)
    notebook.metadata = {"kernelspec": notebook.metadata["kernelspec"]}
    return notebook


def main() -> None:
    """Run those that are named, or all."""
    for name in sys.argv[1:] or sorted(path.stem for path in HERE.glob("0*.py")):
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            notebook = execute(name, folder)
        nbformat.write(notebook, HERE / f"{name}.ipynb")
        print(f"{name}: {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()

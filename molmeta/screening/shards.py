"""What of a screen is done: a folder of finished pieces, each whole or not there."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Sequence
from glob import escape
from hashlib import sha256
from pathlib import Path
from typing import Any

from molmeta.errors import DataError
from molmeta.files import write_atomic
from molmeta.screening.libraries import LineWriter
from molmeta.screening.scorer import Told

MANIFEST, HITS = "manifest.json", "hits-path"


class Shards:
    """The folder `.<output>.parts`, beside the output until that is whole.

    Parameters
    ----------
    output : Path
    """

    def __init__(self, output: Path) -> None:
        self.output, self.library_sha256 = output, ""
        self.folder = output.with_name(f".{output.name}.parts")

    @property
    def assays(self) -> Path:
        """Where the model and the assays stand, for other processes."""
        return self.folder / "assays"

    @property
    def lock(self) -> Path:
        """Beside the folder; held by the run that works in it."""
        return self.folder.with_name(f"{self.folder.name}.lock")

    def holds(self, identity: dict[str, Any]) -> bool:
        """Whether a run of just this was begun here and not finished."""
        return self._manifest() == identity

    def promised(self, hits: Path | None) -> bool:
        """Whether the run that was begun here is to write this file of hits, and nobody else."""
        path = self.folder / HITS
        return path.is_file() and path.read_text(encoding="utf-8") == str(hits)

    def open(self, identity: dict[str, Any], hits: Path | None, *, discard: bool) -> None:
        """Begin, or go on with what is there.

        Parameters
        ----------
        discard : bool
            Whether pieces of another run may be thrown away.

        Raises
        ------
        DataError
            There are pieces of another run, and they may not.
        """
        for path in filter(None, (self.output, hits)):
            for stale in path.parent.glob(f".{escape(path.name)}.*.part"):
                stale.unlink(missing_ok=True)  # of a run that was killed as it wrote
        self.library_sha256 = identity["library"]
        found = self._manifest()
        if found != identity:
            if found is not None and not discard:
                changed = [key for key in identity if found.get(key) != identity[key]]
                raise DataError(
                    f"{self.folder} has parts of a screen with another {', '.join(changed)}; give "
                    "the same command to finish it, --overwrite to begin anew, or another output"
                )
            self.remove()
            write_atomic(self.folder / MANIFEST, (json.dumps(identity, indent=1) + "\n").encode())
        write_atomic(self.folder / HITS, str(hits).encode())

    def path(self, number: int) -> Path:
        """Where a piece stands."""
        return self.folder / f"shard-{number:07d}.csv"

    def done(self) -> frozenset[int]:
        """The pieces that are there, whole."""
        names = self.folder.glob("shard-*.csv")
        numbers = (int(path.stem.rpartition("-")[2]) for path in names)
        return frozenset(number for number in numbers if self._content(number) is not None)

    def write(self, number: int, rows: Sequence[Told]) -> None:
        """Keep the added columns of a piece."""
        text = io.StringIO()
        LineWriter(text).rows.writerows(rows)
        content = text.getvalue().encode("utf-8", "surrogateescape")
        write_atomic(self.path(number), sha256(content).hexdigest().encode() + b"\n" + content)

    def read(self, number: int) -> list[Told]:
        """The added columns of a piece.

        Raises
        ------
        DataError
            It is not there, or was damaged after it was written.
        """
        content = self._content(number)
        if content is None:
            raise DataError(
                f"{self.path(number)} is missing or damaged; the same command makes it again"
            )
        text = content.decode("utf-8", "surrogateescape")
        return list(csv.reader(io.StringIO(text, newline="")))

    def remove(self) -> None:
        """Delete all pieces."""
        if self.folder.exists():
            shutil.rmtree(self.folder)

    def _manifest(self) -> dict[str, Any] | None:
        path = self.folder / MANIFEST
        if not path.is_file():
            return None
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            return {}

    def _content(self, number: int) -> bytes | None:
        if not self.path(number).is_file():
            return None
        digest, _, content = self.path(number).read_bytes().partition(b"\n")
        return content if sha256(content).hexdigest().encode() == digest else None

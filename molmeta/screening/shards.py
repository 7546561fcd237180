"""What of a screen is done: a folder of finished pieces, each whole or not there."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import warnings
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from molmeta.errors import DataError
from molmeta.files import read_json, remove_leftovers, write_atomic
from molmeta.screening.columns import Told
from molmeta.screening.libraries import LineWriter
from molmeta.screening.places import Places

MANIFEST, PLACES, FAILURE = "manifest.json", "places.json", "failure.txt"
SHARD_NAME = re.compile(r"shard-(\d{7,})\.csv")
OWN = rf"({SHARD_NAME.pattern}|{re.escape(PLACES)}|{re.escape(FAILURE)})"
OWN_FILE = re.compile(rf"{OWN}|\.{OWN}\.\d+\.part")  # or what a killed run wrote of it
OURS = {"molmeta", "library", "shard"}  # a manifest of a screen says these, whatever it is of
OF_LIBRARY = {"library", "header"}  # what of a screen changes with its library


def lines_of(chunks: Iterable[Sequence[Told]]) -> bytes:
    """Added columns as lines of CSV: of many assays a sixth of what the lists take."""
    text = io.StringIO()
    for rows in chunks:
        LineWriter(text).rows.writerows(rows)
    return text.getvalue().encode("utf-8", "surrogateescape")


class Shards:
    """The folder `.<output>.parts`, beside the output until that is whole.

    Nothing is removed from it but what a screen has put there, and from a folder that is no
    screen's, nothing.

    Parameters
    ----------
    output : Path
    """

    def __init__(self, output: Path) -> None:
        self.output, self.library_sha256, self.key = output, "", ""
        self.folder = output.with_name(f".{output.name}.parts")
        self.places = Places(self.folder / PLACES)

    @property
    def assays(self) -> Path:
        """Where the model and the assays stand, for other processes."""
        return self.folder / "assays"

    @property
    def done_note(self) -> Path:
        """Beside the folder, which it outlives: that the output is whole."""
        return self.folder.with_name(f"{self.folder.name}.done")

    def holds(self, identity: dict[str, Any]) -> bool:
        """Whether a run of just this was begun here and not finished."""
        return self._manifest() == identity

    def open(self, identity: dict[str, Any], *, discard: bool) -> None:
        """Begin, or go on with what is there.

        Parameters
        ----------
        discard : bool
            Whether pieces of another run may be thrown away.

        Raises
        ------
        DataError
            There are pieces of another run, and they may not; or the folder is no screen's.
        """
        self.library_sha256 = identity["library"]
        self.key = sha256(json.dumps(identity).encode()).hexdigest()
        remove_leftovers(self.folder / MANIFEST)
        found = self._manifest()
        if found is None:
            self._refuse_foreign()
        elif found != identity:
            if not discard:
                self._refuse_other(found, identity)
            self.remove()
        if found != identity:
            write_atomic(self.folder / MANIFEST, (json.dumps(identity, indent=1) + "\n").encode())
        (self.folder / FAILURE).unlink(missing_ok=True)

    def note_failure(self, reason: str) -> None:
        """Note that the library could not be read to its end: these pieces may be of no use."""
        write_atomic(self.folder / FAILURE, reason.encode("utf-8", "surrogateescape"))

    def path(self, number: int) -> Path:
        """Where a piece stands."""
        return self.folder / f"shard-{number:07d}.csv"

    def done(self) -> frozenset[int]:
        """The pieces that are there, whole, and of this screen."""
        names = (SHARD_NAME.fullmatch(path.name) for path in self.folder.iterdir())
        numbers = (int(name[1]) for name in names if name)
        return frozenset(number for number in numbers if self._content(number) is not None)

    def write(self, number: int, lines: bytes) -> None:
        """Keep the added columns of a piece, as `lines_of` has them."""
        write_atomic(self.path(number), self._seal(number, lines) + b"\n" + lines)

    def read(self, number: int) -> list[Told]:
        """The added columns of a piece.

        Raises
        ------
        DataError
            It is not there, is of another screen, or was damaged after it was written.
        """
        content = self._content(number)
        if content is None:
            raise DataError(
                f"{self.path(number)} is missing, damaged, or of another screen; the same command "
                "makes it again"
            )
        text = content.decode("utf-8", "surrogateescape")
        return list(csv.reader(io.StringIO(text, newline="")))

    def remove(self) -> None:
        """Delete what a screen has put here, the manifest last; what is somebody else's stays."""
        if self._manifest() is not None:
            if self.assays.is_dir():
                shutil.rmtree(self.assays)
            for path in list(self.folder.iterdir()):
                if OWN_FILE.fullmatch(path.name):
                    path.unlink()
            (self.folder / MANIFEST).unlink()
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _refuse_foreign(self) -> None:
        """Raise `DataError`, if the folder's place is taken by something that is no screen's."""
        if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            raise DataError(
                f"{self.folder} is where the parts of this screen would be kept, and holds "
                f"something else (no {MANIFEST} of a screen); move it away, or give another output"
            )

    def _refuse_other(self, found: dict[str, Any], identity: dict[str, Any]) -> None:
        """Raise `DataError`, but for pieces of a library that was damaged and is another now."""
        changed = [key for key in identity if found.get(key) != identity[key]]
        failure = self.folder / FAILURE
        if set(changed) <= OF_LIBRARY and failure.is_file():
            warnings.warn(
                f"{self.folder} has parts of a screen that ended in "
                f"'{failure.read_text(encoding='utf-8', errors='replace')}'; the library is "
                "another now, so the screen begins anew",
                stacklevel=2,
            )
            return
        raise DataError(
            f"{self.folder} has parts of a screen with another {', '.join(changed)}; give "
            "the same command to finish it, --overwrite to begin anew, or another output"
        )

    def _manifest(self) -> dict[str, Any] | None:
        """What the manifest says; None where there is none, or it is no screen's."""
        try:
            found = read_json(self.folder / MANIFEST)
        except DataError:
            return None
        return found if isinstance(found, dict) and set(found) >= OURS else None

    def _content(self, number: int) -> bytes | None:
        if not self.path(number).is_file():
            return None
        seal, _, content = self.path(number).read_bytes().partition(b"\n")
        return content if seal == self._seal(number, content) else None

    def _seal(self, number: int, content: bytes) -> bytes:
        """Checksum of a piece: of what it holds, which one it is, and of which screen."""
        return sha256(f"{self.key} {number}\n".encode() + content).hexdigest().encode()

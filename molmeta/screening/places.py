"""The files that a screen writes, and what it may put them in the place of."""

from __future__ import annotations

import json
from pathlib import Path

from molmeta.errors import DataError
from molmeta.files import file_sha256, read_json, write_atomic


class Places:
    """What may be replaced where; kept in a file, for the run that takes up a killed one.

    That is what stood in a place when the run began, which then had leave to replace it, and what
    a run has put there itself.

    Parameters
    ----------
    record : Path
        The file.
    """

    def __init__(self, record: Path) -> None:
        self.record = record

    def may_replace(self, path: Path) -> bool:
        """Whether there is nothing at `path`, or what may be replaced."""
        return not path.exists() or file_sha256(path) in self._known().get(_name(path), ())

    def allow(self, path: Path, content: Path) -> None:
        """Let what `content` holds be replaced, where it stands at `path`."""
        known = self._known()
        known[_name(path)] = sorted({*known.get(_name(path), ()), file_sha256(content)})
        write_atomic(self.record, json.dumps(known, indent=1).encode())

    def promise(self, path: Path, part: Path) -> None:
        """Note that `part` is about to take the place of `path`.

        Raises
        ------
        DataError
            What is at `path` came there after the run began.
        """
        if not self.may_replace(path):
            raise DataError(
                f"{path} came there while it was screened; move it away and give the same command "
                "again, or add --overwrite to replace it: what is done is kept"
            )
        self.allow(path, part)

    def _known(self) -> dict[str, list[str]]:
        """Checksums of what may be replaced in each place; none, if they cannot be read."""
        try:
            return read_json(self.record)
        except DataError:
            return {}


def _name(path: Path) -> str:
    return str(path.resolve())

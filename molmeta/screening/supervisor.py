"""A worker process that is watched: a row that kills or stalls it is found, and marked."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from molmeta.errors import MolmetaError
from molmeta.models import CHUNK
from molmeta.screening.columns import Told
from molmeta.screening.libraries import Kind
from molmeta.screening.messages import receive, send
from molmeta.screening.reading import Ask

START = 300.0  # seconds that a worker may take to load the model
STALL = 120.0  # seconds that a chunk may take
SHORTEST = 10.0  # seconds that even one row may take
TRIES = 4  # workers that may be lost as they start, or times that a chunk is begun again


class _Lost(Exception):
    """The worker did not answer; says why, as a status and a reason."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class Supervisor:
    """Scores rows in a process of its own, which is started anew when it is lost.

    Parameters
    ----------
    folder : Path
        What `job.save_assays` wrote.
    kind : {"smiles", "molblock"}
    columns : int
        How many are added to a row.
    device : str
    stall : float
        Seconds for a whole chunk; smaller pieces have less.

    On Linux a worker is killed when the thread that started it ends: none outlives this process.
    """

    def __init__(
        self, folder: Path, kind: Kind, columns: int, device: str = "cpu", stall: float = STALL
    ) -> None:
        self.folder, self.kind, self.columns = folder, kind, columns
        self.device, self.stall = device, stall
        self.process: subprocess.Popen[bytes] | None = None
        self.answers: queue.Queue[Any] = queue.Queue()
        self.stopped = False

    def score(self, rows: Sequence[Ask]) -> Iterator[list[Told]]:
        """The added columns of each row, a list for each chunk.

        Raises
        ------
        MolmetaError
            No worker can be started, or some rows are too much for one together.
        """
        for start in range(0, len(rows), CHUNK):
            yield self._chunk(rows[start : start + CHUNK])

    def stop(self) -> None:
        """End the process, and start none again; from whichever thread."""
        self.stopped = True
        self.close()

    def close(self) -> None:
        """End the process."""
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.wait()
            with suppress(OSError):
                process.stdin.close()  # type: ignore[union-attr]

    def _chunk(self, rows: Sequence[Ask]) -> list[Told]:
        """All rows at once; or, if the worker is lost, all but those that it is lost on.

        What a row's neighbours are, and so its score to the last digit, depends on the rows alone.
        """
        bad: dict[int, Told] = {}
        why = ""
        for _ in range(TRIES):
            good = [i for i in range(len(rows)) if i not in bad]
            try:
                found = self._ask([rows[i] for i in good]) if good else []
            except _Lost as lost:
                why = lost.reason
                bad |= self._isolate(good, rows)
            else:
                told = bad | dict(zip(good, found, strict=True))
                return [told[i] for i in range(len(rows))]
        raise MolmetaError(
            f"{len(rows) - len(bad)} rows are too much for a worker at once, though not each alone "
            f"({why}); give it more time (--stall-seconds), or fewer workers and so more memory"
        )

    def _isolate(self, places: list[int], rows: Sequence[Ask]) -> dict[int, Told]:
        """Of places on which the worker was lost together those on which it is lost alone."""
        found: dict[int, Told] = {}
        half = len(places) // 2
        for part in (places[:half], places[half:]) if half else (places,):
            try:
                self._ask([rows[i] for i in part])
            except _Lost as again:
                if half:
                    found |= self._isolate(part, rows)
                else:  # lost on it twice: it was not somebody else who killed the worker
                    found[part[0]] = [*[""] * (self.columns - 2), again.status, again.reason]
        return found

    def _ask(self, rows: Sequence[Ask]) -> list[Told]:
        process = self._running()
        assert process.stdin is not None
        try:
            send(process.stdin, rows)
            return self._answer(process, max(SHORTEST, self.stall * len(rows) / CHUNK))
        except OSError:
            raise self._died(process) from None

    def _running(self) -> subprocess.Popen[bytes]:
        """The process; one that dies as it starts is started again."""
        tries = 0
        while self.process is None:
            tries += 1
            try:
                self._start()
            except _Lost as lost:
                if tries == TRIES or lost.status == "stalled":
                    why = lost.reason.replace(" on this molecule", "")
                    raise MolmetaError(f"no worker can be started ({why})") from None
        return self.process

    def _start(self) -> None:
        """Start the process, and wait until it has loaded the model."""
        if self.stopped:
            raise MolmetaError("the screen was stopped")
        program = (sys.executable, "-c", "from molmeta.screening.worker import main; main()")
        process = subprocess.Popen(
            [*program, str(self.folder), self.kind, self.device, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **_environment()},
        )
        self.process, self.answers = process, queue.Queue()
        listening = (process.stdout, self.answers)
        threading.Thread(target=_listen, args=listening, daemon=True).start()
        self._answer(process, START)

    def _answer(self, process: subprocess.Popen[bytes], seconds: float) -> Any:
        try:
            found = self.answers.get(timeout=seconds)
        except queue.Empty:
            self.close()
            raise _Lost("stalled", f"no answer within {seconds:.0f} s") from None
        if found is None:
            raise self._died(process)
        return found

    def _died(self, process: subprocess.Popen[bytes]) -> _Lost:
        code = process.wait()
        self.close()
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return _Lost("crashed", f"the worker died on this molecule ({how})")


def _environment() -> dict[str, str]:
    """A worker imports what this process does, and nothing from the folder that it stands in."""
    places = [os.environ.get("PYTHONPATH", ""), *sys.path]
    path = os.pathsep.join(dict.fromkeys(filter(None, places)))
    return {"OMP_NUM_THREADS": "1", "PYTHONPATH": path, "PYTHONSAFEPATH": "1"}


def _listen(stream: IO[bytes], answers: queue.Queue[Any]) -> None:
    """Hand on every message of a worker, and None when it is gone."""
    with stream:
        while (message := receive(stream)) is not None:
            answers.put(message)
    answers.put(None)

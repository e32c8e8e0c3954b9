"""The runner's end of the reaper: starts it before anything else, keeps telling it that the runner lives, watches it.

See `resilience.reaper` for what the reaper does when the runner dies, stops or forgets.
"""

import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from resilience.errors import DebtsOutstanding, EnvironmentNotReady
from resilience.host import processes
from resilience.model import Identity, Problem
from resilience.runtime.debts import DebtBook

BEAT_S = 0.5
WATCH_S = 0.2
READY_S = 20.0


class Guard:
    """A running reaper. Made by `start`.

    Args:
        process: the reaper, with pipes to it.
        book: what it watches over.
        on_death: called once, from a thread, with a sentence, if the reaper is gone before `close`.
    """

    def __init__(
        self, process: subprocess.Popen[bytes], book: DebtBook, on_death: Callable[[str], None] | None
    ) -> None:
        """Begin to beat."""
        self._process, self._book, self._on_death = process, book, on_death
        self._identity = processes.identify(process.pid)
        self._closing = threading.Event()
        self._lost = False
        self._thread = threading.Thread(target=self._beat, name="guard", daemon=True)
        self._thread.start()

    @classmethod
    def start(cls, book: DebtBook, *, on_death: Callable[[str], None] | None = None) -> Self:
        """Start the reaper and wait until it is ready. Nothing may be injected before.

        Args:
            book: the run's book, open.
            on_death: told, from a thread, if the reaper dies: the clock's `cancel` is what fits.

        Raises:
            EnvironmentNotReady: it did not get ready.
        """
        log = book.path.with_suffix(".reaper.log")
        with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "resilience.reaper", "--book", str(book.path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd="/",
                start_new_session=True,
                bufsize=0,
            )
        if not _says_ready(process):
            process.kill()
            process.wait()
            _close_pipes(process)
            said = log.read_text(errors="replace").strip()[-500:]
            log.unlink()
            raise EnvironmentNotReady(Problem("reaper", f"it did not get ready within {READY_S:g} s: {said}"))
        return cls(process, book, on_death)

    @property
    def identity(self) -> Identity | None:
        """The reaper's process."""
        return self._identity

    def alive(self) -> bool:
        """Whether the reaper runs and listens (a stopped one does not)."""
        if self._lost or self._process.poll() is not None or self._identity is None:
            return False
        return processes.state_of(self._identity) not in {"", "T", "t", "Z", "X"}

    def close(self) -> None:
        """Say goodbye: the reaper settles what is still owed, which should be nothing, and ends. Idempotent.

        The book is closed by it, and by this, which removes it.

        Raises:
            DebtsOutstanding: something is owed all the same.
        """
        if self._closing.is_set():
            return
        self._closing.set()
        self._thread.join()
        with suppress(OSError):
            os.write(self._pipe, b"bye\n")
        _close_pipes(self._process)  # should the goodbye not have got through, the end of the pipe does
        try:
            self._process.wait(timeout=60.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._book.close()
        self._book.path.with_suffix(".reaper.log").unlink(missing_ok=True)

    def __enter__(self) -> Self:
        """For use with `with`: closed at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close, see `close`."""
        self.close()

    @property
    def _pipe(self) -> int:
        if self._process.stdin is None:
            raise DebtsOutstanding("the reaper was started without a pipe")
        return self._process.stdin.fileno()

    def _beat(self) -> None:
        """Tell the reaper that we live, and the run if the reaper does not."""
        os.set_blocking(self._pipe, False)
        next_s = 0.0
        while not self._closing.wait(WATCH_S):
            if time.monotonic() >= next_s:
                next_s = time.monotonic() + BEAT_S
                try:
                    os.write(self._pipe, b"beat\n")
                except OSError:
                    self._lost = True
            if not self.alive():
                self._lost = True
                if self._on_death is not None:
                    self._on_death("the reaper is gone, so a fault could outlive the run")
                return


def _says_ready(process: subprocess.Popen[bytes]) -> bool:
    if process.stdout is None:
        return False
    handle = process.stdout.fileno()
    deadline = time.monotonic() + READY_S
    said = b""
    while b"ready\n" not in said:
        ready, _, _ = select.select([handle], [], [], max(0.0, deadline - time.monotonic()))
        piece = os.read(handle, 100) if ready else b""
        if not piece:
            return False
        said += piece
    return True


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()

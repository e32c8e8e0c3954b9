"""Threads that read beside the run, end when told, and hold nobody up: one that hangs is left behind."""

import threading
import time
from collections.abc import Callable, Sequence

PATIENCE_S = 2.5
"""The last reading may take so long; a thread that is not done by then is left behind."""

Work = Callable[[threading.Event], None]
"""What a thread does until the event is set, and once more then."""


class Beside:
    """Several threads of daemons. `start` them once the run has its zero; `stop` them before the record is read.

    Args:
        work: names of threads, and what each does.
    """

    def __init__(self, work: Sequence[tuple[str, Work]]) -> None:
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=one, args=(self._ended,), name=name, daemon=True) for name, one in work
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> bool:
        """End; False if a thread had to be left behind. Idempotent; takes no longer than `PATIENCE_S`."""
        self._ended.set()
        until_s = time.monotonic() + PATIENCE_S
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, until_s - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

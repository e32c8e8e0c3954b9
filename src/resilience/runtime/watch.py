"""The watch over a run, in a thread of its own: hands load slices to displays, and stops a run that must not go on.

Reasons to stop: the reaper is gone (a fault could outlive us), the load generator is gone or silent, the run is longer
than allowed, an abort was asked for (a file named `abort` in the run folder, which is what `resilience abort` writes),
an abort condition is met, an objective is missed that may end the run, the target's heartbeat is lost, the disk is
nearly full. Stopping means: the clock is cancelled, so whatever the main thread waits for raises `Interrupted`, and
every lease reverts.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from resilience.model import AbortWhen, Json, Objective, Phase, Safety, Slice
from resilience.ports import Clock, Display, LoadHandle
from resilience.runtime.conditions import met
from resilience.runtime.heartbeat import Heartbeat
from resilience.runtime.thresholds import Thresholds

ABORT = "abort"
_PERIOD_S = 0.1

SILENT_S = 10.0
"""A generator that reports nothing for this long is stopped or stuck: nobody would see a condition that is met."""

DISK_PERIOD_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What ends a run early.

    Attributes:
        objectives: of these, the ones with `abort` end the run when they are missed.
        min_free_bytes: free space that must be left in every one of `folders`.
        folders: where the run writes: its record, and its debts.
        heartbeat: of the target; begun and ended by the watch.
    """

    max_duration_s: float
    abort: tuple[AbortWhen, ...]
    objectives: tuple[Objective, ...] = ()
    min_free_bytes: int = 0
    folders: tuple[Path, ...] = ()
    heartbeat: Heartbeat | None = None


def watched(
    safety: Safety, objectives: tuple[Objective, ...], folders: tuple[Path, ...], heartbeat: Heartbeat | None
) -> Limits:
    """The limits of an experiment, for a run that writes in these folders."""
    return Limits(
        max_duration_s=safety.max_duration_s,
        abort=safety.abort,
        objectives=objectives,
        min_free_bytes=safety.min_free_disk_bytes,
        folders=folders,
        heartbeat=heartbeat,
    )


class Interrupt(Protocol):
    """Stops a run."""

    def __call__(self, reason: str, /, **detail: Json) -> None:
        """Why, in one sentence, and what the record is to hold besides."""


class Watch:
    """See the module. `start` and `stop` it; it calls `interrupt` at most once."""

    def __init__(  # noqa: PLR0913 - whatever is watched, and whoever is told
        self,
        *,
        clock: Clock,
        load: LoadHandle,
        guard_alive: Callable[[], bool],
        phase: Callable[[], Phase | None],
        displays: Sequence[Display],
        folder: Path,
        limits: Limits,
        interrupt: Interrupt,
        note: Callable[[str], None] = lambda _text: None,
    ) -> None:
        """Take everything that is watched; nothing happens before `start`."""
        self._clock = clock
        self._load = load
        self._guard_alive = guard_alive
        self._phase = phase
        self._displays = displays
        self._abort_file = folder / ABORT
        self._limits = limits
        self._interrupt = interrupt
        self._note = note
        self._heartbeat = limits.heartbeat
        self._next_disk_s = 0.0
        self._recent: deque[Slice] = deque()
        self._thresholds = Thresholds(limits.objectives)
        self._detail: dict[str, Json] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        if self._heartbeat is not None:
            self._heartbeat.start()
        self._thread.start()

    def stop(self) -> None:
        """Stop watching; the slices that are still there are handed on."""
        self._ended.set()
        if self._heartbeat is not None:
            self._heartbeat.stop()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout=5.0)

    def _run(self) -> None:
        interrupted = False
        while not self._ended.wait(_PERIOD_S):
            reason = self._look()
            if reason and not interrupted:
                interrupted = True
                with suppress(Exception):  # the clock is cancelled first; it cannot be written down on a full disk
                    self._interrupt(reason, **self._detail)
        self._hand_on(tuple(self._load.slices()))

    def _look(self) -> str:
        """Why the run must be stopped now. A watch that fails must not end unseen: what it raised is a reason, too."""
        try:
            pieces = tuple(self._load.slices())
            for text in (text for piece in pieces for text in piece.notes):
                self._note(text)
            self._remember(pieces)
            reason = self._reason(pieces)
            self._hand_on(pieces)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody watches any more
            return f"the watch over the run failed: {type(error).__name__}: {error}"
        return reason

    def _hand_on(self, pieces: Sequence[Slice]) -> None:
        for piece in pieces:
            for display in self._displays:
                display.on_slice(piece)

    def _remember(self, pieces: Sequence[Slice]) -> None:
        self._recent.extend(pieces)
        longest = max((condition.window_s for condition in self._limits.abort), default=0.0)
        while self._recent and self._recent[0].start_s < self._recent[-1].end_s - longest - 1.0:
            self._recent.popleft()

    def _reason(self, pieces: Sequence[Slice]) -> str:
        if self._abort_file.exists():
            return "an abort was asked for"
        if not self._guard_alive():
            return "the reaper is gone: without it a fault could outlive this program"
        if self._clock.now_s() > self._limits.max_duration_s:
            return f"the run is longer than safety.max_duration allows ({self._limits.max_duration_s:g} s)"
        if not self._load.alive():
            return "the load generator ended before it was told to"
        phase, slices = self._phase(), tuple(self._recent)
        crossed = self._thresholds.look(pieces, phase)
        if phase is not None and self._clock.now_s() > (slices[-1].end_s if slices else 0.0) + SILENT_S:
            return f"the load generator has reported nothing for {SILENT_S:g} s"
        for condition in self._limits.abort:
            if reason := met(condition, slices, phase):
                return reason
        if crossed is not None:
            self._detail = crossed.detail
            return crossed.reason
        lost = self._heartbeat.lost() if self._heartbeat is not None else ""
        return lost or self._disk()

    def _disk(self) -> str:
        if time.monotonic() < self._next_disk_s:
            return ""
        self._next_disk_s = time.monotonic() + DISK_PERIOD_S
        for folder in self._limits.folders:
            try:
                disk = os.statvfs(folder)
            except OSError as error:
                return f"{folder}, where the run writes, cannot be looked at: {error.strerror}"
            free = disk.f_bavail * disk.f_frsize
            if free < self._limits.min_free_bytes:
                least = self._limits.min_free_bytes / 1e6
                return f"{free / 1e6:.0f} MB are free in {folder}, and safety.min_free_disk is {least:g} MB"
        return ""

"""Reads the dependencies of an experiment about twice a second while the run lasts, each in a thread of its own.

It never ends or delays a run: what cannot be read is written down as missed, what cannot be written down ends the
readings of that dependency, and a thread that hangs is left behind. Whoever judges sees that readings are missing.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from resilience.errors import RecordError
from resilience.model import Dependency, Place
from resilience.observe.beside import Beside
from resilience.observe.calls import FAILURES, Count, Counter, counter_of, counts_of
from resilience.record.readings import ReadingsWriter
from resilience.record.redact import Redactor

PERIOD_S = 0.5

NowNs = Callable[[], int]


class Collector:
    """Reads several dependencies. `start` it once the run has its zero; `stop` it before the record is read.

    Args:
        dependencies: of the experiment.
        places: the parts of the running stack.
        folder: the run folder.
        now_ns: nanoseconds since the run began.
        redactor: knows the secrets.
        make: makes the counter of a dependency.
    """

    def __init__(
        self,
        dependencies: Sequence[Dependency],
        places: Mapping[str, Place],
        folder: Path,
        now_ns: NowNs,
        redactor: Redactor,
        *,
        make: Callable[[Dependency, Place], Counter] = counter_of,
        period_s: float = PERIOD_S,
    ) -> None:
        self._folder, self._now_ns, self._redactor = folder, now_ns, redactor
        self._make, self._period_s = make, period_s
        self._beside = Beside(
            [(f"calls-{one.name}", partial(self._run, one, places.get(one.part))) for one in dependencies]
        )

    def start(self) -> None:
        """Begin to read."""
        self._beside.start()

    def stop(self) -> None:
        """End, after one more reading of each. Idempotent; takes a few seconds at the most."""
        self._beside.stop()

    def _run(self, dependency: Dependency, place: Place | None, ended: threading.Event) -> None:
        try:
            counts = "nothing" if place is None else counts_of(dependency, place)
            writer = ReadingsWriter(self._folder, dependency.name, counts, self._redactor)
        except RecordError:
            return  # the file is missing, and the reader of the record says so
        try:
            self._read_all(dependency, place, writer, ended)
            writer.close()
        except RecordError:
            return  # the file has no end, and the reader of the record says so

    def _read_all(
        self, dependency: Dependency, place: Place | None, writer: ReadingsWriter, ended: threading.Event
    ) -> None:
        if place is None:
            writer.missed(self._now_ns(), f"the stack has no part {dependency.part!r}")
            return
        try:
            counter = self._make(dependency, place)
        except ValueError as error:
            writer.missed(self._now_ns(), str(error))
            return
        try:
            last = False
            while not last:
                last = ended.is_set()
                self._read(counter, writer)
                ended.wait(self._period_s)
        finally:
            counter.close()

    def _read(self, counter: Counter, writer: ReadingsWriter) -> None:
        before_ns = self._now_ns()
        found: Count | Exception
        try:
            found = counter.read()
        except FAILURES as error:
            found = error
        if isinstance(found, Exception):
            writer.missed(before_ns, f"{type(found).__name__}: {found}")
        else:
            # What was counted is what had come by some instant between asking and the answer: the middle of the two.
            writer.add((before_ns + self._now_ns()) // 2, found.value, found.epoch)

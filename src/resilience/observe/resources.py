"""Reads resources beside the run, each collector in a thread of its own, on the run's clock.

It never ends or delays a run. What cannot be read is a gap with its reason; what cannot be written ends the readings of
that collector, and the reader of the record finds them missing.
"""

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from resilience.errors import RecordError
from resilience.host.files import write_json
from resilience.model import Json, Observing, Place
from resilience.observe.beside import Beside, Work
from resilience.observe.kubernetes import Kubernetes
from resilience.observe.metrics import Endpoint
from resilience.observe.postgres import Postgres
from resilience.observe.prometheus import Prometheus
from resilience.observe.redis import Redis
from resilience.observe.system import System
from resilience.observe.toxiproxy import Toxiproxy
from resilience.observe.watcher import FAILURES, Partly, Watcher
from resilience.record.folder import RESOURCES
from resilience.record.redact import Redactor
from resilience.record.resources import ResourcesWriter

NS = 1e9
LATE = 3.0
"""A reading that comes after more than so many periods leaves a gap."""

NowNs = Callable[[], int]


class Collectors:
    """All collectors of a run. `start` them once the run has its zero; `stop` them before the record is read.

    Args:
        watchers: what is read.
        folder: the run folder.
        now_ns: nanoseconds since the run began.
        redactor: knows the secrets.
        period_s: how often each is asked.
        missing: what was to be read and cannot be: collector, part, why.
        more: what else is done beside the run, with names.
    """

    def __init__(
        self,
        watchers: Sequence[Watcher],
        folder: Path,
        now_ns: NowNs,
        redactor: Redactor,
        *,
        period_s: float = 1.0,
        missing: Sequence[tuple[str, str, str]] = (),
        more: Callable[[ResourcesWriter], Sequence[tuple[str, Work]]] | None = None,
    ) -> None:
        self._watchers, self._folder, self._now_ns = watchers, folder, now_ns
        self._redactor, self._period_s, self._missing, self._more = redactor, period_s, missing, more
        self._writer: ResourcesWriter | None = None
        self._beside: Beside | None = None
        self._written = False

    def start(self) -> None:
        """Begin to read; nothing at all if there is nothing to be read, or nowhere to write."""
        if not self._watchers and not self._missing and self._more is None:
            return
        try:
            writer = self._writer = ResourcesWriter(self._folder, self._redactor)
            for collector, of, why in self._missing:
                writer.begin_gap(collector, of, self._now_ns(), why)
        except RecordError:
            return  # the folder is missing, and whoever looks for readings finds none
        work: list[tuple[str, Work]] = [
            (f"resources-{watcher.collector}", partial(self._run, watcher, writer)) for watcher in self._watchers
        ]
        self._beside = Beside(
            [
                *work,
                ("resources-written", partial(self._flush, writer)),
                *(() if self._more is None else self._more(writer)),
            ]
        )
        self._beside.start()

    def stop(self) -> None:
        """End, after one more reading of each. Idempotent; takes a few seconds at the most."""
        if self._beside is None or self._writer is None:
            return
        if self._beside.stop() and self._written:
            try:
                self._writer.close()
            except RecordError:
                return  # it is not sealed, and the reader says so

    def _run(self, watcher: Watcher, writer: ResourcesWriter, ended: threading.Event) -> None:
        try:
            self._read_all(watcher, writer, ended)
        except RecordError:
            pass  # there is nowhere to say it; the reader finds that readings are missing
        finally:
            self._keep(watcher, watcher.close())

    def _flush(self, writer: ResourcesWriter, ended: threading.Event) -> None:
        """Write what is due, in a thread that no reading waits for."""
        while not ended.wait(1.0):
            try:
                writer.flush()
            except RecordError:
                return  # what comes after is let go, and the record is not sealed
        self._written = True

    def _read_all(self, watcher: Watcher, writer: ResourcesWriter, ended: threading.Event) -> None:
        course = _Course(watcher, writer, round(self._period_s * NS))
        last = False
        while not last:
            last = ended.is_set()
            before_ns = self._now_ns()
            try:
                readings = watcher.read()
            except Partly as error:
                course.failed(before_ns, str(error))
                writer.add(watcher.collector, before_ns, error.readings)
            except FAILURES as error:
                course.failed(before_ns, f"{type(error).__name__}: {error}")
            else:
                # What is told is how it was at some instant between asking and the answer.
                at_ns = (before_ns + self._now_ns()) // 2
                course.read(at_ns)
                writer.add(watcher.collector, at_ns, readings)
            ended.wait(_until_next(self._now_ns() / NS, self._period_s))
        course.end(self._now_ns())

    def _keep(self, watcher: Watcher, document: Mapping[str, Json]) -> None:
        """Write what a collector keeps besides its readings: `resources/postgres.json`."""
        if document:
            try:
                write_json(self._folder / RESOURCES / f"{watcher.of}.json", self._redactor.json(document))
            except OSError:
                return  # as above


class _Course:
    """When a watcher could be read, and when it could not."""

    def __init__(self, watcher: Watcher, writer: ResourcesWriter, period_ns: int) -> None:
        self._who, self._writer, self._period_ns = (watcher.collector, watcher.of), writer, period_ns
        self._last_ns: int | None = None
        self._failing = False

    def failed(self, at_ns: int, why: str) -> None:
        """It could not be read."""
        if not self._failing:
            self._writer.begin_gap(*self._who, at_ns, why)
        self._failing = True

    def read(self, at_ns: int) -> None:
        """It could be read."""
        if self._failing:
            self._writer.end_gap(*self._who, at_ns)
        elif self._last_ns is not None and at_ns - self._last_ns > LATE * self._period_ns:
            took_s = (at_ns - self._last_ns) / NS
            self._writer.begin_gap(*self._who, self._last_ns, f"the next reading came after {took_s:.1f} s")
            self._writer.end_gap(*self._who, at_ns)
        self._failing, self._last_ns = False, at_ns

    def end(self, at_ns: int) -> None:
        """No more is read."""
        if self._failing:
            self._writer.end_gap(*self._who, at_ns)


def _until_next(now_s: float, period_s: float) -> float:
    """Seconds until the next whole period of the run's clock."""
    return (math.floor(now_s / period_s) + 1) * period_s - now_s


Missing = list[tuple[str, str, str]]


def watchers_of(
    observing: Observing,
    places: Mapping[str, Place],
    stack: str,
    folder: Path,
    tokens: Mapping[str, str],
) -> tuple[list[Watcher], Missing]:
    """What reads a run's resources, and what was to be read and cannot be.

    Args:
        observing: of the experiment.
        places: the parts of the running stack.
        stack: which kind of stack it is.
        folder: the run folder.
        tokens: environment variable → token, of those that the file names.
    """
    found: list[Watcher] = []
    missing: Missing = []
    wanted = observing.collected(stack)
    if "system" in wanted:
        found.append(System(places, folder))
    for name, place in places.items():
        protocol = place.protocol or name
        if "postgres" in wanted and protocol == "postgres" and place.dsn:
            found.append(Postgres(place))
        elif "redis" in wanted and protocol == "redis":
            found.append(Redis(place, observing.streams))
        elif "toxiproxy" in wanted and name == "toxiproxy" and place.control:
            found.append(Toxiproxy(place))
    for asked in observing.metrics:
        of, url = asked.part or asked.url, asked.url
        if asked.part:
            url = places[asked.part].url if asked.part in places else ""
        if not url:
            missing.append(("metrics", of, f"the stack has no part {asked.part!r} that speaks HTTP"))
        else:
            found.append(Endpoint(asked, url, of, tokens.get(asked.token, "")))
    found += [Prometheus(server, tokens.get(server.token, "")) for server in observing.prometheus]
    found += [Kubernetes(asked) for asked in observing.kubernetes]
    return found, missing

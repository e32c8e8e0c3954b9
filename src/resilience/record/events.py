"""The event log: JSON lines, one write per event, so that a crash costs at most the line being written.

The first line is the header (format version and whatever the run says of itself), the last one the footer with the
number of lines before it and their BLAKE2b-256, which older logs do not have. What must survive the loss of the host,
faults above all, is fsynced before `emit` returns.
"""

import hashlib
import json
import math
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from resilience.errors import RecordError
from resilience.model import Event, EventKind, Json
from resilience.ports import Clock
from resilience.record.redact import Redactor

FORMAT = 1

DURABLE = frozenset(
    {
        EventKind.HEADER,
        EventKind.REQUESTED,
        EventKind.CONFIRMED,
        EventKind.REVERTING,
        EventKind.CLEAR,
        EventKind.FAULT_PROBLEM,
        EventKind.STRUCK,
        EventKind.INTERRUPTED,
        EventKind.FOOTER,
    }
)
"""Events that are on the disk, not only with the kernel, before `emit` returns."""

DIGEST = "blake2b"
"""In the footer."""

Listener = Callable[[Event], None]


class EventLog:
    """Writes `events.jsonl`; the one place through which events become text, so secrets are taken out here.

    Safe to call from several threads. The header is written at once.

    Args:
        path: the file; must not exist.
        clock: tells the time since the run began.
        listeners: called with every event after it is written, in the caller's thread, header and footer included. What
            a listener raises becomes one `problem` event for that listener and goes no further.
        header: what else the header says: run, experiment, seed, wall clock, versions, zero_ns.
        redactor: knows the secrets.

    Raises:
        RecordError: the file is there already or cannot be made.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        listeners: Iterable[Listener] = (),
        *,
        header: Mapping[str, Json] | None = None,
        redactor: Redactor | None = None,
    ) -> None:
        self._path = path
        self._clock = clock
        self._listeners = tuple(listeners)
        self._redactor = redactor or Redactor()
        self._lock = threading.Lock()
        self._failed: set[int] = set()
        self._count = 0
        self._torn = False
        self._digest = hashlib.blake2b(digest_size=32)
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            msg = f"the event log {path} cannot be made: {error}"
            raise RecordError(msg) from error
        self._tell(self._write(EventKind.HEADER, "", {"format": FORMAT, **(header or {})}))

    def emit(self, kind: EventKind, name: str = "", /, **detail: Json) -> Event:
        """Write the event down with the time of now, tell the listeners, and return it (without secrets).

        Raises:
            RecordError: it could not be written, or the log is closed.
        """
        if kind in {EventKind.HEADER, EventKind.FOOTER}:
            msg = f"{kind.value} was to be emitted: the log writes its header and footer itself (`header=`, `close`)"
            raise ValueError(msg)
        event = self._write(kind, name, detail)
        self._tell(event)
        return event

    def close(self) -> None:
        """Write the footer and close the file. Idempotent.

        Raises:
            RecordError: the footer could not be written.
        """
        with self._lock:
            if self._file < 0:
                return
            try:
                sealed: dict[str, Json] = {"events": self._count, DIGEST: self._sealed()}
                footer = self._write_locked(EventKind.FOOTER, "", sealed)
            finally:
                os.close(self._file)
                self._file = -1
        self._tell(footer)

    def _sealed(self) -> str:
        """The digest of all lines so far; if half a line was written last, of that line with its end."""
        digest = self._digest.copy()
        digest.update(b"\n" if self._torn else b"")
        return digest.hexdigest()

    def _write(self, kind: EventKind, name: str, detail: Mapping[str, Json]) -> Event:
        with self._lock:  # the time is read inside, so lines stand in order of time
            return self._write_locked(kind, name, detail)

    def _write_locked(self, kind: EventKind, name: str, detail: Mapping[str, Json]) -> Event:
        if self._file < 0:
            msg = f"the event log {self._path} is closed; {kind.value} {name!r} came too late"
            raise RecordError(msg)
        safe = {self._redactor.text(key): self._redactor.json(value) for key, value in detail.items()}
        event = Event(self._clock.now_s(), kind, self._redactor.text(name), safe)
        document = {"at_s": event.at_s, "kind": kind.value, "name": event.name, "detail": safe}
        line = json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n"
        # After half a line the next one begins on its own, so one full disk costs one event and not two.
        content = ("\n" if self._torn else "").encode() + line.encode(errors="backslashreplace")
        try:
            written = os.write(self._file, content)
            self._digest.update(content[:written])
            self._torn = written != len(content)
            if not self._torn and kind in DURABLE:
                os.fsync(self._file)
        except OSError as error:
            msg = f"the event log {self._path} cannot be written: {error}"
            raise RecordError(msg) from error
        if self._torn:
            msg = f"the event log {self._path} is full: {written} of {len(content)} bytes were written"
            raise RecordError(msg)
        self._count += 1
        return event

    def _tell(self, event: Event) -> None:
        news: list[tuple[str, str]] = []
        for index, listener in enumerate(self._listeners):
            try:
                listener(event)
            except Exception as error:  # noqa: BLE001 - a view must not end a run; what it raised becomes an event
                if index not in self._failed:
                    self._failed.add(index)
                    who = getattr(listener, "__qualname__", type(listener).__name__)
                    news.append((who, f"failed and may have missed events: {type(error).__name__}: {error}"))
        for who, text in news:  # after everybody heard the event itself
            if self._file >= 0:
                self._tell(self._write(EventKind.PROBLEM, who, {"message": text}))


def read_events(path: Path, *, finished: bool = True) -> tuple[tuple[Event, ...], tuple[str, ...]]:
    """Read an event log, however damaged.

    Args:
        path: the file.
        finished: False for a run in progress, whose footer and last line may not be there yet.

    Returns:
        The events that can be read, header and footer included, and what is wrong with the file.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        return (), (f"the event log cannot be read: {error}",)
    problems: list[str] = []
    *lines, tail = content.split(b"\n")
    events: list[Event] = []
    for number, line in enumerate(lines, start=1):
        try:
            events.append(_parse(line))
        except (ValueError, KeyError, TypeError) as error:
            problems.append(f"{path.name} line {number} is damaged: {error}")
    if tail and finished:
        problems.append(f"{path.name} ends in half a line of {len(tail)} bytes: the run was cut short")
    problems += _check(path.name, events, finished)
    if not problems and events and DIGEST in events[-1].detail:
        before = content[: content.rindex(b"\n", 0, -1) + 1]
        if hashlib.blake2b(before, digest_size=32).hexdigest() != events[-1].detail[DIGEST]:
            problems.append(f"{path.name} is not what its footer says: it was changed after it was written")
    return tuple(events), tuple(problems)


def _parse(line: bytes) -> Event:
    document: Any = json.loads(line, parse_constant=_refuse)
    at_s, kind, name, detail = (document[key] for key in ("at_s", "kind", "name", "detail"))
    if isinstance(at_s, bool) or not isinstance(at_s, int | float) or not math.isfinite(at_s):
        raise ValueError(f"at_s is {at_s!r}, a number was expected")
    if not isinstance(name, str) or not isinstance(detail, dict):
        raise TypeError(f"name {name!r} and detail {detail!r} were found, a text and an object were expected")
    return Event(float(at_s), EventKind(kind), name, detail)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _check(file: str, events: list[Event], finished: bool) -> list[str]:
    problems = []
    if not events or events[0].kind is not EventKind.HEADER:
        problems.append(f"{file} has no header")
    elif events[0].detail.get("format") != FORMAT:
        problems.append(f"{file} has format {events[0].detail.get('format')!r}, {FORMAT} was expected")
    if any(later.at_s < earlier.at_s for earlier, later in pairwise(events)):
        problems.append(f"{file} is not in order of time")
    if any(event.kind is EventKind.HEADER for event in events[1:]):
        problems.append(f"{file} has more than one header")
    footers = [index for index, event in enumerate(events) if event.kind is EventKind.FOOTER]
    if not footers:
        if finished:
            problems.append(f"{file} has no footer: the run was cut short")
    elif footers != [len(events) - 1]:
        problems.append(f"{file} goes on after its footer")
    elif events[-1].detail.get("events") != len(events) - 1:
        told = events[-1].detail.get("events")
        problems.append(f"{file} should have {told} events before its footer, {len(events) - 1} can be read")
    return problems

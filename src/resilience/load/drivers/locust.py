"""Starts the load process, listens to it, and asks it for its account. Never imports Locust itself."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

from resilience.codec import decode, encode
from resilience.errors import LoadError, RecordError
from resilience.host.processes import TAG, end, tagged
from resilience.model import OUTCOMES, Gathering, Json, LoadOrder, Slice

READY_TIMEOUT_S = 20.0
KEPT_SLICES = 20_000
_TAIL = 2000
_END_TIMEOUT_S = 5.0


class LocustDriver:
    """Sends load with Locust in a process of its own, one per driver.

    Starting takes seconds, nearly all of them imports. A caller who has something else to do meanwhile calls `launch`
    first, and `prepare` before it chooses the run's zero; then a second between the two is plenty. `start` alone does
    both, and needs a zero that lies further ahead.

    Args:
        tag: stands in the environment of the process as `RESILIENCE_TAG`, by which the reaper finds and ends it.
        ready_timeout_s: how long the process may take, for its imports and again to get ready for its order.
        gathering: the workers that carry the load together, where one process does not; they are waited for as long
            as it says, besides.
    """

    def __init__(self, tag: str, ready_timeout_s: float = READY_TIMEOUT_S, gathering: Gathering | None = None) -> None:
        self._tag = tag
        self._ready_timeout_s = ready_timeout_s
        self._gathering = gathering
        self._handle: LocustHandle | None = None

    def launch(self) -> None:
        """Start the process and do not wait for it. Idempotent.

        Raises:
            LoadError: it cannot be started.
        """
        if self._handle is None:
            self._handle = LocustHandle(self._tag, self._gathering)

    def prepare(self) -> None:
        """Return when the process waits for its order. Idempotent.

        Raises:
            LoadError: it does not in time, and why. No process is left.
        """
        self._launched().wait_idle(self._gathered_s())

    def start(self, order: LoadOrder) -> "LocustHandle":
        """Give the process its order, and return once it waits for its first arrival.

        Raises:
            LoadError: the order is wrong, or the process was not ready in time or only after the run's zero.
                Nothing was sent and no process is left.
        """
        handle = self._launched()
        handle.wait_idle(self._gathered_s())
        handle.begin(order, self._ready_timeout_s)
        return handle

    def close(self) -> None:
        """End the process at once, whatever it is doing. Idempotent."""
        if self._handle is not None:
            self._handle.abort()

    def _gathered_s(self) -> float:
        return self._ready_timeout_s + (self._gathering.wait_s if self._gathering is not None else 0.0)

    def _launched(self) -> "LocustHandle":
        self.launch()
        assert self._handle is not None  # noqa: S101 - for the type checker
        return self._handle


class LocustHandle:
    """A load process, or the master of several. See `ports.LoadHandle`."""

    def __init__(self, tag: str, gathering: Gathering | None = None, words: Sequence[str] = ()) -> None:
        self._tag = tag
        self._workers = gathering is not None
        program = "resilience.load.process" if gathering is None else "resilience.load.workers.master"
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", *(words or (program,))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env={**os.environ, TAG: tag},
                start_new_session=True,
            )
        except OSError as error:
            self._errors.close()
            raise LoadError(f"the load process cannot be started with {sys.executable}: {error}") from error
        self._slices: deque[Slice] = deque(maxlen=KEPT_SLICES)
        self._message = ""
        self._account: dict[str, Json] | None = None
        self._result: Mapping[str, Json] | None = None
        self._said: set[str] = set()
        self._idle = threading.Event()  # or ended without
        self._ready = threading.Event()  # or ended without
        self._ended = threading.Event()
        self._reader = threading.Thread(target=self._read, name="load slices", daemon=True)
        self._reader.start()
        if gathering is not None:
            self._tell(json.dumps(encode(gathering)))

    @property
    def pid(self) -> int:
        """The number of the load process."""
        return self._process.pid

    def wait_idle(self, timeout_s: float) -> None:
        """Return once the process waits for its order.

        Raises:
            LoadError: it does not, and why; it was ended.
        """
        self._wait(self._idle, "idle", timeout_s)

    def begin(self, order: LoadOrder, timeout_s: float) -> None:
        """Give the order, and return once the process waits for its first arrival.

        Raises:
            LoadError: it does not, and why; it was ended.
        """
        self._tell(json.dumps(encode(order)))
        self._wait(self._ready, "ready", timeout_s)

    def _wait(self, event: threading.Event, word: str, timeout_s: float) -> None:
        try:
            in_time = event.wait(timeout_s)
        except BaseException:
            self.abort()
            raise
        if word in self._said:
            return
        tail = self._tail()
        self.abort()
        if not in_time:
            raise LoadError(f"the load process was not {word} within {timeout_s:g} s{tail}")
        raise LoadError(self._message or f"the load process ended before it was {word}{tail}")

    def slices(self) -> Iterator[Slice]:
        """The slices that came since the last call; does not block."""
        with contextlib.suppress(IndexError):
            while True:
                yield self._slices.popleft()

    def alive(self) -> bool:
        """Whether the generator still runs."""
        return not self._ended.is_set() and self._process.poll() is None

    def steer(self, at_ns: int, level: float) -> None:
        """Tell another level of a steered load."""
        self._tell(f"level {at_ns} {level!r}")

    def stop(self, timeout_s: float) -> Mapping[str, Json]:
        """Stop new arrivals, wait for what is in flight, seal samples and ledger; return the generator's account.

        Asked again, it returns the same account.

        Raises:
            LoadError: the generator died, did not end in time (it is killed), could not write something down, or its
                account does not close.
        """
        if self._result is not None:
            return self._result
        self._tell("stop")
        in_time = self._ended.wait(timeout_s)
        if in_time:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_TIMEOUT_S)
        code = self._process.poll()
        tail = self._tail()
        self.abort()
        if not in_time:
            raise LoadError(f"the load process did not end within {timeout_s:g} s; it was killed{tail}")
        if self._message:
            raise LoadError(f"the load process stopped sending: {self._message}")
        if self._account is None or code != 0:  # -9 and the like: ended by a signal
            raise LoadError(f"the load process died without an account (exit code {code}){tail}")
        check_account(self._account)
        self._result = self._account
        return self._result

    def abort(self) -> None:
        """End the process at once, without an account. Samples and ledger stay unsealed. Idempotent."""
        self._process.kill()
        self._process.wait()
        if self._workers:  # they end with their master; nobody has to wait for them to notice
            end(tagged(self._tag), gently=signal.SIGKILL)
        self._reader.join()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def _tell(self, line: str) -> None:
        if self._process.stdin is None or self._process.stdin.closed:
            return
        with contextlib.suppress(BrokenPipeError):  # it has ended; why is found out elsewhere
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()

    def _read(self) -> None:
        """Read lines until the process closes its end, in a thread of its own."""
        stream = self._process.stdout
        try:
            for line in stream or ():
                self._take(json.loads(line))
        except (ValueError, KeyError, TypeError, RecordError) as error:
            self._message = self._message or f"it said what cannot be understood: {error}"
        finally:
            self._ended.set()
            self._idle.set()
            self._ready.set()

    def _take(self, document: dict[str, Any]) -> None:
        kind = document.pop("type")
        if kind == "slice":
            self._slices.append(decode(Slice, document))
        elif kind in {"idle", "ready"}:
            self._said.add(kind)
            (self._idle if kind == "idle" else self._ready).set()
        elif kind == "done":
            self._account = document
        elif kind == "error":
            self._message = str(document["message"])

    def _tail(self) -> str:
        """The end of what the process wrote to its standard error."""
        if self._errors.closed:
            return ""
        size = os.fstat(self._errors.fileno()).st_size
        text = os.pread(self._errors.fileno(), _TAIL, max(0, size - _TAIL)).decode(errors="replace").strip()
        return f"; it wrote:\n{text}" if text else ""


def check_account(account: Mapping[str, Json]) -> None:
    """Check that offered = ok + failed + unknown + dropped, in all and for every operation.

    Raises:
        LoadError: every row that does not close, and every sum over operations that is not the total.
    """
    per_operation = account.get("per_operation")
    if not isinstance(per_operation, Mapping):
        raise LoadError("the generator's account has no per_operation")
    wrong = []
    for name, row in (("all", account), *per_operation.items()):
        if not isinstance(row, Mapping):
            raise LoadError(f"the generator's account of {name} is {row!r}; counts were expected")
        outcomes = {outcome.value: _count(row, outcome.value) for outcome in OUTCOMES}
        if _count(row, "offered") != sum(outcomes.values()):
            terms = " + ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
            wrong.append(f"{name}: {_count(row, 'offered')} offered is not {terms}")
    for key in ("offered", *(outcome.value for outcome in OUTCOMES)):
        total = sum(_count(row, key) for row in per_operation.values() if isinstance(row, Mapping))
        if total != _count(account, key):
            wrong.append(f"{key}: {_count(account, key)} in all, {total} over the operations")
    if wrong:
        raise LoadError("the generator's account does not close: " + "; ".join(wrong))


def _count(row: Mapping[str, Json], key: str) -> int:
    count = row.get(key)
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise LoadError(f"the generator's account has {key}: {count!r}; a count was expected")
    return count

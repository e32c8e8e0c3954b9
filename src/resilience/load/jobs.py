"""Jobs: work that is asked for by one request and followed to its end, as one operation.

The request is sent once. If its answer accepts the job, the job is asked after, or its events are read, until it is in
a state that ends it or the operation's time limit is over. Asking again is what following is, so a question that fails
is no end: it is counted, and asked again when the next is due. The outcome is that of the job: ok if it is done, failed
if its state says that it never will be, unknown if nobody saw the end of it. For the write ledger the accepting answer
is the acknowledgement, whatever becomes of the job: it was promised.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import gevent

from resilience.load.calls import Caller, Ready, Values
from resilience.load.classify import Happened, JobEnded, Reply, Timed, Timing
from resilience.load.events import EventClient
from resilience.load.fields import text_at
from resilience.load.http import Address, Client
from resilience.load.operations import Prepared, Request
from resilience.load.streams import ACCEPT
from resilience.model import Expect, Job, LoadOrder, Operation, Outcome

JOB_ID = "job_id"
_MILLISECONDS = 1e11
"""A number of an instant above this is of milliseconds: as seconds it would be in the year 5138."""
_SHOWN = 80


@dataclass(slots=True)
class Backlog:
    """What the jobs of one load process come to.

    Attributes:
        accepted, finished: jobs accepted, and of those the ones whose end was seen.
        given_up: of those, the ones whose end was waited for no longer.
        most: the largest number of jobs that were accepted and not seen to end.
        polls, polls_failed: questions asked, and those without an answer that told a state.
    """

    accepted: int = 0
    finished: int = 0
    given_up: int = 0
    most: int = 0
    polls: int = 0
    polls_failed: int = 0

    @property
    def now(self) -> int:
        """Jobs that are accepted and not seen to end."""
        return self.accepted - self.finished

    def accept(self) -> None:
        """One more was accepted."""
        self.accepted += 1
        self.most = max(self.most, self.now)

    def account(self) -> dict[str, int]:
        """As it stands in the generator's account."""
        return {
            "accepted": self.accepted,
            "finished": self.finished,
            "given_up": self.given_up,
            "backlog_most": self.most,
            "backlog_end": self.now,
            "polls": self.polls,
            "polls_failed": self.polls_failed,
        }


@dataclass(slots=True)
class Progress:
    """What has been seen of one job since it was accepted. Pure; instants by the host's monotonic clock.

    Attributes:
        document: the last that told a state.
        left_ns, ended_ns: when it was first seen not to wait, and to have ended; −1 before.
        outcome, reason: of the job, as far as it was seen.
        worked_on: whether it was seen in a state between waiting and its end.
    """

    job: Job
    accepted: Reply
    accepted_ns: int
    document: Any = None
    left_ns: int = -1
    ended_ns: int = -1
    outcome: Outcome = Outcome.UNKNOWN
    reason: str = ""
    worked_on: bool = False

    def take(self, document: Any, at_ns: int) -> bool:  # noqa: ANN401 - any JSON
        """Take what was told; True if the job has ended."""
        state = _state(document, self.job)
        if state is None:
            return False
        self.document = document
        if state in self.job.queued:
            return False
        if self.left_ns < 0:
            self.left_ns = at_ns
        if state in self.job.done:
            self.outcome, self.reason, self.ended_ns = Outcome.OK, "", at_ns
        elif state in self.job.failed:
            self.outcome, self.reason, self.ended_ns = Outcome.FAILED, f"job {state}", at_ns
        else:
            self.worked_on = True
            self.reason = f"job was still {state}"
        return self.ended_ns >= 0

    def timing(self) -> Timing:
        """How long it waited and was worked on, as far as that is known.

        From the service's own instants if the file says where they are; else from the states that were seen. A job that
        was never seen being worked on says nothing of where one ended and the other began.
        """
        queue = processing = -1
        if self.job.submitted_at or self.job.started_at or self.job.ended_at:
            instants = [_instant_ns(self.document, path) for path in _paths(self.job)]
            submitted, started, ended = instants
            queue = started - submitted if min(submitted, started) >= 0 else -1
            processing = ended - started if min(started, ended) >= 0 else -1
        elif self.worked_on:
            queue = self.left_ns - self.accepted_ns
            processing = self.ended_ns - self.left_ns if self.ended_ns >= 0 else -1
        return Timing(queue_ns=max(queue, -1), processing_ns=max(processing, -1), accepted_ns=self.accepted_ns)


def _state(document: Any, job: Job) -> str | None:  # noqa: ANN401 - any JSON
    """The state that is told; None if none is, or null."""
    state = text_at(document, job.state)
    return None if state == "null" else state


def _paths(job: Job) -> tuple[str, str, str]:
    return job.submitted_at, job.started_at, job.ended_at


def _instant_ns(document: Any, path: str) -> int:  # noqa: ANN401 - any JSON
    """An instant that a service tells, in nanoseconds since 1970; −1 if it tells none."""
    text = text_at(document, path) if path else None
    if text is None:
        return -1
    try:
        number = float(text)
    except ValueError:
        try:
            instant = datetime.fromisoformat(text)
        except ValueError:
            return -1
        return -1 if instant.tzinfo is None else round(instant.timestamp() * 1e9)
    return round(number * (1e6 if number > _MILLISECONDS else 1e9)) if number >= 0 else -1


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What one arrival sends, and how it goes on."""

    submit: Request
    ready: "JobReady"
    values: Values


class JobReady:
    """An operation that is a job, made ready."""

    def __init__(self, operation: Operation, base_url: str, segments: Sequence[str]) -> None:
        self.operation = operation
        self.job = operation.job or Job()
        self._netloc = urlsplit(base_url).netloc.rpartition("@")[2]
        self._submit = Prepared(operation, base_url, segments)
        headers = operation.headers if not self.job.events else {**ACCEPT, **operation.headers}
        where = self.job.events or self.job.poll or "/"
        asked = replace(operation, method="GET", path=where, headers=headers, json=None, expect=Expect())
        self._ask = Prepared(asked, base_url, (*segments, JOB_ID))

    def request(self, values: Values) -> JobRequest:
        """What is sent first."""
        return JobRequest(self._submit.request(values), self, values)

    def expect(self, values: Values) -> Expect:
        """What accepts it."""
        return self._submit.expect(values)

    def question(self, values: Values, accepted: Reply) -> Request | str:
        """What is asked of an accepted job; a text says why nothing can be."""
        if self.job.poll or self.job.events:
            path = self.job.events or self.job.poll
            known = text_at(_parsed(accepted.body), self.job.id)
            if known is None and f"${{{JOB_ID}}}" in path:
                return f"job without an id: nothing at {self.job.id!r}"
            return self._ask.request({**values, JOB_ID: known or ""})
        location = next((value.decode("latin-1") for name, value in accepted.headers if name == b"location"), "")
        if not location:
            return "job without a Location"
        split = urlsplit(location)
        if split.netloc not in {"", self._netloc} or not split.path.startswith("/") or not location.isprintable():
            return f"job elsewhere: {location[:_SHOWN]}"
        path = split.path + (f"?{split.query}" if split.query else "")
        _, rest = self._ask.request({**values, JOB_ID: ""}).content.split(b"\r\n", 1)
        return Request(f"GET {path} HTTP/1.1\r\n".encode("latin-1") + rest)


class JobCaller:
    """One slot's connections for jobs: one for requests and questions, one for events."""

    def __init__(self, address: Address, backlog: Backlog) -> None:
        self._client, self._events = Client(address), EventClient(address)
        self._backlog = backlog
        self._progress: Progress | None = None

    def call(self, request: JobRequest, timeout_s: float) -> Happened | Timed:
        """Ask for a job, once, and follow it to its end."""
        until_ns = time.monotonic_ns() + int(timeout_s * 1e9)
        answer = self._client.call(request.submit, timeout_s)
        operation = request.ready.operation
        if not isinstance(answer, Reply) or answer.status not in operation.expect.status:
            return answer
        progress = self._progress = Progress(request.ready.job, answer, time.monotonic_ns())
        self._backlog.accept()
        progress.reason = f"job not seen to end: {timeout_s:g} s"
        question = request.ready.question(request.values, answer)
        if isinstance(question, str):
            progress.reason = question
        elif request.ready.job.events:
            self._read(progress, question, until_ns)
        else:
            self._poll(progress, question, until_ns)
        return self.so_far("") or answer

    def so_far(self, reason: str) -> Timed | None:
        """What is known of the accepted job, which is let go; None if there is none.

        Args:
            reason: why it is, if it has not ended; empty if that is known already.
        """
        progress, self._progress = self._progress, None
        if progress is None:
            return None
        if reason and progress.ended_ns < 0:
            progress.reason = reason
        if progress.ended_ns >= 0:
            self._backlog.finished += 1
        else:
            self._backlog.given_up += 1
        return Timed(JobEnded(progress.accepted, progress.outcome, progress.reason), progress.timing())

    def close(self) -> None:
        """Close both connections."""
        self._client.close()
        self._events.close()

    def _poll(self, progress: Progress, question: Request, until_ns: int) -> None:
        """Ask until it has ended or the time is over."""
        job, wait_s = progress.job, progress.job.interval_s
        while True:
            left_s = (until_ns - time.monotonic_ns()) / 1e9
            if left_s <= wait_s:
                gevent.sleep(max(left_s, 0.0))
                return
            gevent.sleep(wait_s)
            wait_s = min(wait_s * job.backoff, max(job.max_interval_s, job.interval_s))
            left_s = (until_ns - time.monotonic_ns()) / 1e9
            self._backlog.polls += 1
            answer = self._client.call(question, max(min(job.poll_timeout_s, left_s), 0.001))
            document = _parsed(answer.body) if isinstance(answer, Reply) and answer.status < 300 else None  # noqa: PLR2004 - 2xx
            if _state(document, job) is None:
                self._backlog.polls_failed += 1
                continue
            if progress.take(document, time.monotonic_ns()):
                return

    def _read(self, progress: Progress, question: Request, until_ns: int) -> None:
        """Read events until one says that it has ended, or they end themselves."""
        self._backlog.polls += 1
        left_s = max((until_ns - time.monotonic_ns()) / 1e9, 0.001)
        happened = self._events.call(question, left_s, lambda data, at_ns: progress.take(_parsed(data.encode()), at_ns))
        if progress.ended_ns < 0:
            self._backlog.polls_failed += 1
            why = f"status {happened.status}" if isinstance(happened, Reply) else getattr(happened, "reason", "")
            progress.reason = f"job events ended: {why}"


def _parsed(body: bytes) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


class Jobs:
    """The kind of operations that are jobs."""

    def __init__(self, order: LoadOrder) -> None:
        self._base_url = order.base_url
        self._address = Address(order.base_url)
        self.backlog = Backlog()

    def prepare(self, operation: Operation, segments: Sequence[str]) -> Ready:
        """Make an operation ready."""
        return JobReady(operation, self._base_url, segments)

    def account(self) -> Mapping[str, Mapping[str, int]]:
        """What its jobs come to."""
        return {"jobs": self.backlog.account()}

    def caller(self) -> Caller:
        """New connections, made when they are first needed."""
        return JobCaller(self._address, self.backlog)

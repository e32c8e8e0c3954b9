"""Jobs followed to their end: one operation each, whatever happens on the way. Requirement L8."""

import itertools
import json
import time
from collections import Counter

import gevent
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.columns import Mark
from resilience.load.classify import JobEnded, Reply, Timed, classify
from resilience.load.engine import IN_FLIGHT_AT_END, Engine
from resilience.load.jobs import Jobs, Progress
from resilience.model import OUTCOMES, Expect, Job, Load, LoadOrder, Operation, Outcome, Role
from tests.load.target import HANG, Asked, Told, answer
from tests.load.test_engine import Memory
from tests.load.test_streams import chunk, streamed

JOB = Job(poll="/jobs/${job_id}", interval_s=0.03, backoff=1.0, failed=("failed",))
WORK = Operation(
    name="work",
    weight=1.0,
    method="POST",
    path="/jobs",
    json={"key": "${key}"},
    expect=Expect(status=(202,)),
    timeout_s=1.0,
    job=JOB,
)


def service(*states: object, accepted: bytes | Told | None = None):
    """A target that accepts one job and tells these states in turn, the last of them for ever."""
    told = itertools.chain(states, itertools.repeat(states[-1] if states else None))

    def script(asked: Asked):
        if asked.method == "POST":
            return accepted or answer(202, {"id": "j 1"})
        state = next(told)
        return state if isinstance(state, bytes | Told) else answer(200, {"state": state})

    return script


def follow(url: str, *, operation: Operation = WORK, timeout_s: float = 1.0):
    """What one caller sees of one job, and what was counted."""
    kind = Jobs(LoadOrder(run="x", seed=1, zero_ns=0, base_url=url, folder="/", load=None, max_s=1))  # type: ignore[arg-type]
    ready, caller = kind.prepare(operation, ()), kind.caller()
    found = caller.call(ready.request({"key": "7"}), timeout_s)
    caller.close()
    return found, kind.backlog


def ended(found) -> JobEnded:
    assert isinstance(found, Timed)
    assert isinstance(found.happened, JobEnded)
    return found.happened


def test_a_job_is_asked_after_until_it_is_done(make_target):
    """One request, then questions under the job's own id; its times are those of the states that were seen."""
    target = make_target(service("queued", "queued", "running", "running", "done"))
    found, backlog = follow(target.url)
    assert (ended(found).outcome, ended(found).reason) == (Outcome.OK, "")
    assert [(one.method, one.path) for one in target.asked] == [("POST", "/jobs")] + [("GET", "/jobs/j%201")] * 5
    assert 0.08 < found.timing.queue_ns / 1e9 < 0.5
    assert 0.05 < found.timing.processing_ns / 1e9 < 0.5
    assert (backlog.accepted, backlog.finished, backlog.now, backlog.most) == (1, 1, 0, 1)
    assert (backlog.polls, backlog.polls_failed) == (5, 0)


@pytest.mark.parametrize(
    ("states", "outcome", "reason"),
    [
        (("queued", "failed"), Outcome.FAILED, "job failed"),
        (("queued",), Outcome.UNKNOWN, "job not seen to end: 0.4 s"),
        (("running",), Outcome.UNKNOWN, "job was still running"),
        ((answer(503, {}),), Outcome.UNKNOWN, "job not seen to end: 0.4 s"),
        ((Told(b"", then="close"), "done"), Outcome.OK, ""),
        ((answer(500, {"state": "done"}), "done"), Outcome.OK, ""),
        ((answer(200, {"state": None}), answer(200, []), "done"), Outcome.OK, ""),
    ],
)
def test_what_becomes_of_it_is_the_outcome(make_target, states, outcome, reason):
    """A question that fails is no end: it is counted, and asked again when the next is due."""
    target = make_target(service(*states))
    found, backlog = follow(target.url, timeout_s=0.4)
    assert (ended(found).outcome, ended(found).reason) == (outcome, reason)
    assert backlog.finished == (outcome is not Outcome.UNKNOWN)
    assert backlog.given_up == backlog.now == (outcome is Outcome.UNKNOWN)
    assert sum(one.method == "POST" for one in target.asked) == 1
    bad = sum(not isinstance(state, str) for state in states)
    assert backlog.polls_failed >= bad
    assert (backlog.polls_failed > 0) == (bad > 0)


def test_what_was_not_accepted_is_an_ordinary_answer(make_target):
    """Refused, broken or timed out before it was accepted: nothing is followed."""
    for accepted in (answer(503, {}, headers="Retry-After: 1\r\n"), Told(b"", then="close"), HANG):
        found, backlog = follow(make_target(service(accepted=accepted)).url, timeout_s=0.2)
        assert not isinstance(found, Timed | JobEnded)
        assert (backlog.accepted, backlog.polls) == (0, 0)


def test_the_intervals_grow_up_to_the_longest(make_target):
    """Backed off as declared: after 20, 40, 60, 60 … ms."""
    target = make_target(service("queued"))
    job = Job(poll="/jobs/${job_id}", interval_s=0.02, backoff=2.0, max_interval_s=0.06)
    operation = Operation(name="work", weight=1, method="POST", path="/", expect=Expect(status=(202,)), job=job)
    _, backlog = follow(target.url, operation=operation, timeout_s=0.5)
    assert 4 <= backlog.polls <= 9


@pytest.mark.parametrize(
    ("header", "path", "reason"),
    [
        ("Location: /status/7?x=1\r\n", "/status/7?x=1", ""),
        ("Location: http://{host}/status/7\r\n", "/status/7", ""),
        ("Location: http://elsewhere/7\r\n", None, "job elsewhere: http://elsewhere/7"),
        ("", None, "job without a Location"),
    ],
)
def test_it_may_be_where_its_location_says(make_target, header, path, reason):
    """Nobody else is asked about it."""
    target = make_target(lambda _: None)
    host = target.url.removeprefix("http://")
    target.script = service("done", accepted=answer(202, {}, headers=header.format(host=host)))
    operation = Operation(
        name="work",
        weight=1,
        method="POST",
        path="/",
        expect=Expect(status=(202,)),
        job=Job(interval_s=0.01),
    )
    found, _ = follow(target.url, operation=operation, timeout_s=0.5)
    assert [one.path for one in target.asked[1:]] == ([path] if path else [])
    assert ended(found).reason == reason
    assert ended(found).outcome is (Outcome.OK if path else Outcome.UNKNOWN)


def test_it_may_tell_by_events(make_target):
    """A stream of states instead of questions; one that ends before the job did leaves it unknown."""
    job = Job(events="/jobs/${job_id}/events")
    operation = Operation(name="work", weight=1, method="POST", path="/", expect=Expect(status=(202,)), job=job)

    def event(state: str) -> bytes:
        return f"data: {json.dumps({'state': state})}\n\n".encode()

    target = make_target(service(streamed(*map(event, ("queued", "running", "done")))))
    found, backlog = follow(target.url, operation=operation)
    assert ended(found).outcome is Outcome.OK
    assert [one.path for one in target.asked] == ["/", "/jobs/j%201/events"]
    assert (found.timing.queue_ns >= 0, found.timing.processing_ns >= 0, backlog.finished) == (True, True, 1)
    found, backlog = follow(make_target(service(streamed(event("queued")))).url, operation=operation)
    assert (ended(found).outcome, ended(found).reason) == (Outcome.UNKNOWN, "job events ended: status 200")
    assert backlog.now == 1
    assert chunk(b"")


INSTANTS = Job(submitted_at="at.in", started_at="at.begun", ended_at="at.end")


@pytest.mark.parametrize(
    ("told", "queue_s", "processing_s"),
    [
        ({"in": 1000.5, "begun": 1002, "end": 1002.25}, 1.5, 0.25),
        ({"in": "2026-01-01T00:00:00Z", "begun": "2026-01-01T01:00:01+01:00", "end": None}, 1.0, None),
        ({"in": 1767225600000, "begun": 1767225600500, "end": "soon"}, 0.5, None),
        ({"begun": "2026-01-01T00:00:00", "end": "2026-01-01T00:00:01"}, None, None),
        ({}, None, None),
    ],
)
def test_the_services_own_instants(told, queue_s, processing_s):
    """Seconds, milliseconds, or ISO 8601 with its zone; what is missing or no instant is not known, and not guessed."""
    progress = Progress(INSTANTS, Reply(202), 0)
    assert not progress.take({"state": "queued"}, 10**9)
    assert not progress.take({"state": "running"}, 2 * 10**9)
    assert progress.take({"state": "done", "at": told}, 3 * 10**9)
    timing = progress.timing()
    assert timing.queue_ns == (-1 if queue_s is None else round(queue_s * 1e9))
    assert timing.processing_ns == (-1 if processing_s is None else round(processing_s * 1e9))


def test_a_job_never_seen_at_work_has_no_times():
    """From waiting to done between two questions: nobody knows how much of it was waiting."""
    progress = Progress(Job(), Reply(202), 0)
    progress.take({"state": "queued"}, 1)
    progress.take({"state": "done"}, 2)
    assert (progress.timing().queue_ns, progress.timing().processing_ns) == (-1, -1)


@given(st.lists(st.sampled_from(["queued", "running", "paused", "done", "failed"]), max_size=8))
def test_times_are_never_more_than_there_was(states):
    """Whatever is told in whatever order: queue and processing are within what passed, and an end is an end."""
    progress, at_ns = Progress(Job(), Reply(202), 100), 100
    for state in states:
        at_ns += 10
        if progress.take({"state": state}, at_ns):
            break
    timing = progress.timing()
    assert max(timing.queue_ns, 0) + max(timing.processing_ns, 0) <= at_ns - 100
    assert (progress.outcome is Outcome.UNKNOWN) == (not {"done", "failed"} & set(states))


@pytest.mark.parametrize("outcome", [Outcome.OK, Outcome.FAILED, Outcome.UNKNOWN])
def test_the_acceptance_is_the_acknowledgement(outcome):
    """Of a write, whatever becomes of the job: it was promised. An acceptance that is none is no acknowledgement."""
    expect = Expect(status=(202,), json={"id": "a"})
    accepted = Reply(202, (), b'{"id": "a"}')
    finding = classify(Role.WRITE, JobEnded(accepted, outcome, "why"), expect)
    assert (finding.outcome, finding.mark, finding.status) == (outcome, Mark.ACKNOWLEDGED, 202)
    finding = classify(Role.WRITE, JobEnded(Reply(202, (), b"{}"), outcome, "why"), expect)
    assert (finding.outcome, finding.mark) == (Outcome.UNKNOWN, Mark.INDETERMINATE)


def test_jobs_unfinished_at_the_end_are_unknown_and_were_promised(make_target):
    """The run ends while they wait: an unknown sample each, acknowledged in the ledger; and the backlog is told."""
    target = make_target(
        lambda asked: answer(202, asked.document) if asked.method == "POST" else answer(200, {"state": "queued"})
    )
    write = Operation(
        name="write",
        weight=1.0,
        method="POST",
        path="/jobs",
        role=Role.WRITE,
        json={"id": "${write_id}", "body": "${write_body}"},
        expect=Expect(status=(202,), json={"id": "${write_id}"}),
        timeout_s=30.0,
        job=Job(poll="/jobs/${job_id}", interval_s=0.05),
    )
    load = Load(rate=40.0, operations=(write,))
    order = LoadOrder(
        run="0badcafe", seed=1, zero_ns=time.monotonic_ns(), base_url=target.url, folder="/", load=load, max_s=0.5
    )
    memory = Memory()
    engine = Engine(order, memory, memory, memory.report)
    engine.walk()
    assert engine.operator.backlog > 0
    engine.finish(0.1)
    gevent.sleep(0.02)
    assert {(OUTCOMES[row[4]], row[7]) for row in memory.rows} == {(Outcome.UNKNOWN, IN_FLIGHT_AT_END)}
    marks = Counter(line[0] for line in memory.lines)
    assert marks == {Mark.ATTEMPTED: len(memory.rows), Mark.ACKNOWLEDGED: len(memory.rows)}
    account = engine.operator.account()["jobs"]
    assert account["accepted"] == account["backlog_end"] == account["backlog_most"] == len(memory.rows)
    assert all(row[11][1] >= -1 for row in memory.rows)

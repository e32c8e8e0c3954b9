"""What an answer means: from what the client saw to an outcome and a mark in the write ledger. Pure.

The rule that everything else follows from: *failed* is said only of what certainly had no effect, *ok* only of what was
proved by the answer, and a write of which neither is certain is *unknown*. A read has no effect, so a read that is not
ok has failed.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeAlias

from resilience.columns import Mark
from resilience.entry import body_of, parse_id
from resilience.load.fields import Document
from resilience.model import DIFFERS, OTHER_ENTRY, WRONG_TENANT, Expect, Json, Marker, Outcome, Role

NOT_FOUND = 404
OVERLOADED = (429, 503)
"""What a service answers that puts a client off for now (RFC 6585, RFC 9110)."""
RETRY_AFTER = b"retry-after"
_SHOWN = 80
_DIGITS = 9
_DATE = re.compile(r"[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT")
_NO_HEADERS: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete HTTP answer. Header names are in lower case."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...] = _NO_HEADERS
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class NotSent:
    """Certainly nothing was sent: the name was not found, the connection refused or not made in time, TLS failed."""

    reason: str


@dataclass(frozen=True, slots=True)
class Broken:
    """Something may have been sent, and no complete answer came: timeout, reset, end of stream, nonsense."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Certainly without effect: answered with an error that undoes everything, or never told to commit."""

    reason: str


def _nothing() -> Json:
    return None


@dataclass(frozen=True, slots=True)
class StoreAnswer:
    """What a store answered when it had done what it was asked.

    Attributes:
        fault: how that misses what was expected, `kind: particulars`; empty if it does not.
        entry: of a read-back: the id and the body that the store has, each None if it does not tell; None is no entry.
        document: the answer as JSON, worked out when it is asked for.
    """

    fault: str = ""
    entry: tuple[str | None, str | None] | None = None
    document: Callable[[], Json] = _nothing


@dataclass(frozen=True, slots=True)
class JobEnded:
    """A job that was accepted, and what became of it afterwards.

    Attributes:
        accepted: the answer that accepted it.
        outcome: ok if it is done; failed if it will certainly never be; unknown if nobody saw its end.
        reason: why it is not ok; empty if it is.
    """

    accepted: Reply
    outcome: Outcome
    reason: str = ""


Happened: TypeAlias = Reply | NotSent | Broken | Refused | StoreAnswer | JobEnded


@dataclass(frozen=True, slots=True)
class Timing:
    """What is known of time within an operation; −1 where nothing is.

    Attributes:
        first_ns: when the first token came, by the host's monotonic clock.
        queue_ns, processing_ns: how long a job waited, and how long it was worked on.
        tokens: how many came.
        accepted_ns: when a job was accepted, by the same clock.
    """

    first_ns: int = -1
    queue_ns: int = -1
    processing_ns: int = -1
    tokens: int = -1
    accepted_ns: int = -1


@dataclass(frozen=True, slots=True)
class Timed:
    """What happened, and when within it."""

    happened: Happened
    timing: Timing


@dataclass(frozen=True, slots=True)
class Replaced:
    """What is known, when the answer is there, of the object that a read-back looks at: it holds the last write to it.

    Attributes:
        run: whose ids they are.
        removed: the acknowledged write removed the object.
        overtaken: a later write to it has been begun, so that it may hold that one by now.
        elsewhere: whether an id is known as that of a write to another object.
    """

    run: str
    removed: bool
    overtaken: bool
    elsewhere: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Sought:
    """What a read-back must find.

    Attributes:
        entry_id: the acknowledged entry that was asked for.
        body: what was sent as its body.
        id_path, body_path: where the answer holds both; the names under which the write sends them.
        replaced: of a document; None of what stays as it was written.
    """

    entry_id: str
    body: str
    id_path: str = "id"
    body_path: str = "body"
    replaced: Replaced | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """The meaning of one operation.

    Attributes:
        mark: what the write ledger must note; None for a plain read, and for a read-back that says nothing.
        detail: empty if ok; else `kind` or `kind: particulars`, the kind being one of few constant texts.
        shed: put off in an orderly way: not done, one of `OVERLOADED`, and told when to come back.
    """

    outcome: Outcome
    mark: Mark | None = None
    status: int = 0
    degraded: bool = False
    detail: str = ""
    shed: bool = False


def classify(
    role: Role,
    happened: Happened,
    expect: Expect,
    rejected_status: Iterable[int] = (),
    *,
    degraded: Marker | None = None,
    sought: Sought | None = None,
) -> Finding:
    """Say what became of an operation.

    Args:
        role: read, write or read-back.
        happened: what the client saw.
        expect: with all names replaced.
        rejected_status: answers that certainly had no effect, by the target's contract.
        degraded: how an answer says that it is degraded.
        sought: for a read-back, the entry it asked for.
    """
    finding = _meaning(role, happened, expect, rejected_status, degraded, sought)
    later = retry_after(happened) if isinstance(happened, Reply) and finding.outcome is not Outcome.OK else ""
    # Being put off says nothing of what had been done before: a write counts as rejected only by the target's contract.
    return replace(finding, shed=True, detail=f"{finding.detail}, retry after {later}") if later else finding


def _meaning(
    role: Role,
    happened: Happened,
    expect: Expect,
    rejected_status: Iterable[int],
    degraded: Marker | None,
    sought: Sought | None,
) -> Finding:
    if isinstance(happened, NotSent | Refused):
        return Finding(Outcome.FAILED, Mark.REJECTED if role is Role.WRITE else None, detail=happened.reason)
    if isinstance(happened, Broken):
        return _uncertain(role, 0, happened.reason, degraded=False)
    if isinstance(happened, StoreAnswer):
        return _stored(role, happened, sought)
    if isinstance(happened, JobEnded):
        return _job(role, happened, expect, rejected_status, degraded)
    document = Document(happened.body)
    says_degraded = degraded is not None and _is_marked(happened, document, degraded)
    if role is Role.WRITE:
        return _write(happened, document, expect, rejected_status, degraded=says_degraded)
    if role is Role.READ_BACK and sought is not None:
        if sought.replaced is not None:
            return _document(happened, document, expect, sought, sought.replaced, degraded=says_degraded)
        return _read_back(happened, document, expect, sought, degraded=says_degraded)
    fault = _unmet(happened, document, expect)
    outcome = Outcome.FAILED if fault else Outcome.OK
    return Finding(outcome, None, happened.status, says_degraded, fault)


def retry_after(reply: Reply) -> str:
    """When an answer that puts its client off wants it back: `2 s` or `a date`; empty if it does neither.

    Source: RFC 9110, 10.2.3: a number of seconds, or a date.
    """
    if reply.status not in OVERLOADED:
        return ""
    said = next((value.decode("latin-1").strip() for name, value in reply.headers if name == RETRY_AFTER), "")
    if said.isascii() and said.isdigit():
        return f"{int(said[:_DIGITS])} s"
    return "a date" if _DATE.fullmatch(said) else ""


def _uncertain(role: Role, status: int, detail: str, *, degraded: bool) -> Finding:
    if role is Role.WRITE:
        return Finding(Outcome.UNKNOWN, Mark.INDETERMINATE, status, degraded, detail)
    return Finding(Outcome.FAILED, None, status, degraded, detail)


def _write(
    reply: Reply, document: Document, expect: Expect, rejected_status: Iterable[int], *, degraded: bool
) -> Finding:
    if reply.status in expect.status:
        fault = _unmet(reply, document, expect)
        if not fault:
            return Finding(Outcome.OK, Mark.ACKNOWLEDGED, reply.status, degraded)
        return _uncertain(Role.WRITE, reply.status, f"bad ack: {fault}", degraded=degraded)
    if reply.status in rejected_status:
        return Finding(Outcome.FAILED, Mark.REJECTED, reply.status, degraded, f"rejected: status {reply.status}")
    return _uncertain(Role.WRITE, reply.status, f"status {reply.status}", degraded=degraded)


def _read_back(reply: Reply, document: Document, expect: Expect, sought: Sought, *, degraded: bool) -> Finding:
    if reply.status == NOT_FOUND:
        detail = f"acknowledged entry not found: {sought.entry_id}"
        return Finding(Outcome.FAILED, Mark.MISSED, reply.status, degraded, detail)
    if reply.status not in expect.status:
        return _uncertain(Role.READ_BACK, reply.status, f"status {reply.status}", degraded=degraded)
    found_id, found_body = document.text_at(sought.id_path), document.text_at(sought.body_path)
    if differs := _differing(sought, found_id, found_body):
        return Finding(Outcome.FAILED, Mark.WRONG, reply.status, degraded, differs)
    if found_body is None:  # neither proof nor evidence of loss: such an answer says nothing of the stored entry
        detail = f"no body in read-back: nothing at {sought.body_path!r}"
        return Finding(Outcome.FAILED, None, reply.status, degraded, detail)
    fault = _unmet(reply, document, expect)
    return Finding(Outcome.FAILED if fault else Outcome.OK, Mark.SEEN, reply.status, degraded, fault)


def _differing(sought: Sought, found_id: str | None, found_body: str | None) -> str:
    """How an answer differs from what was written; empty if nothing in it does."""
    if found_id not in {None, sought.entry_id}:
        return f"{DIFFERS}: {sought.entry_id}{OTHER_ENTRY}{str(found_id)[:_SHOWN]}"
    return "" if found_body in {None, sought.body} else f"{DIFFERS}: {sought.entry_id}"


def _document(
    reply: Reply, document: Document, expect: Expect, sought: Sought, replaced: Replaced, *, degraded: bool
) -> Finding:
    """What an answer says of an object whose last write was acknowledged before it was asked for.

    If no later write to it has been begun, the object holds that write, or is gone if that removed it: whatever else an
    answer says is old. If one has, an answer is held against nobody unless it is nothing that was ever written there.
    """
    found_id, found_body = document.text_at(sought.id_path), document.text_at(sought.body_path)
    if reply.status == NOT_FOUND:
        if replaced.removed or replaced.overtaken:
            mark = None if replaced.overtaken else Mark.SEEN
            return Finding(Outcome.OK, mark, reply.status, degraded)
        detail = f"acknowledged entry not found: {sought.entry_id}"
        return Finding(Outcome.FAILED, Mark.MISSED, reply.status, degraded, detail)
    if reply.status not in expect.status:
        return _uncertain(Role.READ_BACK, reply.status, f"status {reply.status}", degraded=degraded)
    if found_id is None or found_body is None:
        detail = f"no id and body in read-back: at {sought.id_path!r} and {sought.body_path!r}"
        return Finding(Outcome.FAILED, None, reply.status, degraded, detail)
    elsewhere = replaced.elsewhere(found_id)
    if parse_id(found_id, replaced.run) is None or found_body != body_of(found_id) or elsewhere:
        detail = f"{DIFFERS}: {sought.entry_id}" + (f"{OTHER_ENTRY}{found_id[:_SHOWN]}" if elsewhere else "")
        return Finding(Outcome.FAILED, Mark.WRONG, reply.status, degraded, detail)
    if found_id != sought.entry_id and not replaced.overtaken:
        detail = f"{_OLD[replaced.removed]}: {sought.entry_id}"
        return Finding(Outcome.FAILED, Mark.MISSED, reply.status, degraded, detail)
    mark = Mark.SEEN if found_id == sought.entry_id else None
    fault = _unmet(reply, document, expect)
    return Finding(Outcome.FAILED if fault else Outcome.OK, mark, reply.status, degraded, fault)


_OLD = {False: "older than acknowledged", True: "there after its removal was acknowledged"}


def _job(role: Role, job: JobEnded, expect: Expect, rejected_status: Iterable[int], degraded: Marker | None) -> Finding:
    """What a job means: that it was accepted is the acknowledgement, what became of it is the outcome."""
    finding = _meaning(role, job.accepted, expect, rejected_status, degraded, None)
    return finding if finding.outcome is not Outcome.OK else replace(finding, outcome=job.outcome, detail=job.reason)


def _stored(role: Role, answer: StoreAnswer, sought: Sought | None) -> Finding:
    """What the answer of a store means. That it is not as expected does not prove that a write had no effect."""
    if role is Role.WRITE:
        if not answer.fault:
            return Finding(Outcome.OK, Mark.ACKNOWLEDGED)
        says_whose = answer.fault.startswith(WRONG_TENANT)
        return _uncertain(role, 0, answer.fault if says_whose else f"bad ack: {answer.fault}", degraded=False)
    mark = None
    if role is Role.READ_BACK and sought is not None:
        if answer.entry is None:
            return Finding(Outcome.FAILED, Mark.MISSED, detail=f"acknowledged entry not found: {sought.entry_id}")
        found_id, found_body = answer.entry
        if differs := _differing(sought, found_id, found_body):
            return Finding(Outcome.FAILED, Mark.WRONG, detail=differs)
        if found_body is None:
            return Finding(Outcome.FAILED, None, detail=answer.fault or "no body in read-back: the answer holds none")
        mark = Mark.SEEN
    return Finding(Outcome.FAILED if answer.fault else Outcome.OK, mark, detail=answer.fault)


def _unmet(reply: Reply, document: Document, expect: Expect) -> str:
    """How the answer misses what was expected; empty if it does not."""
    if reply.status not in expect.status:
        return f"status {reply.status}"
    for path, text in expect.json.items():
        found = document.text_at(path)
        if found != text:
            shown = "nothing" if found is None else repr(found[:_SHOWN])
            return f"unexpected answer: {path} is {shown}, expected {text[:_SHOWN]!r}"
    return ""


def _is_marked(reply: Reply, document: Document, marker: Marker) -> bool:
    if marker.header:
        name, value = marker.header.lower().encode(), marker.value.encode()
        if any(found == name and (not value or text.strip() == value) for found, text in reply.headers):
            return True
    if reply.status in marker.status:
        return True
    return any(document.text_at(path) == text for path, text in marker.json.items())

"""What an answer means."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.columns import Mark
from resilience.entry import body_of, format_id
from resilience.load.classify import (
    Broken,
    Finding,
    NotSent,
    Refused,
    Replaced,
    Reply,
    Sought,
    StoreAnswer,
    classify,
)
from resilience.model import Expect, Marker, Outcome, Role

ENTRY = format_id("0badcafe", 1, 0, 17)
OTHER = format_id("0badcafe", 1, 0, 18)
ECHO = Expect(status=(200, 201), json={"id": ENTRY})
GOOD = Reply(201, body=json.dumps({"id": ENTRY, "body": body_of(ENTRY)}).encode())
SOUGHT = Sought(ENTRY, body_of(ENTRY))


def meaning(role: Role, happened, expect: Expect = ECHO, rejected: tuple[int, ...] = (400, 422)) -> tuple:
    finding = classify(role, happened, expect, rejected, sought=SOUGHT if role is Role.READ_BACK else None)
    return finding.outcome, finding.mark


def stored(**document) -> Reply:
    return Reply(200, body=json.dumps(document).encode())


OK = (Outcome.OK, None)
FAILED = (Outcome.FAILED, None)
ACKNOWLEDGED = (Outcome.OK, Mark.ACKNOWLEDGED)
REJECTED = (Outcome.FAILED, Mark.REJECTED)
UNCERTAIN = (Outcome.UNKNOWN, Mark.INDETERMINATE)
SEEN = (Outcome.OK, Mark.SEEN)
MISSED = (Outcome.FAILED, Mark.MISSED)
WRONG = (Outcome.FAILED, Mark.WRONG)

# what happened, and what it means for a write, a read, a read-back
ROWS = [
    (NotSent("connection refused"), REJECTED, FAILED, FAILED),
    (Broken("timeout"), UNCERTAIN, FAILED, FAILED),
    (GOOD, ACKNOWLEDGED, OK, SEEN),
    (Reply(201), UNCERTAIN, FAILED, FAILED),
    (Reply(201, body=GOOD.body[:-9]), UNCERTAIN, FAILED, FAILED),
    (Reply(200, body=b"[" * 100_000), UNCERTAIN, FAILED, FAILED),
    (Reply(200, body=b"\xff\xfe"), UNCERTAIN, FAILED, FAILED),
    (
        stored(id=OTHER, body=body_of(OTHER)),
        UNCERTAIN,
        FAILED,
        WRONG,
    ),
    (
        stored(id=ENTRY, body=body_of(OTHER)),
        ACKNOWLEDGED,  # an acknowledgement need not repeat the body
        OK,
        WRONG,
    ),
    (stored(id=ENTRY), ACKNOWLEDGED, OK, FAILED),
    (Reply(404), UNCERTAIN, FAILED, MISSED),
    (Reply(400), REJECTED, FAILED, FAILED),
    (Reply(422, body=GOOD.body), REJECTED, FAILED, FAILED),
]


@pytest.mark.parametrize(
    ("role", "happened", "expected"),
    [
        pytest.param(role, row[0], row[column], id=f"{role.value}-{number}")
        for number, row in enumerate(ROWS)
        for column, role in enumerate((Role.WRITE, Role.READ, Role.READ_BACK), start=1)
    ],
)
def test_every_row_of_the_table(role, happened, expected):
    """Each kind of answer means, for each role, what the classification table says (Requirement J4)."""
    assert meaning(role, happened) == expected


@pytest.mark.parametrize("role", Role)
def test_every_status_that_nobody_declared_is_uncertain_for_a_write_and_a_failure_for_a_read(role):
    """No undeclared status (500, 502, 503, 504, 429, redirects, anything) may ever count as ok or as rejected."""
    for status in set(range(200, 600)) - {200, 201, 400, 404, 422}:
        outcome, mark = meaning(role, Reply(status, body=GOOD.body))
        if role is Role.WRITE:
            assert (outcome, mark) == (Outcome.UNKNOWN, Mark.INDETERMINATE)
        else:
            assert (outcome, mark) == (Outcome.FAILED, None)


@given(
    role=st.sampled_from(Role),
    happened=st.one_of(
        st.builds(NotSent, st.text()),
        st.builds(Broken, st.text()),
        st.builds(
            Reply, st.integers(100, 599), st.just(()), st.one_of(st.binary(), st.sampled_from([GOOD.body, b"{}"]))
        ),
    ),
    rejected=st.lists(st.integers(100, 599)),
)
def test_outcome_and_mark_never_contradict_each_other(role, happened, rejected):
    """Whatever happens: a write's mark follows from its outcome, a plain read has no mark, only ok has no detail."""
    finding = classify(role, happened, ECHO, rejected, sought=SOUGHT if role is Role.READ_BACK else None)
    marks = {
        Outcome.OK: Mark.ACKNOWLEDGED,
        Outcome.FAILED: Mark.REJECTED,
        Outcome.UNKNOWN: Mark.INDETERMINATE,
    }
    if role is Role.WRITE:
        assert finding.mark is marks[finding.outcome]
    else:
        assert finding.outcome in {Outcome.OK, Outcome.FAILED}
    if role is Role.READ:
        assert finding.mark is None
    if finding.outcome is Outcome.OK:
        assert not finding.detail


def test_an_acknowledgement_without_the_echo_is_called_a_bad_ack():
    """The detail of an expected status without the echoed id begins with `bad ack`."""
    finding = classify(Role.WRITE, Reply(200, body=b"{}"), ECHO)
    assert finding.detail.startswith("bad ack: ")
    assert finding.status == 200


def test_a_missing_acknowledged_entry_is_named():
    """Whoever reads the sample finds the id of the entry that a read-back did not find."""
    assert ENTRY in classify(Role.READ_BACK, Reply(404), ECHO, sought=SOUGHT).detail


def test_a_read_back_that_is_intact_but_not_as_expected_is_seen_and_failed():
    """An intact entry is evidence that it is stored, even if the answer misses something else that was expected."""
    expect = Expect(json={"id": ENTRY, "state": "placed"})
    document = {"id": ENTRY, "body": body_of(ENTRY), "state": "lost"}
    finding = classify(Role.READ_BACK, stored(**document), expect, sought=SOUGHT)
    assert (finding.outcome, finding.mark) == (Outcome.FAILED, Mark.SEEN)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(200, ((b"x-degraded", b"1"),)), True),
        (Reply(200, body=b'{"degraded": true}'), True),
        (Reply(200, body=b'{"degraded": false}'), False),
        (Reply(200, body=b'{"degraded": "true"}'), True),
        (Reply(200), False),
        (Reply(503, body=b'{"degraded": true}'), True),
    ],
)
def test_degraded_is_read_from_a_header_or_the_body(reply, expected):
    """Requirement J1: an answer is degraded if it has the marker's header or its JSON value, and only then."""
    marker = Marker(header="X-Degraded", json={"degraded": "true"})
    assert classify(Role.READ, reply, Expect(), degraded=marker).degraded is expected


def test_a_marker_may_ask_for_the_text_of_its_header_or_for_a_status():
    """Requirement J1: with a value the header must hold it; a status says it by itself."""
    named = Marker(header="X-Source", value="replica")
    for text, expected in ((b"replica", True), (b" replica ", True), (b"primary", False)):
        reply = Reply(200, ((b"x-source", text),))
        assert classify(Role.READ, reply, Expect(), degraded=named).degraded is expected
    partial = Marker(status=(203,))
    for status, expected in ((203, True), (200, False)):
        found = classify(Role.READ, Reply(status), Expect(status=(200, 203)), degraded=partial)
        assert (found.outcome, found.degraded) == (Outcome.OK, expected)


def test_a_plain_answer_carries_its_status():
    """Status and outcome of an ordinary good read."""
    assert classify(Role.READ, Reply(200), Expect()) == Finding(Outcome.OK, None, 200)


@pytest.mark.parametrize(
    ("status", "headers", "later"),
    [
        (503, {"retry-after": "2"}, "2 s"),
        (429, {"retry-after": " 0 "}, "0 s"),
        (503, {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, "a date"),
        (503, {}, ""),
        (429, {"retry-after": ""}, ""),
        (503, {"retry-after": "soon"}, ""),
        (503, {"retry-after": "-1"}, ""),
        (503, {"retry-after": "²"}, ""),
        (500, {"retry-after": "2"}, ""),
    ],
)
def test_shed_is_a_refusal_that_says_when_to_come_back(status, headers, later):
    """Requirement J1: 429 or 503 with a `Retry-After` that RFC 9110 allows is shed in order; anything else is not."""
    named = tuple((name.encode(), value.encode("latin-1")) for name, value in headers.items())
    read = classify(Role.READ, Reply(status, named), Expect())
    detail = f"status {status}, retry after {later}" if later else f"status {status}"
    assert read == Finding(Outcome.FAILED, None, status, detail=detail, shed=bool(later))
    write = classify(Role.WRITE, Reply(status, named), ECHO)
    assert (write.outcome, write.shed) == (Outcome.UNKNOWN, bool(later)), "only the contract makes it rejected"
    contract = classify(Role.WRITE, Reply(status, named), ECHO, (status,))
    assert (contract.outcome, contract.mark, contract.shed) == (Outcome.FAILED, Mark.REJECTED, bool(later))


def test_what_was_expected_is_not_shed():
    """A 429 that the file accepts is an ordinary good answer."""
    reply = Reply(429, ((b"retry-after", b"1"),))
    assert classify(Role.READ, reply, Expect(status=(429,))) == Finding(Outcome.OK, None, 429)


BODY = body_of(ENTRY)


@pytest.mark.parametrize(
    ("role", "happened", "expected"),
    [
        (Role.READ, StoreAnswer(), OK),
        (Role.READ, StoreAnswer("unexpected answer: 0 rows"), FAILED),
        (Role.READ, Refused("sqlstate 40001: x"), FAILED),
        (Role.WRITE, StoreAnswer(), ACKNOWLEDGED),
        (Role.WRITE, StoreAnswer("unexpected answer: 0 rows"), UNCERTAIN),
        (Role.WRITE, Refused("sqlstate 40001: x"), REJECTED),
        (Role.READ_BACK, StoreAnswer(entry=None), (Outcome.FAILED, Mark.MISSED)),
        (Role.READ_BACK, StoreAnswer(entry=(ENTRY, BODY)), (Outcome.OK, Mark.SEEN)),
        (Role.READ_BACK, StoreAnswer(entry=(None, BODY)), (Outcome.OK, Mark.SEEN)),
        (Role.READ_BACK, StoreAnswer("unexpected answer: 2 rows", (ENTRY, BODY)), (Outcome.FAILED, Mark.SEEN)),
        (Role.READ_BACK, StoreAnswer(entry=(OTHER, BODY)), (Outcome.FAILED, Mark.WRONG)),
        (Role.READ_BACK, StoreAnswer(entry=(ENTRY, "torn")), (Outcome.FAILED, Mark.WRONG)),
        (Role.READ_BACK, StoreAnswer(entry=(ENTRY, None)), FAILED),
        (Role.READ_BACK, Refused("sqlstate 57014: x"), FAILED),
    ],
)
def test_what_a_store_answers(role, happened, expected):
    """An error before the commit is certain; an acknowledgement that is not as expected proves nothing."""
    assert meaning(role, happened) == expected


def test_a_foreign_row_keeps_its_name():
    """Also in the answer to a write, where it is not called a bad acknowledgement: the verdict looks for it."""
    for role in (Role.READ, Role.WRITE):
        assert classify(role, StoreAnswer("wrong tenant: x"), ECHO).detail == "wrong tenant: x"
    assert classify(Role.WRITE, StoreAnswer("unexpected answer: x"), ECHO).detail == "bad ack: unexpected answer: x"


LAST, LATER = (
    Replaced("0badcafe", removed=False, overtaken=late, elsewhere=lambda found: found.endswith("99"))
    for late in (False, True)
)
GONE, AGAIN = (Replaced("0badcafe", removed=True, overtaken=late, elsewhere=lambda _: False) for late in (False, True))
ELSEWHERE = format_id("0badcafe", 1, 0, 99)
NOWHERE = Reply(404)


@pytest.mark.parametrize(
    ("replaced", "happened", "means"),
    [
        (LAST, stored(id=ENTRY, body=body_of(ENTRY)), SEEN),
        (LAST, stored(id=OTHER, body=body_of(OTHER)), MISSED),
        (LAST, NOWHERE, MISSED),
        (LATER, stored(id=ENTRY, body=body_of(ENTRY)), SEEN),
        (LATER, stored(id=OTHER, body=body_of(OTHER)), OK),
        (LATER, NOWHERE, OK),
        (GONE, NOWHERE, SEEN),
        (GONE, stored(id=OTHER, body=body_of(OTHER)), MISSED),
        (AGAIN, NOWHERE, OK),
        (AGAIN, stored(id=OTHER, body=body_of(OTHER)), OK),
        *((any_, stored(id=ENTRY, body=body_of(ENTRY)[:50]), WRONG) for any_ in (LAST, LATER, GONE, AGAIN)),
        *((any_, stored(id=ENTRY, body=body_of(OTHER)), WRONG) for any_ in (LAST, LATER)),
        *((any_, stored(id="somebody", body="x"), WRONG) for any_ in (LAST, LATER)),
        *((any_, stored(id=ELSEWHERE, body=body_of(ELSEWHERE)), WRONG) for any_ in (LAST, LATER)),
        *((any_, stored(id=ENTRY), FAILED) for any_ in (LAST, LATER, GONE)),
        *((any_, Reply(503), FAILED) for any_ in (LAST, LATER, GONE)),
    ],
)
def test_a_document_that_is_read_back_is_what_the_last_write_made_of_it(replaced, happened, means):
    """Requirement J4: older is missed, if nothing newer can be there; what was never written there is wrong."""
    sought = Sought(ENTRY, body_of(ENTRY), replaced=replaced)
    finding = classify(Role.READ_BACK, happened, Expect(), sought=sought)
    assert (finding.outcome, finding.mark) == means


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ({"id": OTHER, "body": body_of(OTHER)}, f"acknowledged entry differs: {ENTRY}; it is {OTHER}"),
        ({"id": ENTRY, "body": "cut"}, f"acknowledged entry differs: {ENTRY}"),
    ],
)
def test_another_entry_is_told_from_another_body(found, says):
    """Requirement J4: an answer that belongs to another request is not one that is damaged."""
    assert classify(Role.READ_BACK, stored(**found), Expect(), sought=SOUGHT).detail == says

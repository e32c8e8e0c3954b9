"""k6's JSON output, line by line: what becomes an operation, when it began, what a check changes, what is not known."""

import json
from datetime import UTC, datetime

import pytest

from resilience.errors import LoadError
from resilience.load.scripts.k6 import HELD_NS, K6Reader
from resilience.model import Outcome

ZERO = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
ZERO_NS = int(ZERO.timestamp()) * 1_000_000_000
S = 1_000_000_000


def instant(at_s: float) -> str:
    """As k6 writes it, in UTC, with zeros at the end left out."""
    seconds, nanos = divmod(round(at_s * S), S)
    head = datetime.fromtimestamp(ZERO_NS // S + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f"{nanos:09d}".rstrip("0")
    return f"{head}.{fraction}Z" if fraction else f"{head}Z"


def point(metric, at_s, value, vu="1", **tags) -> bytes:
    """One line."""
    data = {"time": instant(at_s), "value": value, "tags": {"scenario": "s", **tags}, "metadata": {"vu": vu}}
    return json.dumps({"metric": metric, "type": "Point", "data": data}, separators=(",", ":")).encode()


def request(at_s, duration_ms=5.0, blocked_ms=0.0, vu="1", **tags):
    """The lines of one request, among them some that say nothing."""
    usual = {"method": "GET", "name": "read", "status": "200", "expected_response": "true", **tags}
    return [
        point(metric, at_s, value, vu, **usual)
        for metric, value in (
            ("http_reqs", 1),
            ("http_req_duration", duration_ms),
            ("http_req_blocked", blocked_ms),
            ("http_req_waiting", duration_ms),
            ("http_req_failed", 0),
        )
    ]


class Read:
    """What a reader makes of lines."""

    def __init__(self, *lines, **options):
        self.seen = []
        self.reader = K6Reader(self.seen.append, **options)
        self.reader.wall_ns = ZERO_NS
        self.take(*lines)

    def take(self, *lines):
        """Read these."""
        for line in lines:
            self.reader.take(line)

    def all(self):
        """Everything, at the end."""
        self.reader.finish()
        return self.seen


def test_an_operation_began_before_it_waited_for_a_connection():
    """Requirement L10: instants are those of the run, to the nanosecond, of what the client waited for."""
    (seen,) = Read(*request(2.5, duration_ms=20.0, blocked_ms=1.5)).all()
    assert (seen.name, seen.outcome, seen.status, seen.detail) == ("read", Outcome.OK, 200, "")
    assert seen.end_ns == 2_500_000_000
    assert seen.start_ns == 2_500_000_000 - 21_500_000


@pytest.mark.parametrize(
    ("tags", "outcome", "detail"),
    [
        ({"status": "503", "error_code": "1503", "expected_response": "false"}, Outcome.FAILED, "status 503"),
        (
            {"status": "503", "error_code": "1503", "expected_response": "false", "method": "POST"},
            Outcome.UNKNOWN,
            "status 503",
        ),
        (
            {"status": "0", "error_code": "1050", "error": "request timeout", "expected_response": "false"},
            Outcome.FAILED,
            "request timeout",
        ),
        (
            {"status": "0", "error_code": "1220", "error": "reset", "expected_response": "false", "method": "PUT"},
            Outcome.UNKNOWN,
            "reset",
        ),
        (
            {"status": "0", "error_code": "1212", "error": "refused", "expected_response": "false", "method": "PUT"},
            Outcome.FAILED,
            "refused",
        ),
        ({"status": "404", "expected_response": "true"}, Outcome.OK, ""),
    ],
)
def test_an_outcome_is_what_k6_and_the_method_say(tags, outcome, detail):
    """What the script expects is ok, also a 404; of a write that was sent and went wrong nobody knows the effect."""
    (seen,) = Read(*request(1.0, **tags)).all()
    assert (seen.outcome, seen.detail) == (outcome, detail)


def test_without_an_expectation_the_status_decides():
    """A script can take k6's expectation away."""
    line = request(1.0, status="500", error_code="1500")
    lines = [each.replace(b',"expected_response":"true"', b"") for each in line]
    (seen,) = Read(*lines).all()
    assert seen.outcome is Outcome.FAILED


def test_a_failed_check_is_about_the_last_request_of_its_virtual_user():
    """An answer that the script calls wrong was not ok, whatever its status; others are not touched."""
    read = Read(
        *request(1.0, vu="1"),
        *request(1.001, vu="2"),
        point("checks", 1.002, 1, "1", check="status is 200"),
        point("checks", 1.003, 0, "1", check="it is the item"),
        *request(1.01, vu="1", method="POST", name="write"),
        point("checks", 1.02, 0, "1", check="it is the item"),
    )
    found = sorted(read.all(), key=lambda seen: seen.end_ns)
    assert [(seen.name, seen.outcome, seen.detail) for seen in found] == [
        ("read", Outcome.FAILED, "check: it is the item"),
        ("read", Outcome.OK, ""),
        ("write", Outcome.UNKNOWN, "check: it is the item"),
    ]
    assert read.reader.account()["checks"] == {
        "status is 200": {"passes": 1, "fails": 0},
        "it is the item": {"passes": 0, "fails": 2},
    }


def test_a_check_that_fails_late_is_not_lost():
    """A request is not held back for ever, and a check that comes later fails something all the same."""
    read = Read(*request(1.0))
    read.reader.age(round(1.0 * S) + HELD_NS + 1)
    read.take(point("checks", 4.0, 0, check="late"))
    assert [(seen.name, seen.outcome) for seen in read.all()] == [("read", Outcome.OK), ("checks", Outcome.FAILED)]


def test_dropped_iterations_are_dropped_operations():
    """What was due and not begun is counted, each by itself."""
    found = Read(point("dropped_iterations", 3.0, 2)).all()
    assert [seen.outcome for seen in found] == [Outcome.DROPPED] * 2
    assert {(seen.name, seen.start_ns, seen.end_ns) for seen in found} == {("dropped-iterations", 3 * S, 3 * S)}


def test_calls_by_grpc_and_sockets_are_operations():
    """What is not HTTP is read as far as k6 tells of it one by one."""
    found = Read(
        point("grpc_req_duration", 1.0, 10.0, name="shop.Orders/Place", method="shop", status="0"),
        point("grpc_req_duration", 2.0, 10.0, name="shop.Orders/Place", method="shop", status="14"),
        point("ws_connecting", 3.0, 4.0, status="101"),
    ).all()
    assert [(seen.name, seen.outcome) for seen in found] == [
        ("shop-orders-place", Outcome.OK),
        ("shop-orders-place", Outcome.UNKNOWN),
        ("ws-connect", Outcome.OK),
    ]


def test_the_set_up_of_a_script_is_told_apart():
    """Requests of setup() and teardown() are no operation of the load."""
    (seen,) = Read(*request(0.5, group="::setup")).all()
    assert seen.name == "setup-read"


@pytest.mark.parametrize("line", [b'{"metric":"http_req_duration","type":"Point","da', b"null", b"{}", b"WARN: x"])
def test_what_is_not_k6s_is_an_error(line):
    """A line that cannot be read is not passed over: who knows what was in it."""
    with pytest.raises(LoadError, match="cannot be understood"):
        Read(line)


def test_that_a_duration_is_not_known_is_a_problem():
    """k6 says 0 ms of what failed before it had a connection, a time-out of seconds included: 0 would look quick."""
    tags = {"status": "0", "error_code": "1211", "error": "dial: i/o timeout", "expected_response": "false"}
    read = Read(*request(9.0, duration_ms=0, **tags))
    assert "does not tell when 1 operations began" in str(read.reader.problems(0, 0))
    refused = Read(*request(9.0, duration_ms=0, **{**tags, "error_code": "1212"}))
    assert refused.reader.problems(0, 0) == []


def test_fewer_iterations_told_than_completed_is_a_problem():
    """k6 counts what it completed, and so do we: data that got lost on the way is noticed."""
    read = Read(point("iterations", 1.0, 1), point("iterations", 2.0, 1))
    read.reader.say("running (0m03.3s), 0/3 VUs, 2 complete and 1 interrupted iterations")
    assert read.reader.problems(0, 0) == []
    read.reader.say("running (0m03.3s), 0/3 VUs, 3 complete and 1 interrupted iterations")
    assert "completed 3 iterations and told of 2" in str(read.reader.problems(0, 0))


def test_a_user_that_begins_again_at_once_and_says_nothing_is_busy():
    """What k6 cuts off it does not tell. A user that hangs in a request at the end must not look like none."""
    lines = [line for number in range(20) for vu in "12" for line in request(number * 0.1, vu=vu)]
    options = {"waiting": ["s"], "restless": {"s": 60.0}, "settled_ns": 10 * S}
    well = Read(*lines, *request(2.6, vu="1"), *request(2.6, vu="2"), **options)
    assert well.reader.waiting(round(2.5 * S)) == 0
    assert well.reader.problems(round(2.5 * S), 5 * S) == []
    hung = Read(*lines, *request(2.6, vu="1"), **options)
    assert hung.reader.waiting(round(2.5 * S)) == 1
    assert "1 of 2 virtual users" in str(hung.reader.problems(round(2.5 * S), 5 * S))
    ends = [point("iteration_duration", 2.0, 1.0, vu) for vu in "12"]
    assert "2 of 2 virtual users" in str(Read(*lines, *ends, **options).reader.problems(round(2.5 * S), 5 * S))
    over = Read(*lines, *ends, **{**options, "restless": {"s": 2.4}})
    assert over.reader.problems(round(2.5 * S), 5 * S) == [], "a scenario that is over begins nothing"


def test_a_user_in_the_middle_of_an_iteration_is_busy_whatever_its_scenario():
    """An iteration that was begun, and of which nothing more was told."""
    lines = [
        line
        for number in range(20)
        for line in (*request(number * 0.1), point("iteration_duration", number * 0.1 + 0.01, 10.0))
    ]
    ended = Read(*lines, settled_ns=10 * S)
    assert ended.reader.problems(3 * S, 6 * S) == []
    begun = Read(*lines, *request(2.0), settled_ns=10 * S)
    assert "1 of 1 virtual users" in str(begun.reader.problems(3 * S, 6 * S))


def test_a_user_that_does_not_take_its_turn_is_busy():
    """Users who wait for work take turns. When all others have had theirs twice over, one that had none is busy."""

    def turn(at_s, vu):
        return (
            *request(at_s, vu=vu),
            point("iteration_duration", at_s, 1.0, vu),
            point("iterations", at_s, 1, vu),
        )

    before = [line for number in range(30) for line in turn(number * 0.1, str(number % 3))]
    read = Read(*before, settled_ns=10 * S)
    assert read.reader.waiting(4 * S) == 0
    read.take(*turn(4.1, "0"))
    assert read.reader.waiting(4 * S) == 2, "their turn may still come"
    for number in range(1, 7):
        read.take(*turn(4.1 + number / 10, str(number % 2)))
    assert "1 of 3 virtual users" in str(read.reader.problems(4 * S, 5 * S))


def test_memory_does_not_grow_with_requests():
    """What is kept is per virtual user, not per request."""
    read = Read()
    for number in range(2000):
        read.take(*request(number / 100, vu=str(number % 5)))
    assert len(read.reader._users) == 5
    assert len(read.seen) >= 1995


def test_a_k6_that_stood_still_is_told():
    """k6 says each second how many users there are, whatever they do: a longer silence is its own, not the target's."""
    read = Read(*(point("vus", at_s, 5) for at_s in (1.0, 2.0, 3.02, 7.0, 8.0)))
    ((at_s, length_s),) = read.reader.beats.stalls
    assert (at_s, length_s) == pytest.approx((4.02, 2.98))

"""What our plugin in Artillery tells, line by line."""

import json

import pytest

from resilience.errors import LoadError
from resilience.load.scripts.artillery import ArtilleryReader
from resilience.model import Outcome

ZERO = 5_000_000_000


def read(*documents):
    """What a reader makes of these, and the reader."""
    seen = []
    reader = ArtilleryReader(seen.append, ZERO)
    for document in documents:
        reader.take(json.dumps(document).encode())
    return seen, reader


def begun(number, at_ns, method="GET", name="read item"):
    """A request begins."""
    return {"b": f"id{number}", "t": str(ZERO + at_ns), "m": method, "u": "http://h/items/5", "n": name}


def test_an_answer_ends_what_was_begun():
    """Requirement L10: one request is one operation, with the instants of the monotonic clock as they are."""
    seen, _ = read(begun(1, 100), begun(2, 150, name=""), {"e": "id1", "t": str(ZERO + 300), "s": 200})
    (one,) = seen
    assert (one.name, one.start_ns, one.end_ns, one.outcome, one.status) == ("read-item", 100, 300, Outcome.OK, 200)


@pytest.mark.parametrize(
    ("method", "end", "outcome", "detail"),
    [
        ("GET", {"e": "id1", "s": 500}, Outcome.FAILED, "status 500"),
        ("POST", {"e": "id1", "s": 500}, Outcome.UNKNOWN, "status 500"),
        ("GET", {"e": "id1", "s": 200, "x": "a match failed"}, Outcome.FAILED, "a match failed"),
        ("GET", {"e": "id1", "s": 404, "g": 1}, Outcome.OK, ""),
        ("POST", {"f": "id1", "c": "ECONNREFUSED"}, Outcome.FAILED, "ECONNREFUSED"),
        ("POST", {"f": "id1", "c": "ETIMEDOUT"}, Outcome.UNKNOWN, "ETIMEDOUT"),
        ("POST", {"f": "id1", "c": "ECONNREFUSED", "s": 1}, Outcome.UNKNOWN, "ECONNREFUSED"),
    ],
)
def test_an_outcome_is_what_artillery_and_the_method_say(method, end, outcome, detail):
    """A capture that fails is a wrong answer; a write that was sent and went wrong is unknown."""
    seen, _ = read(begun(1, 0, method), {**end, "t": str(ZERO + 10)})
    assert [(one.outcome, one.detail) for one in seen] == [(outcome, detail)]


def test_what_is_in_flight_at_the_end_is_not_lost():
    """A request that hangs when the load ends was offered, and did not end."""
    seen, reader = read(begun(1, 0), begun(2, 50, "POST"), {"e": "id1", "t": str(ZERO + 90), "s": 200})
    assert (reader.in_flight, reader.waiting(60), reader.waiting(40)) == (1, 1, 0)
    reader.finish()
    assert [(one.outcome, one.detail) for one in seen[1:]] == [(Outcome.UNKNOWN, "in flight at the end")]
    assert reader.account() == {"in_flight_at_end": 1}


def test_skipped_virtual_users_are_dropped():
    """What was due while there were maxVusers is counted; when exactly, Artillery does not say."""
    seen, _ = read({"k": 2, "t": str(ZERO + 400), "p": str(ZERO)})
    assert [(one.outcome, one.start_ns) for one in seen] == [(Outcome.DROPPED, 100), (Outcome.DROPPED, 300)]


def test_what_the_plugin_cannot_see_keeps_the_verdict_from_passing():
    """A scenario by another engine is load that nobody sees."""
    _, reader = read({"v": 1}, {"w": "scenarios by the engine ws are not seen"})
    assert reader.problems(0, 0) == ["scenarios by the engine ws are not seen"]
    assert read({"v": 1})[1].problems(0, 0) == []
    assert "did not load the plugin" in str(read()[1].problems(0, 0))


@pytest.mark.parametrize("line", [b"{", b"[]", b'{"e":"nobody","t":"6000000000","s":200}', b'{"b":"x"}'])
def test_what_is_not_the_plugins_is_an_error(line):
    """A line that cannot be read, or ends what was never begun, is not passed over."""
    with pytest.raises(LoadError, match="cannot be understood"):
        ArtilleryReader(lambda _: None, ZERO).take(line)


def test_a_worker_that_stood_still_is_told():
    """Each worker has a heart of its own."""
    beats = [{"h": worker, "t": str(ZERO + at_s * 10**9)} for worker in (1, 2) for at_s in (1, 2, 3)]
    assert read(*beats)[1].beats.stalls == []
    assert read(*beats, {"h": 1, "t": str(ZERO + 8 * 10**9)})[1].beats.stalls == [[4.0, 4.0]]

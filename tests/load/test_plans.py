"""What is known of an operation before the run."""

import time

import pytest

from resilience.errors import LoadError
from resilience.load.classify import Reply
from resilience.load.flows import Attempt, Slot
from resilience.load.kinds import Kinds
from resilience.load.operate import Operator
from resilience.load.plans import plans_of
from resilience.model import Expect, Load, LoadOrder, Marker, Operation, Role

URL = "http://127.0.0.1:9"


def order(*operations: Operation) -> LoadOrder:
    """An order that is never carried out."""
    load = Load(rate=1.0, operations=operations, max_in_flight=2)
    return LoadOrder(run="0badcafe", seed=1, zero_ns=0, base_url=URL, folder="/", load=load, max_s=1.0)


def plan(**changes):
    """The plan of one operation."""
    whole = order(Operation(**{"name": "a", "weight": 1.0, "method": "GET", "path": "/x", **changes}))
    return plans_of(whole, Kinds(whole), ())[0]


def test_what_never_varies_is_rendered_once():
    """A read without names has its bytes before the run; a write has an entry of its own each time."""
    assert plan().constant.content.startswith(b"GET /x HTTP/1.1\r\n")
    assert plan(path="/x/${key}").constant is None
    assert plan(role=Role.WRITE, method="POST").constant is None


@pytest.mark.parametrize(
    ("changes", "alone"),
    [
        ({}, True),
        ({"expect": Expect(status=(200, 404))}, True),
        ({"degraded": Marker(status=(203,))}, True),
        ({"expect": Expect(json={"id": "1"})}, False),
        ({"degraded": Marker(header="X-Stale")}, False),
        ({"degraded": Marker(json={"stale": "true"})}, False),
        ({"role": Role.WRITE, "method": "POST"}, False),
    ],
)
def test_an_answer_is_judged_by_its_status_alone_only_if_nothing_else_counts(changes, alone):
    """Whatever looks into the body or the headers, and every write, is judged answer by answer."""
    assert plan(**changes).by_status is alone


def test_every_problem_of_an_operation_is_told():
    """What cannot be sent is refused before the run."""
    with pytest.raises(LoadError, match="does not begin with /"):
        plan(path="x")


class Replies:
    """A caller that answers with what it is given."""

    def __init__(self, *replies) -> None:
        self._replies = list(replies)

    def call(self, _request, _timeout_s):
        """The next one."""
        return self._replies.pop(0)

    def close(self) -> None:
        """Nothing is held."""


def test_a_remembered_meaning_is_the_one_that_would_be_found_again():
    """The same status means the same again; one that puts off is looked at each time: its headers say for how long."""
    rows: list[tuple] = []

    class Memory:
        def add(self, *row, **_) -> None:
            rows.append(row)

        def note(self, *_) -> None: ...

    whole = order(Operation(name="a", weight=1.0, method="GET", path="/x"))
    operator = Operator(whole, Memory(), Memory(), None, {})
    slot = Slot(0)
    later = ((b"retry-after", b"7"),)
    replies = Reply(200), Reply(503, later), Reply(503), Reply(404), Reply(404), Reply(200), Reply(503, later)
    slot.callers[operator._plans[0]] = Replies(*replies)
    for _ in replies:
        attempt = operator.attempt(0, time.monotonic_ns(), 0)
        assert isinstance(attempt, Attempt)
        operator.operate(attempt, slot)
    put_off = "status 503, retry after 7 s"
    assert [row[7] for row in rows] == ["", put_off, "status 503", "status 404", "status 404", "", put_off]
    assert [row[8] for row in rows] == [False, True, False, False, False, False, True]  # shed

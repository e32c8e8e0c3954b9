"""What a script means wherever it ends: read off what had been sent by then, and never from how it ended."""

import pytest

from resilience.load.classify import Broken, Refused
from resilience.load.sql import Prepared
from resilience.load.transact import Call
from resilience.model import Operation, Role, Sql, SqlStatement


class Told:
    """A connection that notes what is sent."""

    def __init__(self):
        self.sent = []

    def send_prepare(self, name, _text):
        """Noted."""
        self.sent.append(b"prepare " + name)

    def send_query(self, command):
        """Noted."""
        self.sent.append(command)

    def send_query_prepared(self, name, _values):
        """Noted."""
        self.sent.append(b"execute " + name)


class Result:
    """An answer without rows."""

    status = None
    command_tuples = 1

    def __init__(self, said):
        self.command_status = said


def begun(*statements):
    """A script on a new connection: what was sent, the call, and its steps."""
    if len(statements) == 1:
        sql = Sql(statement=statements[0])
    else:
        sql = Sql(statements=tuple(SqlStatement(statement=one) for one in statements))
    script = Prepared(Operation(name="x", weight=1, role=Role.WRITE, sql=sql)).request({"write_id": "a"})
    pg = Told()
    call = Call(pg, set(), script)
    return pg.sent, call, call.steps()


ALONE = [b"prepare x-0", b"execute x-0"]
TOGETHER = [b"prepare x-0", b"prepare x-1", b"BEGIN", b"execute x-0", b"execute x-1", b"COMMIT"]


@pytest.mark.parametrize(("statements", "order"), [(["INSERT"], ALONE), (["INSERT", "UPDATE"], TOGETHER)])
def test_an_end_after_each_step(statements, order):
    """Certain until what takes effect by itself was sent, uncertain from then on (Requirement L7)."""
    for last in range(1, len(order) + 1):
        sent, call, steps = begun(*statements)
        next(steps)
        for _ in range(last - 1):
            steps.send(Result(b"x"))
        assert sent == order[:last]
        certain = last < len(order)
        assert call.ended("gone") == (Refused("gone, before commit") if certain else Broken("gone"))
        steps.close()


def test_a_commit_that_says_rollback_is_none():
    """The server had given the transaction up without another error."""
    _, _, steps = begun("INSERT", "UPDATE")
    next(steps)
    for _ in range(5):
        steps.send(Result(b"x"))
    with pytest.raises(StopIteration) as stop:
        steps.send(Result(b"ROLLBACK"))
    assert stop.value.value == Refused("not committed: the transaction had failed")


def test_statements_are_prepared_once_on_a_connection():
    """The second call executes at once."""
    sql = Sql(statement="INSERT")
    script = Prepared(Operation(name="x", weight=1, sql=sql)).request({})
    pg, prepared = Told(), set()
    for _ in range(2):
        steps = Call(pg, prepared, script).steps()
        next(steps)
        if len(pg.sent) == 1:
            steps.send(Result(b"x"))
        steps.close()
    assert pg.sent == [b"prepare x-0", b"execute x-0", b"execute x-0"]

"""Subscribers against scripted servers: every connection, message and loss is a sample and a line of the receipts."""

import json
import time
from pathlib import Path

import gevent
import pytest

from resilience.columns import Mark
from resilience.entry import body_of, format_id
from resilience.load.operate import IN_FLIGHT_AT_END, Operator
from resilience.load.published import Published
from resilience.load.subscribers import Subscribers
from resilience.model import OUTCOMES, Account, Effect, Load, LoadOrder, Operation, Outcome, Subscription, Truth
from resilience.record.receipts import Joined, ReceiptWriter, read_receipts, receipts_of
from tests.load.sockets import Scripted, close_frame, frame, read_frame
from tests.load.test_engine import Memory

RUN = "0badcafe"
ACCOUNT = Account(name="feed", effect=Effect.STREAM, truth=Truth(subscription="deliver"))
RESUME = {"offset": "${offset}", "epoch": "${epoch}"}


class Books:
    """Lines of an account, kept."""

    def __init__(self) -> None:
        self.lines: list[tuple] = []

    def note(self, *line) -> None:
        """Keep a line."""
        self.lines.append(line)


class Scene:
    """One subscription carried out in this process, beside a scripted server."""

    def __init__(self, folder: Path, url: str, **more) -> None:
        options = {"connections": 1, "subscribe": {}, "resume": RESUME, "confirmed": {"type": "subscribed"}}
        options |= {"retry_s": 0.02, "retry_limit_s": 0.05, "timeout_s": 2.0, "settle_s": 2.0, "ping_s": 0.0}
        subscription = Subscription(name="deliver", account="feed", path="/t", **(options | more))
        mix = Operation(name="mix", weight=1.0, path="/")  # never begun here
        load = Load(operations=(*subscription.operations, mix), subscriptions=(subscription,), rate=1.0)
        zero_ns = time.monotonic_ns()
        order = LoadOrder(
            run=RUN, seed=1, zero_ns=zero_ns, base_url=url, folder="/", load=load, max_s=9.0, accounts=(ACCOUNT,)
        )
        self.memory, self.error, self._folder = Memory(), None, folder
        operator = Operator(order, self.memory, self.memory, self.memory.report, {"feed": Books()})
        self.published = Published(Books())
        path = folder / "writes" / "accounts" / receipts_of("feed") / "load.ledger"
        self.receipts = ReceiptWriter(path, RUN)
        self.operator = operator
        self.subscribers = Subscribers(order, subscription, operator, self.memory, self.published, self.receipts)
        self.subscribers.start(self)

    def fail(self, error: Exception) -> None:
        """As an engine."""
        self.error = error

    def publish(self, seq: int, at_ns: int = 7) -> None:
        """Note a message as sent and acknowledged."""
        self.published.note(Mark.ATTEMPTED, 0, 0, seq, at_ns)
        self.published.note(Mark.ACKNOWLEDGED, 0, 0, seq, at_ns + 1)

    def until(self, true, within_s: float = 5.0) -> None:
        """Let it work until something is true."""
        end = time.monotonic() + within_s
        while not true():
            assert time.monotonic() < end, (self.memory.rows, self.subscribers.account())
            assert self.error is None, self.error
            gevent.sleep(0.01)

    def end(self):
        """Settle, and read the receipts back: (subscriber, connection, seq, mark, status, object, other, value)."""
        self.subscribers.settle()
        self.receipts.close()
        assert self.error is None, self.error
        lines = read_receipts(self._folder, "feed", run=RUN)
        assert lines.problems == ()
        names = ("writer", "epoch", "seq", "mark", "status", "object", "other", "value")
        return [tuple(int(one) for one in row) for row in zip(*(getattr(lines, name) for name in names), strict=True)]

    def samples(self, operation: int):
        """(arrival, outcome, detail) of the messages (0), or of connecting (1)."""
        return [(row[0], OUTCOMES[row[4]], row[7]) for row in self.memory.rows if row[3] == operation]


@pytest.fixture
def play(tmp_path):
    """Starts a server with a script and a subscription to it."""
    servers = []

    def begin(script, greeting=None, **more) -> Scene:
        servers.append(Scripted(script, greeting))
        return Scene(tmp_path, servers[-1].url, **more)

    yield begin
    for server in servers:
        server.close()


def confirm(connection, offset=0, epoch="e", *, recovered=False):
    told = {"type": "subscribed", "offset": offset, "epoch": epoch, "recovered": recovered}
    connection.sendall(frame(1, json.dumps(told).encode()))


def message(seq, offset, body=None, name=None):
    name = name or format_id(RUN, 0, 0, seq)
    told = {"type": "message", "offset": offset, "data": {"id": name, "body": body or body_of(name)}}
    return frame(1, json.dumps(told).encode())


def until_closed(connection):
    while read_frame(connection)[0] != 8:
        pass


def test_what_is_delivered_is_a_sample_from_its_sending(play):
    """Requirement L6: connecting is one sample, each message is one, and the receipts say which entry it was."""

    def script(connection):
        assert json.loads(read_frame(connection)[1]) == {}
        confirm(connection)
        connection.sendall(message(0, 1) + message(1, 2))
        until_closed(connection)

    scene = play(script, connections=2)
    for seq in range(2):
        scene.publish(seq)
    scene.until(lambda: len(scene.samples(0)) == 4)
    rows = scene.end()
    assert scene.samples(0) == [(7, Outcome.OK, "")] * 4
    assert [one[1:] for one in scene.samples(1)] == [(Outcome.OK, "")] * 2
    for who in range(2):
        assert [row[1:] for row in rows if row[0] == who] == [
            (0, 0, Mark.ATTEMPTED, Joined.FIRST, 0, 0, 0),
            (0, 1, Mark.SEEN, 0, 0, 0, 0),
            (0, 2, Mark.SEEN, 0, 0, 0, 1),
            (0, 3, Mark.REJECTED, 1, 0, 0, 0),
        ]
    account = scene.operator.meter.account()
    assert account["offered"] == account["ok"] == 6


def test_who_was_lost_resumes_where_it_was(play):
    """With the last offset it saw and the epoch; the loss is a failed sample with its reason."""
    asked = []

    def script(connection):
        asked.append(json.loads(read_frame(connection)[1]))
        confirm(connection, 4, recovered=len(asked) > 1)
        if len(asked) == 1:
            connection.sendall(message(0, 5) + close_frame(1012, "restart"))
        else:
            connection.sendall(message(1, 6))
            until_closed(connection)

    scene = play(script)
    for seq in range(2):
        scene.publish(seq)
    scene.until(lambda: len(scene.samples(0)) == 3)
    rows = scene.end()
    assert asked == [{}, {"offset": 5, "epoch": "e"}]
    assert [one[2] for one in scene.samples(0)] == ["", "connection lost: closed by the other side: 1012 restart", ""]
    assert [row[3:5] for row in rows] == [
        (Mark.ATTEMPTED, Joined.FIRST),
        (Mark.SEEN, 0),
        (Mark.REJECTED, 0),
        (Mark.ATTEMPTED, Joined.RESUMED),
        (Mark.SEEN, 0),
        (Mark.REJECTED, 1),
    ]
    assert [row[1] for row in rows] == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    ("second", "resume", "how"),
    [
        ({"epoch": "f", "recovered": True}, RESUME, Joined.LOST),
        ({"epoch": "e", "recovered": False}, RESUME, Joined.LOST),
        ({"epoch": "e", "recovered": True}, RESUME, Joined.RESUMED),
        ({"epoch": "f"}, None, Joined.ANEW),
    ],
)
def test_a_history_that_is_gone_is_written_down(play, second, resume, how):
    """Another epoch, or `recovered` that is not true: something is missing. Without resume nothing is asked for."""
    times = []

    def script(connection):
        read_frame(connection)
        times.append(1)
        confirm(connection, 3, **(second if len(times) > 1 else {}))
        if len(times) > 1:
            until_closed(connection)

    scene = play(script, resume=resume)
    scene.until(lambda: len(scene.samples(1)) == 2)
    assert [row[4] for row in scene.end() if row[3] == Mark.ATTEMPTED] == [Joined.FIRST, how]


def test_what_is_not_confirmed_is_tried_again(play):
    """Refused, silent or closed: each attempt is a failed sample of connecting, and none of delivering."""
    times = []

    def script(connection):
        read_frame(connection)
        times.append(1)
        if len(times) == 1:
            connection.sendall(frame(1, b'{"type": "other"}') + close_frame(4000, "no"))
        elif len(times) == 2:
            until_closed(connection)
        else:
            confirm(connection)
            until_closed(connection)

    scene = play(script, timeout_s=0.2)
    scene.until(lambda: len(scene.samples(1)) == 3)
    scene.end()
    said = ["closed by the other side: 4000 no", "not confirmed: 0.2 s", ""]
    assert [one[2] for one in scene.samples(1)] == said
    assert scene.samples(0) == []
    assert scene.subscribers.account()["connects"] == 3


def test_a_handshake_that_is_refused(play):
    """Its status is told; the attempt that the end of the run interrupted is told as that."""
    scene = play(lambda _: None, b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n", settle_s=0.1)
    scene.until(lambda: len(scene.samples(1)) >= 2)
    before = len(scene.samples(1))
    scene.subscribers.settle()
    told = [one[1:] for one in scene.samples(1)]
    refused = (Outcome.FAILED, "handshake refused: status 503")
    assert set(told[:before]) == {refused}
    assert set(told[before:-1]) <= {refused}
    assert told[-1] in {refused, (Outcome.FAILED, IN_FLIGHT_AT_END)}


def test_silence_is_noticed_by_pings(play):
    """A connection that answers no ping is given up; one that answers is kept."""
    times = []

    def script(connection):
        read_frame(connection)
        times.append(1)
        confirm(connection, recovered=True)
        while len(times) > 1:
            opcode, data, _ = read_frame(connection)
            if opcode == 9:
                connection.sendall(frame(10, data))
            elif opcode == 8:
                return
        connection.recv(1)
        time.sleep(5)

    scene = play(script, ping_s=0.1)
    scene.until(lambda: len(scene.samples(1)) == 2)
    gevent.sleep(0.4)
    scene.end()
    assert [one[2] for one in scene.samples(0)] == ["connection lost: silent: a ping was not answered"]


def test_pings_of_the_server_are_answered_while_listening(play):
    """A server that looks after its connections does not lose ours."""
    seen = []

    def script(connection):
        read_frame(connection)
        confirm(connection)
        for number in range(3):
            connection.sendall(frame(9, b"%d" % number))
            seen.append(read_frame(connection))
        until_closed(connection)

    scene = play(script)
    scene.until(lambda: len(seen) == 3)
    scene.end()
    assert seen == [(10, b"%d" % number, True) for number in range(3)]


def test_what_is_late_changed_strange_or_somebody_elses(play):
    """Late is a failed sample. What is no entry of the run is no sample; if it pretends to be one it is noted."""
    late_ns = -(10**9)

    def script(connection):
        read_frame(connection)
        confirm(connection)
        connection.sendall(message(0, 1) + message(1, 2, body="changed") + message(0, 3, "body", f"{RUN}-1-2-x"))
        connection.sendall(message(0, 4, "body", "another") + frame(1, b"no json") + frame(2, b"\0"))
        until_closed(connection)

    scene = play(script, timeout_s=0.5)
    scene.publish(0, late_ns)
    scene.publish(1)
    scene.until(lambda: scene.subscribers.account().get("other", 0) == 3)
    rows = scene.end()
    assert scene.samples(0)[0] == (late_ns, Outcome.FAILED, "late: more than 0.5 s")
    assert len(scene.samples(0)) == 2
    assert [row[3] for row in rows] == [Mark.ATTEMPTED, Mark.SEEN, Mark.WRONG, Mark.MISSED, Mark.REJECTED]


def test_in_the_end_it_is_waited_for_what_is_owed_and_no_longer(play):
    """What was acknowledged and has not come is waited for; once it is there, no more than a moment."""

    def script(connection):
        read_frame(connection)
        confirm(connection)
        time.sleep(0.6)
        connection.sendall(message(0, 1))
        until_closed(connection)

    scene = play(script, settle_s=5.0)
    scene.publish(0)
    scene.until(lambda: len(scene.samples(1)) == 1)
    began = time.monotonic()
    scene.end()
    assert 0.3 < time.monotonic() - began < 4.0
    assert [one[1] for one in scene.samples(0)] == [Outcome.OK]


def test_what_cannot_be_written_down_stops_everything(play):
    """A full disk fails the load; nothing is passed over."""

    def script(connection):
        read_frame(connection)
        confirm(connection)
        connection.sendall(message(0, 1))
        until_closed(connection)

    scene = play(script)
    scene.receipts.message = None  # calling it raises
    end = time.monotonic() + 5
    while scene.error is None:
        assert time.monotonic() < end
        gevent.sleep(0.01)
    assert isinstance(scene.error, TypeError)
    scene.subscribers.settle()

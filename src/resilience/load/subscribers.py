"""Long-lived WebSocket subscriptions of a load process: opened at their rate, kept, lost, resumed, accounted for.

Each subscriber is a greenlet with one connection at a time. What becomes of it is written down at once: every
confirmation, every message and every end is a line of the receipts (`record.receipts`), and

* every attempt to connect is a sample of `NAME-connect`: from when it was due until the subscription was confirmed;
* every message that is an entry of this run is a sample of `NAME`: from when it was sent until it was received. One
  that took longer than the time limit is a failed one;
* every connection that is lost is a failed sample of `NAME`, at that instant.

Nothing here says what is missing, doubled or out of order: that follows from the receipts (`judge.deliveries`).
"""

import contextlib
import json
import random
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import gevent

from resilience.columns import Mark
from resilience.entry import body_of, parse_id, prefix_of
from resilience.load.fields import text_at
from resilience.load.http import Address
from resilience.load.listening import Listening
from resilience.load.operate import IN_FLIGHT_AT_END, Operator, Samples
from resilience.load.operations import EPOCH, OFFSET, Document, Template, resource
from resilience.load.published import Entry, Published
from resilience.load.websocket import LostError, WebSocket, WebSocketError
from resilience.model import OUTCOMES, Json, LoadOrder, Outcome, Subscription
from resilience.record.receipts import Joined, ReceiptWriter

if TYPE_CHECKING:
    from resilience.load.engine import Engine

QUIET_S = 0.3
"""In the end: once everything has come, it is waited this long for what should not."""
_REMEMBERED = 4096
"""Messages whose meaning is remembered: the same text comes to every subscriber."""
_DIGITS = 18
_OK, _FAILED = OUTCOMES.index(Outcome.OK), OUTCOMES.index(Outcome.FAILED)
_NOBODY: Entry = (0, 0, -1)


class _Message:
    """What a text means, worked out once."""

    __slots__ = ("entry", "kind", "mark", "offset", "sent_ns")

    def __init__(self, kind: str, offset: int = -1) -> None:
        self.kind = kind  # `entry`, `strange` (of this run, and no entry), `confirms`, `other`
        self.offset = offset
        self.mark = Mark.MISSED
        self.entry = _NOBODY
        self.sent_ns: int | None = None


class Subscriber:
    """One of the connections of a subscription, and those that came after it.

    Attributes:
        live: whether its subscription is confirmed now.
        offset: the last one that it has seen; −1 before the first confirmation.
    """

    __slots__ = ("_connection", "_heard_ns", "_lines", "_number", "_socket", "_whole", "epoch", "live", "offset")

    def __init__(self, whole: "Subscribers", number: int) -> None:
        self._whole = whole
        self._number = number
        self._connection = -1
        self._lines = 0
        self._heard_ns = 0
        self._socket: WebSocket | None = None
        self.live = False
        self.offset, self.epoch = -1, ""

    def run(self, due_ns: int) -> None:
        """Connect, be given messages, come back when the connection is lost; until it is killed."""
        whole, tries = self._whole, 0
        while True:
            whole.wait_until(due_ns)
            if self._join(due_ns):
                tries = 0
                self._listen()
            delay_s = min(whole.subscription.retry_s * 2.0**tries, whole.subscription.retry_limit_s)
            tries = min(tries + 1, 30)
            due_ns = whole.operator.now_ns() + int(delay_s * whole.random.uniform(0.5, 1.0) * 1e9)

    def look(self, silent_ns: int) -> None:
        """Ping a connection from which nothing came for so long; give up one that did not answer that, either."""
        if not self.live or self._socket is None:
            return
        silence_ns = self._whole.operator.now_ns() - self._heard_ns
        if silence_ns > 2 * silent_ns:
            self._socket.give_up("silent: a ping was not answered")
        elif silence_ns > silent_ns:
            with contextlib.suppress(WebSocketError):  # whoever receives is told
                self._socket.ping()

    def leave(self) -> None:
        """The run is over: close, and write down that it was us."""
        if self._socket is None:
            return
        if self.live:
            self._end(ours=True)
        self._socket.leave()
        self._socket = None

    def _join(self, due_ns: int) -> bool:
        """One attempt to connect and be confirmed: one sample."""
        whole = self._whole
        start_ns, detail = whole.operator.now_ns(), IN_FLIGHT_AT_END
        outcome = Outcome.FAILED
        try:
            with gevent.Timeout(whole.subscription.timeout_s, exception=_LateError):
                how = self._shake()
            self._connection += 1
            self._heard_ns = whole.operator.now_ns()
            whole.receipts.joined(self._number, self._connection, how, self._heard_ns, max(self.offset, 0))
            whole.counts[how.name.lower()] += 1
            self._lines, self.live = 1, True
            outcome, detail = Outcome.OK, ""
        except WebSocketError as error:
            detail = str(error)
        except _LateError:
            detail = f"not confirmed: {whole.subscription.timeout_s:g} s"
        finally:
            if not self.live and self._socket is not None:
                self._socket.abort()
                self._socket = None
            whole.connected(due_ns, start_ns, outcome, detail)
        return self.live

    def _shake(self) -> Joined:
        whole, subscription = self._whole, self._whole.subscription
        values = {OFFSET: str(self.offset), EPOCH: self.epoch}
        self._socket = whole.connect()
        back = self.offset >= 0
        first = whole.resume if back and whole.resume is not None else whole.subscribe
        asked = back and whole.resume is not None
        if first is not None:
            self._socket.send(first.render(values).decode())
        if not subscription.confirmed:
            how = Joined.ANEW if back else Joined.FIRST
            self.offset = max(self.offset, 0)
            return how
        while True:
            message = self._socket.receive()
            if not isinstance(message, str):
                continue
            document = _parsed(message)
            if all(text_at(document, path) == text for path, text in subscription.confirmed.items()):
                return self._confirmed(document, asked=asked, back=back)

    def _confirmed(self, document: Json, *, asked: bool, back: bool) -> Joined:
        where = self._whole.subscription.message
        offset, epoch = _number(text_at(document, where.offset)), text_at(document, where.epoch) or ""
        recovered = text_at(document, where.recovered) == "true"
        same = epoch == self.epoch
        self.epoch = epoch
        if not asked:
            self.offset = max(offset, 0)
            return Joined.ANEW if back else Joined.FIRST
        if recovered and same:
            return Joined.RESUMED
        self.offset = max(offset, 0)
        return Joined.LOST

    def _listen(self) -> None:
        """Take messages until the connection is lost."""
        connection = self._socket
        if connection is None:
            return
        try:
            Listening(connection, self._take).run()
        except LostError as error:
            if self.live:
                self._end(ours=False)
                self._whole.lost(str(error))
            self._socket = None

    def _take(self, text: str | bytes | None) -> None:
        whole = self._whole
        self._heard_ns = at_ns = whole.operator.now_ns()
        if text is None:
            return
        message = whole.meaning(text)
        if message.offset >= 0:
            self.offset = message.offset
        if message.kind in {"entry", "strange"}:
            whole.receipts.message(self._number, self._connection, self._lines, at_ns, message.mark, message.entry)
            self._lines += 1
        if message.sent_ns is not None:
            whole.delivered(message.sent_ns, at_ns)

    def _end(self, *, ours: bool) -> None:
        self.live = False
        at_ns = self._whole.operator.now_ns()
        self._whole.receipts.ended(self._number, self._connection, self._lines, at_ns, ours=ours)


class _LateError(Exception):
    """The subscription was not confirmed in time."""


class Subscribers:
    """All connections of one subscription in this process.

    Args:
        order: what to do; this process has the connections whose number leaves its share's index.
        subscription: one of the load's.
        operator: its clock and its meter.
        samples: takes every sample.
        published: of the account.
        receipts: of the account.

    Attributes:
        counts: how often what happened.
    """

    def __init__(
        self,
        order: LoadOrder,
        subscription: Subscription,
        operator: Operator,
        samples: Samples,
        published: Published,
        receipts: ReceiptWriter,
    ) -> None:
        names = [operation.name for operation in order.load.operations]
        self.subscription = subscription
        self.operator, self.receipts = operator, receipts
        self.counts: Counter[str] = Counter()
        self.random = random.Random(f"{subscription.name} {order.seed} {order.share.index}")  # noqa: S311 - no secret
        self.subscribe = None if subscription.subscribe is None else Document(subscription.subscribe)
        self.resume = None if subscription.resume is None else Document(subscription.resume)
        self._messages, self._connects = (names.index(one.name) for one in subscription.operations)
        self._published, self._samples, self._meter = published, samples, operator.meter
        self._run, self._prefix = order.run, prefix_of(order.run)
        self._address = Address(order.base_url)
        self._resource = resource(order.base_url, subscription.path).render({})
        self._headers = {name: Template(text).render({}) for name, text in subscription.headers.items()}
        self._limit_ns = int(subscription.timeout_s * 1e9)
        self._known: dict[str | bytes, _Message] = {}
        self._numbers = range(order.share.index, subscription.connections, order.share.of)
        self._members = [Subscriber(self, number) for number in self._numbers]
        self._running: list[gevent.Greenlet] = []
        self._heard_ns = 0

    def start(self, engine: "Engine") -> None:
        """Begin to connect, at the subscription's rate from the run's zero."""
        self._running.append(gevent.spawn(self._guarded, engine, self._connect_all, engine))
        if self.subscription.ping_s > 0:
            self._running.append(gevent.spawn(self._guarded, engine, self._look))

    def settle(self) -> None:
        """Nothing is published any more: wait until everything has come, as long as is allowed, and close."""
        until_ns = self.operator.now_ns() + int(self.subscription.settle_s * 1e9)
        while self.operator.now_ns() < until_ns and not self._settled():
            gevent.sleep(0.02)
        gevent.killall(self._running)
        for member in self._members:
            member.leave()

    def account(self) -> dict[str, Json]:
        """What happened, for the generator's account."""
        return {"connections": len(self._members), **{name: self.counts[name] for name in sorted(self.counts)}}

    def wait_until(self, at_ns: int) -> None:
        """Wait for an instant."""
        while (left_ns := at_ns - self.operator.now_ns()) > 0:
            gevent.sleep(left_ns / 1e9)

    def connect(self) -> WebSocket:
        """A new connection. Raises NotOpenedError."""
        return WebSocket.connect(
            self._address, self._resource, self._headers, timeout_s=self.subscription.timeout_s + 1.0
        )

    def meaning(self, text: str | bytes) -> _Message:
        """What a message is to this run."""
        message = self._known.get(text)
        if message is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            message = self._known[text] = self._read(text)
        self.counts[message.kind] += 1
        return message

    def connected(self, due_ns: int, start_ns: int, outcome: Outcome, detail: str) -> None:
        """An attempt to connect ended."""
        self.counts["connects"] += 1
        self._meter.started(start_ns - due_ns)
        self._sample(self._connects, due_ns, start_ns, self.operator.now_ns(), outcome, detail)

    def delivered(self, sent_ns: int, at_ns: int) -> None:
        """A message came."""
        self._heard_ns = at_ns
        in_time = at_ns - sent_ns <= self._limit_ns
        outcome = Outcome.OK if in_time else Outcome.FAILED
        detail = "" if in_time else f"late: more than {self.subscription.timeout_s:g} s"
        self._sample(self._messages, sent_ns, sent_ns, at_ns, outcome, detail)

    def lost(self, reason: str) -> None:
        """A connection was lost, not by us."""
        self.counts["dropped"] += 1
        at_ns = self.operator.now_ns()
        self._sample(self._messages, at_ns, at_ns, at_ns, Outcome.FAILED, f"connection lost: {reason}")

    def _sample(self, number: int, due_ns: int, start_ns: int, end_ns: int, outcome: Outcome, detail: str) -> None:
        meter, place = self.operator.meter, _OK if outcome is Outcome.OK else _FAILED
        meter.offered(number)
        self._samples.add(due_ns, start_ns, end_ns, number, place, detail=detail)
        meter.note((number, place, end_ns - due_ns, False, 0, detail))

    def _connect_all(self, engine: "Engine") -> None:
        rate = self.subscription.connect_rate
        for number, member in zip(self._numbers, self._members, strict=True):
            due_ns = int(number / rate * 1e9) if rate else 0
            self.wait_until(due_ns)
            self._running.append(gevent.spawn(self._guarded, engine, member.run, due_ns))

    def _look(self) -> None:
        silent_ns = int(self.subscription.ping_s * 1e9)
        while True:
            gevent.sleep(self.subscription.ping_s / 2)
            for member in self._members:
                member.look(silent_ns)

    def _guarded(self, engine: "Engine", work: Callable[..., None], *arguments: object) -> None:
        try:
            work(*arguments)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing may be sent any more
            engine.fail(error)

    def _settled(self) -> bool:
        """Whether everything that was acknowledged has come to everybody, and nothing more comes."""
        if self._published.owed or self.operator.now_ns() - self._heard_ns < QUIET_S * 1e9:
            return False
        offsets = {member.offset for member in self._members}
        return len(offsets) <= 1 and all(member.live for member in self._members)

    def _read(self, text: str | bytes) -> _Message:
        where, document = self.subscription.message, _parsed(text)
        found = text_at(document, where.id)
        offset = _number(text_at(document, where.offset))
        if found is None or not found.startswith(self._prefix):
            return _Message("other", offset)
        entry = parse_id(found, self._run)
        if entry is None:
            return _Message("strange", offset)
        message = _Message("entry", offset)
        message.entry = entry
        message.mark = Mark.SEEN if text_at(document, where.body) == body_of(found) else Mark.WRONG
        message.sent_ns = self._published.sent_ns.get(entry)
        self._published.given(entry)
        return message


def _parsed(text: str | bytes) -> Json:
    try:
        document: Json = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return document


def _number(text: str | None) -> int:
    """An offset, which fits in 63 bits; −1 if it is none."""
    fits = text is not None and text.isascii() and text.isdecimal() and len(text) <= _DIGITS
    return int(text) if fits and text else -1

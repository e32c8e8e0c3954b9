"""Operations whose answer is streamed, as a model's completion is.

An answer that says that it is a stream and does not come to its end is broken, however much of it came: half a
completion is no completion.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from resilience.errors import LoadError
from resilience.load.calls import Caller, Ready, Values
from resilience.load.classify import Broken, Happened, Reply, Timed, Timing
from resilience.load.events import GOOD, EventClient
from resilience.load.http import Address
from resilience.load.operations import Prepared, Request
from resilience.model import Expect, LoadOrder, Operation, Problem, StreamedAnswer

ACCEPT = {"Accept": "text/event-stream"}
_SHOWN = 80


@dataclass(slots=True)
class Completion:
    """What is seen of a streamed answer, event by event. Pure.

    Attributes:
        tokens: how many events held a piece of text.
        first_ns, last_ns: when the first and the last of them came; −1 before.
        ended: whether the last event came.
        error: what the answer itself says went wrong; empty if nothing.
    """

    wanted: StreamedAnswer
    pieces: list[str]
    tokens: int = 0
    first_ns: int = -1
    last_ns: int = -1
    ended: bool = False
    error: str = ""

    def take(self, data: str, at_ns: int) -> bool:
        """Take an event; True if nothing more is to come."""
        if self.wanted.end and data.strip() == self.wanted.end:
            self.ended = True
            return True
        try:
            document = json.loads(data)
        except (ValueError, RecursionError):
            self.error = f"event that is no JSON: {data[:_SHOWN]!r}"
            return True
        if self.wanted.error and _value_at(document, self.wanted.error) is not None:
            self.error = f"error in the stream: {data[:_SHOWN]}"
            return True
        text = _value_at(document, self.wanted.token)
        if isinstance(text, str) and text:
            if not self.tokens:
                self.first_ns = at_ns
            self.tokens += 1
            self.last_ns = at_ns
            self.pieces.append(text)
        return False

    def missing(self) -> str:
        """What makes a stream that came to its end no complete answer; empty if nothing does."""
        if self.error:
            return self.error
        if self.wanted.end and not self.ended:
            return f"stream without its end: {self.tokens} tokens came"
        return "" if self.tokens else "stream without a token"


def _value_at(document: Any, path: str) -> Any:  # noqa: ANN401 - any JSON
    """What stands at a dotted path; None if nothing does, or null."""
    for name in path.split("."):
        if isinstance(document, list) and name.isdecimal() and int(name) < len(document):
            document = document[int(name)]
        elif isinstance(document, dict):
            document = document.get(name)
        else:
            return None
    return document


class StreamReady:
    """An operation with a streamed answer, made ready."""

    def __init__(self, operation: Operation, base_url: str, segments: Sequence[str]) -> None:
        self.operation = operation
        self._base_url = base_url
        given = {name.lower() for name in operation.headers}
        headers = {**({} if "accept" in given else ACCEPT), **operation.headers}
        self._prepared = Prepared(replace(operation, headers=headers), base_url, segments)

    def request(self, values: Values) -> tuple[Request, StreamedAnswer, str]:
        """The bytes, how the answer is read, and whom they are sent to."""
        return self._prepared.request(values), self.operation.stream or StreamedAnswer(), self._base_url

    def expect(self, values: Values) -> Expect:
        """What a good answer is: `text` and `tokens` are in its document."""
        return self._prepared.expect(values)


class StreamCaller:
    """One slot's connections for streamed answers, one for each part that is asked."""

    def __init__(self, addresses: Mapping[str, Address]) -> None:
        self._addresses = addresses
        self._clients: dict[str, EventClient] = {}

    def call(self, request: tuple[Request, StreamedAnswer, str], timeout_s: float) -> Happened | Timed:
        """Ask once, and read the answer to its end."""
        sent, wanted, whom = request
        client = self._clients.get(whom)
        if client is None:
            client = self._clients[whom] = EventClient(self._addresses[whom])
        seen = Completion(wanted, [])
        happened = client.call(sent, timeout_s, seen.take)
        if isinstance(happened, Reply) and happened.status in GOOD:
            if fault := seen.missing():
                client.close()
                happened = Broken(fault)
            else:
                document = {"text": "".join(seen.pieces), "tokens": seen.tokens}
                happened = replace(happened, body=json.dumps(document).encode())
        return Timed(happened, Timing(first_ns=seen.first_ns, tokens=seen.tokens))

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            client.close()


class Streams:
    """The kind of operations whose answer is streamed."""

    def __init__(self, order: LoadOrder) -> None:
        self._order = order
        self._addresses: dict[str, Address] = {}

    def prepare(self, operation: Operation, segments: Sequence[str]) -> Ready:
        """Make an operation ready."""
        base_url, on = self._order.base_url, operation.stream.on if operation.stream is not None else ""
        if on:
            if on not in self._order.places:
                raise LoadError(Problem(f"operation {operation.name}", f"the stack has no part {on!r}"))
            place = self._order.places[on]
            base_url = f"http://{place.host}:{place.via_port}"
        self._addresses.setdefault(base_url, Address(base_url))
        return StreamReady(operation, base_url, segments)

    def caller(self) -> Caller:
        """New connections, made when they are first needed."""
        return StreamCaller(self._addresses)

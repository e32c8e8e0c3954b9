"""Shows that the clients of this process send each operation once, whatever becomes of it.

A client that tries again by itself hides failures, and does twice what was to be done once. Nobody sees that from
outside, so it is tried: for each kind of operation of the load, a server of our own on the loopback address breaks off,
puts off, or says nothing, on a new connection and on one that was kept; and counts what it was sent. That is done in
the load process itself, with the callers that the run has, while the load begins.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import gevent
from gevent.hub import Waiter

from resilience.load.calls import Caller, Kind, PromptCaller
from resilience.load.kinds import KINDS
from resilience.load.scripted import SCRIPTS, Answer, Scripted
from resilience.model import Json, LoadOrder, Operation, Place
from resilience.spec.segments import placeholders

SILENCE_S = 0.3
"""So long is waited for a server that says nothing."""
LIMIT_S = 3.0
"""The time limit of a call whose server does something at once."""
FOLLOWED_S = 1.0
"""A job that is begun to have a connection that is kept is not followed for longer."""
LATER_S = 0.05
"""So much later it is counted: whoever tries again in the background has begun by then."""
TRIES = 5
"""A call of which the server saw nothing at all, on a busy machine, proves nothing: so often it is tried in all."""
SERVER = "self-check"


class _Values(dict[str, str]):
    """Whatever a name stands for: what is sent here means nothing."""

    def __missing__(self, name: str) -> str:
        return "1"


@dataclass(slots=True)
class Found:
    """What was found of one kind of operation.

    Attributes:
        asked: calls that were made.
        once: those of which the server was sent one request.
        again: those of which it was sent more.
        examples: of the latter, what was done and how much came.
    """

    asked: int = 0
    once: int = 0
    again: int = 0
    examples: tuple[str, ...] = ()

    def note(self, what: str, sent: int) -> None:
        """Take the count of one call."""
        self.asked += 1
        self.once += sent == 1
        self.again += sent > 1
        if sent > 1 and not self.examples:
            self.examples = (f"{what}: {sent} requests for one",)

    def account(self) -> dict[str, Json]:
        """As it stands in the generator's account; a kind for which there is no server has no calls."""
        return {"asked": self.asked, "once": self.once, "again": self.again, "examples": list[Json](self.examples)}


def self_check(order: LoadOrder, kinds: Mapping[str, Callable[[LoadOrder], Kind]] = KINDS) -> dict[str, Json]:
    """Try every kind of operation of an order; takes half a second, nearly all of it waiting.

    Returns:
        Kind → what was found, as in `Found`.
    """
    found = {operation.protocol: Found() for operation in order.load.operations}
    trials = [
        gevent.spawn(_try, order, kinds, operation, answer, kept)
        for operation in _one_of_each(order)
        for answer in SCRIPTS[operation.protocol]
        for kept in (False, True)
    ]
    gevent.joinall(trials)
    for trial in trials:
        protocol, what, sent = trial.get()
        found[protocol].note(what, sent)
    return {name: one.account() for name, one in found.items()}


def _one_of_each(order: LoadOrder) -> Iterator[Operation]:
    """One operation of each kind, role and method: a client may treat them differently."""
    secure = order.base_url.startswith("https:")
    known: set[tuple[str, ...]] = set()
    for operation in order.load.operations:
        which = (operation.protocol, operation.role.value, operation.method)
        over_http = operation.redis is None
        if which not in known and operation.protocol in SCRIPTS and not (secure and over_http):
            known.add(which)
            yield operation


def _try(
    order: LoadOrder, kinds: Mapping[str, Callable[[LoadOrder], Kind]], operation: Operation, answer: Answer, kept: bool
) -> tuple[str, str, int]:
    what = f"{operation.name}, {answer.value}, on a {'kept' if kept else 'new'} connection"
    for _ in range(TRIES):
        with Scripted(operation.protocol, answer, well=1 if kept else 0) as server:
            there = _towards(order, operation, server.port)
            kind = kinds[operation.protocol](there)
            caller = kind.caller()
            request = kind.prepare(there.load.operations[0], placeholders(order.load)).request(_Values())
            limit_s = SILENCE_S if answer is Answer.SILENCE else LIMIT_S
            try:
                if kept:
                    caller.call(request, FOLLOWED_S if operation.job else LIMIT_S)
                before = server.requests
                if kept and not before:
                    continue  # it may still come, and would be counted with what comes now
                _call(caller, request, limit_s)
                gevent.sleep(LATER_S)
            finally:
                caller.close()
            if sent := server.requests - before:
                return operation.protocol, what, sent
    return operation.protocol, what, 0


def _call(caller: Caller, request: Any, limit_s: float) -> None:  # noqa: ANN401 - what its kind made
    """Make one call, in the way in which the engine would."""
    if isinstance(caller, PromptCaller) and caller.prompt():
        waiter: Any = Waiter()
        caller.begin(request, limit_s, waiter, Waiter.switch)
        waiter.get()
    else:
        caller.call(request, limit_s)


def _towards(order: LoadOrder, operation: Operation, port: int) -> LoadOrder:
    """The order with that operation alone, and our server in place of the target and of every part."""
    if operation.redis is not None:
        operation = replace(operation, redis=replace(operation.redis, on=SERVER, dsn_env=""))
    if operation.stream is not None:  # it may be another part of the stack that is asked: a model, which costs money
        operation = replace(operation, stream=replace(operation.stream, on=""))
    place = Place(name=SERVER, host="127.0.0.1", port=port, via_port=port, protocol="redis")
    return replace(
        order,
        base_url=f"http://127.0.0.1:{port}",
        places={SERVER: place},
        load=replace(order.load, operations=(operation,)),
        ways={},
    )

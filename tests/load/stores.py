"""What the tests of clients for stores share: orders for the stores of a stack, and calls that wait beside the test."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gevent

from resilience.load.classify import Finding, Happened, classify
from resilience.model import Expect, Load, LoadOrder, Operation, RedisCommand, Role, Sql, SqlStatement

RUN = "0badcafe"


def order(store: Any, *operations: Operation) -> LoadOrder:
    """One that has the places of a stack; PostgreSQL is asked as its superuser, who owns the tables of these tests."""
    load = Load(rate=1, operations=operations)
    places = {} if store is None else dict(store.stack.places())
    if "postgres" in places:
        places["postgres"] = replace(places["postgres"], user="")
    return LoadOrder(
        run=RUN, seed=1, zero_ns=0, base_url="http://127.0.0.1:1", folder="", load=load, max_s=1, places=places
    )


def sql(*statements: str | SqlStatement, role: Role = Role.READ, name: str = "ask", **more: Any) -> Operation:
    """One statement by itself, or several in a transaction."""
    made = [SqlStatement(statement=one) if isinstance(one, str) else one for one in statements]
    if len(made) == 1:
        (one,) = made
        values = {"rows": one.rows, "min_rows": one.min_rows, "values": one.values, "tenant": one.tenant}
        asked = Sql(**{"statement": one.statement, **values, **more})
    else:
        asked = Sql(statements=tuple(made), **more)
    return Operation(name=name, weight=1, role=role, sql=asked)


def redis(*command: str, role: Role = Role.READ, name: str = "ask", **more: Any) -> Operation:
    """One command."""
    return Operation(name=name, weight=1, role=role, redis=RedisCommand(command=command, **more))


class Asking:
    """One slot that asks a store.

    Args:
        kind: made for an order with all operations.
        operations: by name.
    """

    def __init__(self, kind: Any, *operations: Operation) -> None:
        self._kind = kind
        self._ready = {one.name: kind.prepare(one, ["tenant"]) for one in operations}
        self.caller = kind.caller()

    def __call__(self, name: str = "ask", timeout_s: float = 5.0, **values: str) -> Happened:
        """Do it once."""
        return self.caller.call(self._ready[name].request(values), timeout_s)

    def beside(self, name: str = "ask", timeout_s: float = 5.0, **values: str) -> gevent.Greenlet:
        """Begin it, and return when it waits for its answer."""
        doing = gevent.spawn(self, name, timeout_s, **values)
        gevent.sleep(0.3)
        return doing


@contextlib.contextmanager
def asking(kind: Any, store: Any, *operations: Operation) -> Iterator[Asking]:
    """A slot, closed in the end."""
    slot = Asking(kind(order(store, *operations)), *operations)
    try:
        yield slot
    finally:
        slot.caller.close()


def finding(happened: Happened, role: Role = Role.WRITE) -> Finding:
    """What it means."""
    return classify(role, happened, Expect())

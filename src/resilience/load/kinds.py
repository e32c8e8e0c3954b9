"""Which protocols there are: the name of each, as in `Operation.protocol`, and what makes its kind for an order.

A protocol whose libraries not everybody has imports them when its kind is made.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from resilience.errors import LoadError
from resilience.load.calls import Accountable, Caller, Kind, Ready
from resilience.load.http import Address, Client
from resilience.load.jobs import Jobs
from resilience.load.operations import Prepared
from resilience.load.streams import Streams
from resilience.model import LoadOrder, Operation, Problem


class Http:
    """HTTP/1.1 to `order.base_url`.

    Raises:
        LoadError: that is no such address.
    """

    def __init__(self, order: LoadOrder) -> None:
        self._base_url = order.base_url
        self._address = Address(order.base_url)

    def prepare(self, operation: Operation, segments: Sequence[str]) -> Ready:
        """An operation whose bytes are rendered for each arrival."""
        return Prepared(operation, self._base_url, segments)

    def caller(self) -> Caller:
        """A client with a connection of its own, kept between calls."""
        return Client(self._address)


def _websocket(order: LoadOrder) -> Kind:
    from resilience.load.exchange import WebSocketKind  # noqa: PLC0415 - see above

    return WebSocketKind(order)


def _subscription(order: LoadOrder) -> Kind:
    from resilience.load.exchange import Delivers  # noqa: PLC0415 - see above

    return Delivers(order)


def _postgres(order: LoadOrder) -> Kind:
    from resilience.load.postgres import Postgres  # noqa: PLC0415 - most loads ask no store

    return Postgres(order)


def _redis(order: LoadOrder) -> Kind:
    from resilience.load.redis import Redis  # noqa: PLC0415 - see above

    return Redis(order)


KINDS: Mapping[str, Callable[[LoadOrder], Kind]] = {
    "http": Http,
    "websocket": _websocket,
    "subscription": _subscription,
    "postgres": _postgres,
    "redis": _redis,
    "job": Jobs,
    "stream": Streams,
}


class Kinds:
    """The kinds of one load process, each made when it is first asked for."""

    def __init__(self, order: LoadOrder) -> None:
        self._order = order
        self._made: dict[str, Kind] = {}

    def of(self, operation: Operation) -> Kind:
        """The kind of an operation.

        Raises:
            LoadError: there is none of that name, or it cannot be made for this order.
        """
        name = operation.protocol
        if name not in KINDS:
            known = ", ".join(sorted(KINDS))
            raise LoadError(
                Problem(f"operation {operation.name}", f"protocol {name!r} is not known; known are {known}")
            )
        if name not in self._made:
            try:
                self._made[name] = KINDS[name](self._order)
            except ModuleNotFoundError as error:
                message = f"protocol {name!r} needs the Python module {error.name!r}, which is not installed"
                hint = f"install it: pip install 'resilience[{name}]'"
                raise LoadError(Problem(f"operation {operation.name}", message, hint)) from error
        return self._made[name]

    def account(self) -> Iterator[tuple[str, Mapping[str, int]]]:
        """What the kinds count of their own, by name."""
        for kind in self._made.values():
            if isinstance(kind, Accountable):
                yield from kind.account().items()

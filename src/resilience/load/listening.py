"""Messages of one WebSocket handed on as they come, without a greenlet that is switched to for each of them.

The greenlet that runs this sleeps until there is something to be written (a pong) or the connection is over. Messages
are read, and handed on, in the reactor's loop, so whoever takes them must not wait for anything. TLS needs more than
the kernel's word that something can be read: there the greenlet itself receives.
"""

from collections.abc import Callable

from gevent.event import Event

from resilience.load.reactor import reactor
from resilience.load.websocket import Message, WebSocket


class Listening:
    """One connection that is listened to.

    Args:
        connection: that nobody else receives from.
        take: is given every message, and None for every pong.
    """

    __slots__ = ("_connection", "_error", "_take", "_woken", "deadline_ns")

    def __init__(self, connection: WebSocket, take: Callable[[Message | None], None]) -> None:
        self._connection, self._take = connection, take
        self._woken = Event()
        self._error: Exception | None = None
        self.deadline_ns = 0

    def run(self) -> None:
        """Hand messages on until the connection is over.

        Raises:
            LostError: it is.
            Exception: what `take` raised.
        """
        connection = self._connection
        if not connection.plain:
            while True:
                self._take(connection.receive())
        self._hand_on()  # what came together with something before
        descriptor, loop = connection.fileno(), reactor()
        loop.add(descriptor, self)
        try:
            self.ready(0)
            while self._error is None and connection.open:
                self._woken.wait()
                self._woken.clear()
                connection.flush()
        finally:
            loop.remove(descriptor)
        if self._error is not None:
            raise self._error
        raise connection.lost()

    def ready(self, events: int) -> None:
        """There is something to be read, or the end."""
        del events
        try:
            if self._connection.take_ready():
                self._woken.set()
            self._hand_on()
        except Exception as error:  # noqa: BLE001 - it is raised where the connection is listened to
            self._error = error
            self._woken.set()

    def overdue(self) -> None:
        """Nothing here has a deadline."""

    def _hand_on(self) -> None:
        take = self._take
        for message in self._connection.taken():
            take(message)

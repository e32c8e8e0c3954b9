"""Locust's master and worker, with a door: whoever does not show that it knows the run's token is told nothing.

Locust's socket asks nobody who they are: any process that connects is taken for a worker, is told what to do, and is
given a part of the users. Here nothing of Locust's own is said or heard before the exchange of `hello`.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from gevent.event import Event
from locust.env import Environment
from locust.rpc import Message
from locust.runners import MasterRunner, WorkerRunner

from resilience import __version__
from resilience.errors import LoadError
from resilience.load.workers import hello

HELLO, PROOF, WELCOME, REFUSED, OURS = (
    f"resilience.{word}" for word in ("hello", "proof", "welcome", "refused", "say")
)
ASKED_MOST = 64
"""So many conversations that have not led to anything are remembered."""

AGAIN_S = 1.0
log = logging.getLogger(__name__)

Heard = Callable[[str, Mapping[str, Any]], None]
"""Told of what an admitted worker says: who, and what."""


class Master(MasterRunner):
    """Locust's master, for workers that know the token.

    Args:
        environment: Locust's.
        host, port: where to listen; port 0 is any that is free (see `server.port`).
        token: of the run.
        places: how many workers may join, and no more.
        heard: told what they say; must not wait for anything.
    """

    def __init__(
        self, environment: Environment, host: str, port: int, *, token: str, places: int, heard: Heard
    ) -> None:
        self._token = token
        self._places = places
        self._heard = heard
        self._asked: dict[str, tuple[str, str]] = {}
        self.admitted: set[str] = set()
        super().__init__(environment, host, port)
        self.register_message(OURS, self._ours)

    def say(self, worker: str, document: Mapping[str, Any]) -> None:
        """Say something to one worker."""
        self.send_message(OURS, dict(document), client_id=worker)

    def handle_message(self, client_id: str, msg: Message) -> None:
        """Hear a worker out, if it is admitted and says who it is; else only whether it may be."""
        if msg.node_id != client_id:
            return  # one speaks in the name of another
        if client_id in self.admitted:
            super().handle_message(client_id, msg)
        elif isinstance(msg.data, Mapping) and msg.type in {HELLO, PROOF}:
            self._at_the_door(client_id, msg.type, msg.data)

    def client_listener(self) -> NoReturn:
        """Listen, whatever strangers say."""
        while True:
            try:
                super().client_listener()
            except Exception as error:  # noqa: BLE001 - what is no message of Locust's would end all listening
                log.warning("something that cannot be understood came to the master's port: %r", error)

    def _at_the_door(self, client_id: str, kind: str, told: Mapping[str, Any]) -> None:
        if len(self.admitted) >= self._places:
            self._refuse(client_id, f"all {self._places} workers of this run are there")
            return
        if kind == HELLO:
            theirs, version = str(told.get("text", ""))[:64], told.get("version")
            if version != __version__:
                self._refuse(client_id, f"the worker is of version {version!r}, the run is of {__version__!r}")
                return
            if self._asked.get(client_id, ("", ""))[0] != theirs:
                self._asked.pop(client_id, None)
                self._asked[client_id] = (theirs, hello.text())
            while len(self._asked) > ASKED_MOST:
                self._asked.pop(next(iter(self._asked)))
            ours = self._asked[client_id][1]
            proof = hello.proof(self._token, "master", theirs, ours)
            self._tell(client_id, HELLO, {"text": ours, "proof": proof})
            return
        theirs, ours = self._asked.pop(client_id, ("", ""))
        if not ours or not hello.proven(told.get("proof"), self._token, "worker", theirs, ours):
            self._refuse(client_id, "its token is not that of this run")
            return
        self.admitted.add(client_id)
        self._tell(client_id, WELCOME, {})

    def _refuse(self, client_id: str, reason: str) -> None:
        log.warning("a worker was refused: %s", reason)
        self._tell(client_id, REFUSED, {"reason": reason})

    def _tell(self, client_id: str, kind: str, document: dict[str, Any]) -> None:
        self.server.send_to_client(_message(kind, document, client_id))

    def _ours(self, environment: Environment, msg: Message) -> None:  # noqa: ARG002 - Locust calls it by names
        if isinstance(msg.data, Mapping):
            self._heard(msg.node_id, msg.data)


class Worker(WorkerRunner):
    """Locust's worker, for a master that knows the token.

    Args:
        environment: Locust's.
        host, port: of the master.
        token: of the run.
        heard: told what the master says; must not wait for anything.
        patience_s: how long the master may take to answer at first.

    Raises:
        LoadError: the master does not answer in time, does not know the token, or does not want this worker.
    """

    def __init__(
        self,
        environment: Environment,
        host: str,
        port: int,
        *,
        token: str,
        heard: Callable[[Mapping[str, Any]], None],
        patience_s: float,
    ) -> None:
        self._token = token
        self._said = heard
        self._patience_s = patience_s
        self._text = hello.text()
        self._answered = Event()
        self._refused = ""
        self._welcome = False
        self._where = f"{host}:{port}"
        super().__init__(environment, host, port)
        self.register_message(OURS, self._ours)

    def say(self, document: Mapping[str, Any]) -> None:
        """Say something to the master."""
        self.send_message(OURS, dict(document))

    def connect_to_master(self) -> None:
        """Join the run: be admitted first, then as any worker of Locust."""
        self._said_hello()
        super().connect_to_master()  # type: ignore[no-untyped-call]  # Locust is typed in parts

    def handle_message(self, msg: Message) -> None:
        """Hear the master out, once it has shown who it is."""
        if self._welcome:
            super().handle_message(msg)
        elif isinstance(msg.data, Mapping):
            self._at_the_door(msg.type, msg.data)

    def _said_hello(self) -> None:
        waited = 0.0
        while not self._answered.is_set():
            if waited >= self._patience_s:
                raise LoadError(f"no master of a run answers at {self._where} within {self._patience_s:g} s")
            self.client.send(_message(HELLO, {"text": self._text, "version": __version__}, self.client_id))
            self._answered.wait(AGAIN_S)
            waited += AGAIN_S
        if self._refused:
            raise LoadError(f"the master at {self._where} refused this worker: {self._refused}")

    def _at_the_door(self, kind: str, told: Mapping[str, Any]) -> None:
        if kind == HELLO:
            theirs = str(told.get("text", ""))
            if not hello.proven(told.get("proof"), self._token, "master", self._text, theirs):
                self._refused = "its token is not the one given here"
                self._answered.set()
                return
            proof = hello.proof(self._token, "worker", self._text, theirs)
            self.client.send(_message(PROOF, {"proof": proof}, self.client_id))
        elif kind == WELCOME:
            self._welcome = True
            self._answered.set()
        elif kind == REFUSED:
            self._refused = str(told.get("reason", ""))
            self._answered.set()

    def _ours(self, environment: Environment, msg: Message) -> None:  # noqa: ARG002 - Locust calls it by names
        if isinstance(msg.data, Mapping):
            self._said(msg.data)


def _message(kind: str, document: dict[str, Any], client: str) -> Message:
    return Message(kind, document, client)  # type: ignore[no-untyped-call]  # Locust is typed in parts

"""The only place that talks to a toxiproxy server, on top of toxiproxy-python, whose traps it mends.

toxiproxy-python 0.1.1 keeps the server's address in a class attribute (two servers are impossible), has no time limit,
takes a 5xx answer for success and returns nothing from `add_toxic`. Its consumer class reads the address from `cls`, so
one subclass per server, made here, gives every server its own; time limits and a check of the answer go around it.

Adding or removing a toxic can hang inside the server, seen with 2.12: while one connection's reader is stuck (a client
that does not read, with more on its way than fits in buffers) the change waits for it, and holds the lock under which
toxics are listed and new connections begin. Only the end of that connection, or of the server, resolves it. Then `Hung`
is raised; who owns the server can restart it (see `toxic`).

Adding a toxic can end the server (2.12 panics with "index out of range" in `AddToxic`): while a connection waits for
the end that a slow_close puts off, and another toxic was removed meanwhile. Then `Cut` is raised, and the same applies;
`toxic` refuses to mix toxics with slow_close, so that it does not come to that by our doing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from toxiproxy.api import APIConsumer
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists

from resilience.errors import FaultError
from resilience.model import Json, Problem

CONNECT_S = 0.3
"""Seconds until a server that does not accept connections counts as unreachable."""
ANSWER_S = 1.0
"""Seconds until an answer counts as missing."""
REMOVE_S = 0.6
"""Seconds until the removal of a toxic counts as hanging."""


class ToxiproxyGone(FaultError):  # noqa: N818 - it names a state, as in `errors`
    """Nothing listens at the control address: the server and everything it held in memory are gone."""


class Missing(FaultError):  # noqa: N818 - as above
    """The server has no such proxy or toxic."""


class Cut(FaultError):  # noqa: N818 - as above
    """The server ended the connection instead of answering: it may have died of the request."""


class Hung(FaultError):  # noqa: N818 - as above
    """The server took the request and did not answer in time."""


@dataclass(frozen=True, slots=True)
class Toxic:
    """One toxic of a proxy, as the server lists it."""

    name: str
    type: str
    stream: str
    toxicity: float
    attributes: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Proxy:
    """One proxy, as the server lists it. `listen` is where it really listens, with the port the server chose."""

    name: str
    listen: str
    upstream: str
    enabled: bool
    toxics: tuple[Toxic, ...]

    @property
    def address(self) -> tuple[str, int]:
        """Host and port at which a client on this machine reaches it."""
        host, _, port = self.listen.rpartition(":")
        host = host.strip("[]")
        return ("127.0.0.1" if host in {"", "0.0.0.0", "::"} else host), int(port)  # noqa: S104 - replaced, not bound


class Toxiproxy:
    """A toxiproxy server.

    Args:
        control_url: base address of its API, `http://127.0.0.1:8474`.

    Every method raises ToxiproxyGone if nothing listens there, Missing if the named thing does not exist, and
    FaultError if the server refuses, or (Hung) does not answer in time.
    """

    def __init__(self, control_url: str) -> None:
        """Nothing is sent yet."""
        parts = urlsplit(control_url)
        if parts.scheme != "http" or not parts.hostname or not parts.port:
            raise FaultError(
                Problem("toxiproxy", f"{control_url!r} is no control address", "write http://127.0.0.1:8474")
            )
        self.control_url = control_url
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        self._api: Any = type("Consumer", (APIConsumer,), {"host": host, "port": parts.port})

    def version(self) -> str:
        """The server's version as it says it, `2.12.0`."""
        return str(self._call("get", "/version").json()["version"])

    def proxies(self) -> dict[str, Proxy]:
        """All proxies by name, with their toxics."""
        return {name: _proxy(document) for name, document in self._call("get", "/proxies").json().items()}

    def proxy(self, name: str) -> Proxy:
        """One proxy with its toxics."""
        return _proxy(self._call("get", _path(name)).json())

    def toxics(self, proxy: str) -> dict[str, Toxic]:
        """The toxics of a proxy by name."""
        return {toxic.name: toxic for toxic in self.proxy(proxy).toxics}

    def create(self, name: str, listen: str, upstream: str) -> Proxy:
        """Make a proxy and return it as it listens. A proxy of that name must not exist."""
        wanted = {"name": name, "listen": listen, "upstream": upstream, "enabled": True}
        return _proxy(self._call("post", "/proxies", json=wanted).json())

    def delete(self, name: str) -> None:
        """Remove a proxy and close its connections. Harmless if there is none."""
        try:
            self._call("delete", _path(name))
        except Missing:
            return

    def enable(self, name: str, enabled: bool) -> None:
        """Let a proxy listen, or close its port and all its connections."""
        self._call("post", _path(name), json={"enabled": enabled})

    def add_toxic(self, proxy: str, toxic: Toxic) -> None:
        """Add a toxic to a proxy."""
        wanted = {
            "name": toxic.name,
            "type": toxic.type,
            "stream": toxic.stream,
            "toxicity": toxic.toxicity,
            "attributes": dict(toxic.attributes),
        }
        self._call("post", _path(proxy, toxic.name, add=True), json=wanted)

    def remove_toxic(self, proxy: str, toxic: str) -> None:
        """Remove a toxic. Harmless if it, or the proxy, does not exist.

        Raises:
            Hung: the server took the request and does not come to an end with it.
        """
        try:
            self._call("delete", _path(proxy, toxic), limit_s=REMOVE_S)
        except Missing:
            return

    def _call(self, verb: str, path: str, *, limit_s: float = ANSWER_S, **arguments: Any) -> requests.Response:  # noqa: ANN401 - handed through
        try:
            answer: requests.Response = getattr(self._api, verb)(
                path,
                timeout=(CONNECT_S, limit_s),
                allow_redirects=False,
                proxies={"http": None, "all": None},  # an HTTP proxy in the environment is not asked
                **arguments,
            )
        except NotFound as error:
            raise Missing(
                self._problem(path, "it does not exist", "list what there is with `resilience status`")
            ) from error
        except ProxyExists as error:
            raise FaultError(
                self._problem(path, "it exists already", "delete it first, or choose another name")
            ) from error
        except InvalidToxic as error:
            raise FaultError(self._problem(path, f"refused as invalid: {error}")) from error
        except requests.ReadTimeout as error:
            raise Hung(self._problem(path, f"no answer within {limit_s:g} s")) from error
        except requests.ConnectionError as error:
            if _refused(error):
                raise ToxiproxyGone(self._problem("", "nothing listens there", "is toxiproxy running?")) from error
            raise Cut(self._problem(path, f"ended the connection without an answer: {error}")) from error
        except requests.RequestException as error:
            raise FaultError(self._problem(path, f"no usable answer: {error}")) from error
        if answer.status_code >= requests.codes.multiple_choices:
            text = answer.text.strip()[:200]
            raise FaultError(self._problem(path, f"answered {answer.status_code} {text!r}, expected a 2xx status"))
        return answer

    def _problem(self, path: str, message: str, hint: str = "") -> Problem:
        return Problem(f"toxiproxy {self.control_url}{path}", message, hint)


def _path(proxy: str, toxic: str = "", *, add: bool = False) -> str:
    path = f"/proxies/{quote(proxy, safe='')}"
    if add:
        return f"{path}/toxics"
    return f"{path}/toxics/{quote(toxic, safe='')}" if toxic else path


def _proxy(document: Mapping[str, Any]) -> Proxy:
    toxics = tuple(
        Toxic(toxic["name"], toxic["type"], toxic["stream"], float(toxic["toxicity"]), toxic["attributes"])
        for toxic in document.get("toxics") or ()
    )
    return Proxy(document["name"], document["listen"], document["upstream"], bool(document["enabled"]), toxics)


def _refused(error: BaseException | None) -> bool:
    """Whether a refused connection is somewhere in the chain of causes, in which requests and urllib3 hide it."""
    seen = 0
    while error is not None and seen < 8:  # noqa: PLR2004 - deeper chains do not occur; a cycle must end
        if isinstance(error, ConnectionRefusedError):
            return True
        reason = getattr(error, "reason", None)
        inner = next((part for part in error.args if isinstance(part, BaseException)), None)
        error = reason if isinstance(reason, BaseException) else inner or error.__cause__ or error.__context__
        seen += 1
    return False

"""A user for locustfiles that hides nothing: `from resilience.load import LeanHttpUser`.

One call is one attempt and one event: no retry, no redirect, a time limit on the whole call, and an event also for what
is in flight when the user is stopped. What an answer means is said as in an experiment: *failed* certainly had no
effect, *unknown* may have had one.
"""

import json as json_
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar
from urllib.parse import urlsplit

from gevent import GreenletExit
from locust import User
from locust.env import Environment

from resilience.errors import LoadError
from resilience.load.classify import Broken, Finding, Happened, Reply, classify
from resilience.load.http import Address, Client
from resilience.load.operate import IN_FLIGHT_AT_END
from resilience.load.operations import Request, head_of
from resilience.load.statistics import OperationNotOkError
from resilience.model import Expect, Json, Outcome, Problem, Role

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods that ask for no effect (RFC 9110, 9.2.1)."""

_address = lru_cache(maxsize=None)(Address)  # one for each target, so that all its users share one TLS context


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a call.

    Attributes:
        outcome: `ok`, `failed` or `unknown`.
        status: 0 if there was no complete answer.
        headers: names in lower case; of several with one name the last.
        detail: why it was not ok: `kind` or `kind: particulars`; empty if it was.
    """

    outcome: str
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    detail: str = ""

    @property
    def ok(self) -> bool:
        """Whether it was what was expected."""
        return self.outcome == Outcome.OK.value

    def json(self) -> Any:  # noqa: ANN401 - as the JSON is
        """The body as JSON.

        Raises:
            ValueError: it is none.
        """
        return json_.loads(self.body)


class LeanHttp:
    """Calls of one user, on one connection that is kept.

    Args:
        environment: Locust's; its request event is fired once for every call.
        base_url: `http://host:port` or `https://…`, perhaps with a path that all paths are under.
        timeout_s: time limit of a call, if the call has none of its own.

    Attributes:
        token: a bearer token, sent with every call if it is not empty. It is in no event.

    Raises:
        LoadError: that is no address.
    """

    def __init__(self, environment: Environment, base_url: str, timeout_s: float) -> None:
        self._environment = environment
        split = urlsplit(base_url)
        self._host, self._prefix = split.netloc.rpartition("@")[2], split.path.rstrip("/")
        self._base_url = base_url.rstrip("/")
        self._client = Client(_address(base_url))
        self._timeout_s = timeout_s
        self.token = ""

    def get(self, path: str, **more: Any) -> Answer:  # noqa: ANN401 - see `request`
        """`request("GET", path, …)`."""
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> Answer:  # noqa: ANN401 - see `request`
        """`request("POST", path, …)`."""
        return self.request("POST", path, **more)

    def put(self, path: str, **more: Any) -> Answer:  # noqa: ANN401 - see `request`
        """`request("PUT", path, …)`."""
        return self.request("PUT", path, **more)

    def delete(self, path: str, **more: Any) -> Answer:  # noqa: ANN401 - see `request`
        """`request("DELETE", path, …)`."""
        return self.request("DELETE", path, **more)

    def request(  # noqa: PLR0913 - what can be said of a call, each by name
        self,
        method: str,
        path: str,
        *,
        name: str = "",
        headers: Mapping[str, str] | None = None,
        json: Json = None,
        body: bytes = b"",
        timeout_s: float | None = None,
        status: Sequence[int] = (200,),
        expect: Mapping[str, str] | None = None,
        rejected_status: Sequence[int] = (),
        due_s: float | None = None,
    ) -> Answer:
        """Send one request, once, wait for what happens, fire Locust's request event, and say what became of it.

        Args:
            method: in capitals.
            path: with query; what cannot stand there is percent-encoded.
            name: in Locust's statistics; the path if empty.
            headers: besides Host, User-Agent, Accept and what the body needs.
            json: the body, as JSON.
            body: the body, as it is.
            timeout_s: time limit of the whole call, connecting included.
            status: accepted status codes.
            expect: dotted path in the JSON answer → the text that it must equal.
            rejected_status: answers after which a write certainly had no effect, by the target's contract.
            due_s: when it was to be sent, on `time.monotonic()`; response time counts from then. None is now.

        Raises:
            LoadError: it cannot be sent. No event is fired.
        """
        if json is not None:
            body = json_.dumps(json, separators=(",", ":"), allow_nan=False).encode()
        given = {"Content-Type": "application/json"} if json is not None else {}
        given |= {"Authorization": f"Bearer {self.token}"} if self.token else {}
        head = head_of(method, self._prefix + path, self._host, {**given, **(headers or {})}, body)
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        if not limit_s > 0:
            raise LoadError(Problem("timeout_s", f"{limit_s!r} is no time limit; more than 0 s was expected"))
        role = Role.READ if method in SAFE else Role.WRITE
        wanted = Expect(status=tuple(status), json=expect or {})
        call = _Call(self._environment, method, name or path, f"{self._base_url}{path}", due_s)
        try:
            happened = self._client.call(Request(head + body, no_body=method == "HEAD"), limit_s)
        except BaseException as error:  # the user is stopped meanwhile, or has a time limit of its own
            reason = IN_FLIGHT_AT_END if isinstance(error, GreenletExit) else f"interrupted: {type(error).__name__}"
            call.ended(classify(role, Broken(reason), wanted, rejected_status), None)
            raise
        finding = classify(role, happened, wanted, rejected_status)
        call.ended(finding, happened)
        if not isinstance(happened, Reply):
            return Answer(finding.outcome.value, detail=finding.detail)
        texts = {key.decode("latin-1"): value.decode("latin-1") for key, value in happened.headers}
        return Answer(finding.outcome.value, happened.status, texts, happened.body, finding.detail)

    def close(self) -> None:
        """Close the connection. The next call makes a new one."""
        self._client.close()


class _Call:
    """One call as Locust's listeners are told of it."""

    def __init__(self, environment: Environment, method: str, name: str, url: str, due_s: float | None) -> None:
        self._fire = environment.events.request.fire
        self._method, self._name, self._url = method, name, url
        self._began_s, self._wall_s = time.monotonic(), time.time()
        self._due_s = self._began_s if due_s is None else due_s

    def ended(self, finding: Finding, happened: Happened | None) -> None:
        """Fire the event: times in milliseconds, response time from when the call was due."""
        service_s = time.monotonic() - self._began_s
        lag_s = self._began_s - self._due_s
        outcome = finding.outcome.value
        kind = finding.detail.partition(":")[0]
        self._fire(  # type: ignore[no-untyped-call]  # Locust's events have no types
            request_type=self._method,
            name=self._name,
            response_time=(lag_s + service_s) * 1e3,
            response_length=len(happened.body) if isinstance(happened, Reply) else 0,
            response=None,
            context={
                "outcome": outcome,
                "status": finding.status,
                "detail": finding.detail,
                "service_ms": service_s * 1e3,
                "lag_ms": lag_s * 1e3,
            },
            exception=None if finding.outcome is Outcome.OK else OperationNotOkError(f"{outcome}: {kind}"),
            start_time=self._wall_s - lag_s,
            url=self._url,
        )


class LeanHttpUser(User):
    """A Locust user whose `client` is a `LeanHttp`.

    Attributes:
        timeout_s: time limit of a call, in seconds, if the call has none of its own.
        client: to send requests with.
    """

    abstract = True
    timeout_s: ClassVar[float] = 10.0

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        if not self.host:
            raise LoadError(Problem("host", "there is no host; http://host:port was expected", "locust --host …"))
        self.client = LeanHttp(environment, self.host, self.timeout_s)

    def on_stop(self) -> None:
        """The user is stopped: its connection is closed."""
        self.client.close()

"""Faults of an external machine-learning provider, in the stand-in that `python -m resilience.provider` starts.

Each is set in the server under a name of its own and for as long as the lease may last: it ends by itself there. How
they are undone: that name is removed. A server that was started again has none. The token is read from the file that
the stack names, each time: it is new whenever the server starts.

`active` sends the requests that a client sends, and asks the server what is set. Only if both agree it is an answer.
"""

import contextlib
import http.client
import json
import math
import secrets
import time
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from resilience.errors import FaultError
from resilience.faults import presence
from resilience.faults.kinds import LEASE, Kind, Setting, Settings, kind_of
from resilience.model import Json, Place, Problem, Undo

BOUND_S = 1.0
SILENCE_S = 0.3
MOST_TRIES = 60
ASKED = json.dumps(
    {"model": "stand-in-small", "messages": [{"role": "user", "content": "canary"}], "max_tokens": 1}
).encode()
"""What `active` asks: the least that goes the way of all requests."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status 0 if nothing did, `whole` if the body came to its end, and how long that took."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool
    took_s: float

    def __str__(self) -> str:
        """`status 429 in 1.2 ms`."""
        what = f"status {self.status}" if self.status else "no answer"
        return f"{what}{'' if self.whole or not self.status else ', not whole,'} in {self.took_s * 1e3:.1f} ms"

    @property
    def fit(self) -> bool:
        """Whether a client can use it."""
        if self.status != http.client.OK or not self.whole:
            return False
        try:
            return bool(json.loads(self.body)["choices"][0]["message"]["content"])
        except (ValueError, KeyError, IndexError, TypeError):
            return False


class Kept(http.client.HTTPConnection):
    """A connection that is kept over a fault, and closed when it is forgotten."""

    def __del__(self) -> None:
        """Without a warning."""
        self.close()


def ask(connection: http.client.HTTPConnection, bound_s: float) -> Answer:
    """One request on a connection, which is opened if it is not open."""
    began = time.monotonic()
    status, headers, body, whole = 0, {}, b"", False
    try:
        if connection.sock is None:
            connection.connect()
        connection.sock.settimeout(bound_s)
        connection.request("POST", "/v1/chat/completions", ASKED, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        status, headers = answer.status, {name.lower(): value for name, value in answer.getheaders()}
        body = answer.read()
        whole = True
    except (OSError, http.client.HTTPException):
        connection.close()
    return Answer(status, headers, body, whole, time.monotonic() - began)


def control(data: Mapping[str, Any], method: str, name: str = "", document: Json = None) -> Any:  # noqa: ANN401 - any JSON
    """Ask the server's control API; None where it says that there is no such fault.

    Raises:
        FaultError: it does not answer, or refuses.
    """
    where = f"the provider at {data['host']}:{data['port']}"
    connection = http.client.HTTPConnection(data["host"], data["port"], timeout=BOUND_S)
    try:
        with contextlib.closing(connection):
            headers = {"Authorization": f"Bearer {Path(data['passfile']).read_text().strip()}"}
            body = None if document is None else json.dumps(document)
            connection.request(method, f"/-/faults/{name}".rstrip("/"), body, headers)
            answer = connection.getresponse()
            content = answer.read()
        if answer.status not in {200, 204, 404}:
            raise FaultError(Problem(data["part"], f"{where} answered {answer.status}: {content[:200]!r}"))
        return json.loads(content) if answer.status == http.client.OK else None
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise FaultError(Problem(data["part"], f"{where}: {error}")) from error


class ProviderFault:
    """What the faults of a provider have in common.

    Args:
        settings: of the kind, complete; none to revert.
        place: the stand-in; None to revert.
    """

    kind: ClassVar[str]

    def __init__(self, settings: Settings | None = None, place: Place | None = None) -> None:
        """Nothing is looked at yet."""
        self._settings: Mapping[str, Any] = settings or {}
        self._place = place
        self._before: Kept | None = None
        self.proof = ""

    def prepare(self) -> Undo:
        """It must answer well; a connection is kept to be measured on later."""
        place = self._place
        if place is None:
            raise FaultError(Problem(self.kind, "needs a part of a stack"))
        self._before = Kept(place.host, place.port, timeout=BOUND_S)
        answer = ask(self._before, BOUND_S)
        if not answer.fit:
            raise FaultError(Problem(place.name, f"its answer was of no use: {answer}", "is a fault there already?"))
        data: dict[str, Json] = {
            **presence.known(place),
            "host": place.host,
            "port": place.port,
            "passfile": place.passfile,
            "name": f"resilience-{secrets.token_hex(6)}",
            "ttl_s": self._settings[LEASE],
            "settings": {name: value for name, value in self._settings.items() if name != LEASE},
            "well_s": answer.took_s,
        }
        control(data, "GET")
        return Undo(kind=self.kind, data=data)

    def inject(self, undo: Undo, /) -> None:
        """Set it."""
        data: Mapping[str, Any] = undo.data
        told = {"kind": self.kind.removeprefix("provider."), "settings": data["settings"], "ttl_s": data["ttl_s"]}
        control(data, "PUT", data["name"], told)

    def revert(self, undo: Undo, /) -> None:
        """Remove it."""
        data: Mapping[str, Any] = undo.data
        if not presence.gone(data):
            control(data, "DELETE", data["name"])

    def active(self, undo: Undo, /) -> bool:
        """Whether requests meet it, on new and existing connections, and the server says that it is set.

        Raises:
            FaultError: they do not agree.
        """
        data: Mapping[str, Any] = undo.data
        if presence.gone(data):
            self.proof = "the provider is gone"
            return False
        listed = {fault["name"]: fault["kind"] for fault in control(data, "GET")["faults"]}
        ours = data["name"] in listed
        if listed and not ours:
            self.proof = f"the provider no longer has it, but has {sorted(listed.values())}: no more can be told apart"
            return False
        met, self.proof = self._measured(data, expected=ours)
        if met is not ours:
            words = f"it is {'set' if ours else 'not set'}, and requests {'met' if met else 'did not meet'} it"
            raise FaultError(
                Problem(data["part"], f"it cannot be told whether {self.kind} is there: {words}; {self.proof}")
            )
        return ours

    def _measured(self, data: Mapping[str, Any], *, expected: bool) -> tuple[bool, str]:
        """Whether a request meets it, and the figures. One is enough; as many are sent as its share makes needful."""
        percent = int(data["settings"]["percent"])
        tries = min(MOST_TRIES, math.ceil(3 * 100 / max(1, percent))) if expected else 3
        fresh = http.client.HTTPConnection(data["host"], data["port"], timeout=BOUND_S)
        with contextlib.closing(fresh):
            for number in range(1, tries + 1):
                connection = self._before if number % 2 == 0 and self._before is not None else fresh
                answer = ask(connection, self.patience_s(data))
                if self.shows(answer, data):
                    return True, f"request {number} of at most {tries}: {answer}{self.detail(answer)}"
        return False, f"{tries} requests, the last: {answer}"

    def patience_s(self, data: Mapping[str, Any]) -> float:  # noqa: ARG002 - for those that need it
        """How long an answer is waited for."""
        return BOUND_S

    def detail(self, answer: Answer) -> str:  # noqa: ARG002 - for those that have some
        """What else the proof says of an answer that met it."""
        return ""

    @abstractmethod
    def shows(self, answer: Answer, data: Mapping[str, Any]) -> bool:
        """Whether an answer shows the effect."""


class Slow(ProviderFault):
    """Answers are late by `latency_ms`, give or take `jitter_ms`.

    How it is undone: it is removed. What it needs: the stand-in. When it fails: the stand-in does not answer.
    """

    kind = "provider.slow"

    def patience_s(self, data: Mapping[str, Any]) -> float:
        """Half the latency more than before is evidence enough, and a second."""
        return float(data["well_s"]) + min(float(data["settings"]["latency_ms"]) / 2e3, BOUND_S)

    def shows(self, answer: Answer, data: Mapping[str, Any]) -> bool:
        """No answer within half of the latency."""
        return answer.took_s >= self.patience_s(data) and not answer.whole


class Throttled(ProviderFault):
    """Requests are answered with 429 and `Retry-After`, as when a quota is used up.

    How it is undone: it is removed. What it needs: the stand-in. When it fails: the stand-in does not answer.
    """

    kind = "provider.throttled"

    def shows(self, answer: Answer, data: Mapping[str, Any]) -> bool:
        """A 429 that says when to come again."""
        return answer.status == http.client.TOO_MANY_REQUESTS and answer.headers.get("retry-after") == str(
            data["settings"]["retry_after_s"]
        )

    def detail(self, answer: Answer) -> str:
        """When to come again."""
        return f", Retry-After: {answer.headers['retry-after']}"


class Failing(ProviderFault):
    """Requests are answered with 500, 502 or 503.

    How it is undone: it is removed. What it needs: the stand-in. When it fails: the stand-in does not answer.
    """

    kind = "provider.failing"

    def shows(self, answer: Answer, data: Mapping[str, Any]) -> bool:
        """That status."""
        return answer.status == int(data["settings"]["status"])


class Stops(ProviderFault):
    """Answers begin and stop: a stream after `after_words`, any other in the middle.

    The connection is closed (`cut`), or stays open and silent (`hang`). How it is undone: it is removed. What it needs:
    the stand-in. When it fails: the stand-in does not answer.
    """

    kind = "provider.stops"

    def patience_s(self, data: Mapping[str, Any]) -> float:
        """Silence, if that is how it stops."""
        return SILENCE_S + float(data["well_s"]) if data["settings"]["how"] == "hang" else BOUND_S

    def shows(self, answer: Answer, data: Mapping[str, Any]) -> bool:  # noqa: ARG002 - as declared
        """A good beginning without an end."""
        return answer.status == http.client.OK and not answer.whole


class Nonsense(ProviderFault):
    """Requests are answered with status 200 and nothing that a client can use.

    No JSON (`garbage`), JSON of another shape (`schema`), or no choices (`empty`). How it is undone: it is removed.
    What it needs: the stand-in. When it fails: the stand-in does not answer.
    """

    kind = "provider.nonsense"

    def shows(self, answer: Answer, data: Mapping[str, Any]) -> bool:  # noqa: ARG002 - as declared
        """A whole 200 of no use."""
        return answer.status == http.client.OK and answer.whole and not answer.fit


def _preflight(_settings: Settings, place: Place) -> tuple[Problem, ...]:
    try:
        control({"part": place.name, "host": place.host, "port": place.port, "passfile": place.passfile}, "GET")
    except FaultError as error:
        hint = "it must be the stand-in, `python -m resilience.provider`, and run"
        return tuple(Problem(problem.where, problem.message, hint) for problem in error.problems)
    return ()


def _jitter(settings: Settings) -> tuple[Problem, ...]:
    latency, jitter = settings["latency_ms"], settings["jitter_ms"]
    if isinstance(latency, int) and isinstance(jitter, int) and jitter > latency:
        return (Problem("jitter_ms", f"{jitter} is more than latency_ms {latency}", "latency cannot be negative"),)
    return ()


def _kind(fault: type[ProviderFault], undo: str, settings: Mapping[str, Setting], **more: Any) -> Kind:  # noqa: ANN401 - as `kind_of`
    needs = {"passfile": "the token of a provider stand-in"}
    share = {"percent": Setting(default=100, minimum=5, maximum=100, meaning="Share of the requests that meet it.")}
    return kind_of(fault, undo, needs, {**settings, **share}, preflight=_preflight, **more)


_REMOVED = "the fault of this run is removed from {on}; it also ends there by itself"

KINDS: tuple[Kind, ...] = (
    _kind(
        Slow,
        _REMOVED,
        {
            "latency_ms": Setting(default=2000, minimum=50, maximum=60_000, meaning="Added to every answer."),
            "jitter_ms": Setting(default=0, maximum=60_000, meaning="The latency varies by up to this."),
        },
        together=_jitter,
    ),
    _kind(
        Throttled,
        _REMOVED,
        {"retry_after_s": Setting(default=1, maximum=3600, meaning="What Retry-After says.")},
    ),
    _kind(
        Failing,
        _REMOVED,
        {"status": Setting(default="503", meaning="The status of the answers.", choices=("500", "502", "503"))},
    ),
    _kind(
        Stops,
        _REMOVED,
        {
            "after_words": Setting(default=3, maximum=1000, meaning="So many words of a stream still come."),
            "how": Setting(default="cut", meaning="Whether the connection is closed.", choices=("cut", "hang")),
        },
    ),
    _kind(
        Nonsense,
        _REMOVED,
        {
            "how": Setting(
                default="garbage", meaning="In which way it is of no use.", choices=("garbage", "schema", "empty")
            )
        },
    ),
)
"""The kinds of this mechanism."""

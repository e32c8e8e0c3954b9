"""Faults of the network link between the service and a part of the stack, by toxiproxy.

What it changes: one proxy: switched off, or given toxics under names of our own. How it is undone: exactly those toxics
are removed, or the proxy is switched on again; other people's toxics stay. What it needs: a part behind a toxiproxy
proxy (`Place.proxy`, `Place.control`). When it fails: the server does not answer, or the effect cannot be measured
because the part itself does not answer.

`active` measures the effect on a fresh connection through the proxy, against one past it, and asks the server as well.
Only if both agree is the answer yes or no; else it raises, and who asked asks again. Existing connections: switching a
proxy off closes them; toxics reach them with their next bytes.
"""

import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from resilience.errors import FaultError
from resilience.faults import effects, process
from resilience.faults.effects import Address, Look, Seen
from resilience.faults.kinds import Kind, Setting, Settings, kind_of
from resilience.faults.toxiproxy import Hung, Missing, Proxy, Toxic, Toxiproxy, ToxiproxyGone
from resilience.model import Json, Place, Problem, Undo

SERVER = "toxiproxy"
"""The part of a stack that is the server itself."""
RESTART_S = 2.0
SILENCE_S = 0.3
"""No answer for this long through the proxy, while the part itself answers, is a hang."""


@dataclass(frozen=True, slots=True)
class _Link:
    """What an undo says about the link, as values."""

    server: Toxiproxy
    proxy: str
    direct: Address
    words: bytes

    @classmethod
    def of(cls, undo: Undo) -> "_Link":
        data: Mapping[str, Any] = undo.data
        host, port = data["direct"]
        return cls(Toxiproxy(data["control"]), data["proxy"], (host, port), data["words"].encode("latin-1"))

    def ask_direct(self) -> Look:
        return effects.ask(self.direct, self.words)

    def ask_through(self, proxy: Proxy, bound_s: float = effects.PATIENCE_S) -> Look:
        return effects.ask(proxy.address, self.words, bound_s)


class LinkFault(ABC):
    """What the faults of a link have in common.

    Args:
        settings: of the kind, complete (`registry.build` fills in defaults); none to revert.
        place: the part whose link is bent; None to revert.
    """

    kind: ClassVar[str]

    def __init__(self, settings: Mapping[str, Json] | None = None, place: Place | None = None) -> None:
        """Nothing is looked at yet."""
        self._settings: Mapping[str, Any] = settings or {}
        self._place = place
        self.proof = ""

    def prepare(self) -> Undo:
        """Find the proxy, which must be switched on, and name the toxics to come."""
        place = self._place
        if place is None or not place.proxy or not place.control:
            raise FaultError(Problem(self.kind, "needs a part behind a toxiproxy proxy"))
        proxy = Toxiproxy(place.control).proxy(place.proxy)
        if not proxy.enabled:
            raise FaultError(Problem(place.name, f"its proxy {proxy.name} is switched off already", "switch it on"))
        common: dict[str, Json] = {
            "control": place.control,
            "state": place.state,
            "proxy": proxy.name,
            "enabled": proxy.enabled,
            "direct": [place.host, place.port],
            "words": effects.question(place).decode("latin-1"),
        }
        return Undo(kind=self.kind, data={**common, **self._plan()})

    def active(self, undo: Undo, /) -> bool:
        """Whether the effect is measured, and the server says the same.

        Raises:
            FaultError: the two do not agree, or nothing can be measured: it cannot be told.
        """
        link = _Link.of(undo)
        try:
            proxy = link.server.proxy(link.proxy)
        except (ToxiproxyGone, Missing) as error:
            self.proof = f"the proxy is gone, and everything about it: {error}"
            return False
        listed = self._listed(undo, proxy)
        if not listed and not self._attributable(proxy):
            self.proof = (
                "the server no longer has it; something else bends the link, so its effect cannot be told apart"
            )
            return False
        there, words = self._measure(undo, link, proxy, listed=listed)
        self.proof = f"toxiproxy {'has' if listed else 'does not have'} it; {words}"
        if there is not listed:
            raise FaultError(Problem(link.proxy, f"it cannot be told whether {self.kind} is there: {self.proof}"))
        return there

    @abstractmethod
    def inject(self, undo: Undo, /) -> None:
        """Bend the link."""

    @abstractmethod
    def revert(self, undo: Undo, /) -> None:
        """Put the link back."""

    @abstractmethod
    def _plan(self) -> Mapping[str, Json]:
        """What the undo says beyond where the link is."""

    @abstractmethod
    def _listed(self, undo: Undo, proxy: Proxy) -> bool:
        """Whether the server says that it is there."""

    @abstractmethod
    def _attributable(self, proxy: Proxy) -> bool:
        """Whether an effect that is measured now could not be somebody else's."""

    @abstractmethod
    def _measure(self, undo: Undo, link: _Link, proxy: Proxy, *, listed: bool) -> tuple[bool, str]:
        """Whether the effect is there, and the figures that say so."""


class Down(LinkFault):
    """The proxy is switched off: existing connections are closed, new ones refused."""

    kind = "toxiproxy.down"

    def inject(self, undo: Undo, /) -> None:
        """Switch the proxy off."""
        link = _Link.of(undo)
        link.server.enable(link.proxy, enabled=False)

    def revert(self, undo: Undo, /) -> None:
        """Switch the proxy on again, if it was on before and is not."""
        link = _Link.of(undo)
        try:
            if undo.data["enabled"] and not link.server.proxy(link.proxy).enabled:
                link.server.enable(link.proxy, enabled=True)
        except (ToxiproxyGone, Missing):
            return

    def _plan(self) -> Mapping[str, Json]:
        return {}

    def _listed(self, undo: Undo, proxy: Proxy) -> bool:  # noqa: ARG002 - the proxy itself is the state
        return not proxy.enabled

    def _attributable(self, proxy: Proxy) -> bool:  # noqa: ARG002 - nothing else closes the port
        return True

    def _measure(self, undo: Undo, link: _Link, proxy: Proxy, *, listed: bool) -> tuple[bool, str]:  # noqa: ARG002 - as declared
        through = effects.ask(proxy.address, b"")
        return through.seen is Seen.REFUSED, f"a connect to {proxy.listen} was {through}"


class ToxicFault(LinkFault):
    """What the faults that add toxics have in common; one toxic per direction."""

    type: ClassVar[str]

    def inject(self, undo: Undo, /) -> None:
        """Add the toxics."""
        link = _Link.of(undo)
        for toxic in _toxics(undo):
            link.server.add_toxic(link.proxy, toxic)

    def revert(self, undo: Undo, /) -> None:
        """Remove the toxics that inject added, and no other.

        A server that hangs is restarted if the stack says how, which loses other toxics and all connections.

        Raises:
            FaultError: that was so; trying again succeeds. Or it hangs, and nobody here may restart it.
        """
        link = _Link.of(undo)
        state = Path(str(undo.data["state"])) if undo.data.get("state") else None
        process_before = None if state is None else process.recorded(state, SERVER)
        try:
            for toxic in _toxics(undo):
                link.server.remove_toxic(link.proxy, toxic.name)
        except ToxiproxyGone:
            return
        except Hung as error:
            if state is None or not process.restart(state, SERVER, process_before):
                raise
            _await_proxy(link)
            message = "toxiproxy hung and was restarted: connections through all its proxies were closed"
            raise FaultError(Problem(link.proxy, message)) from error

    def _plan(self) -> Mapping[str, Json]:
        token = secrets.token_hex(6)
        stream = str(self._settings["stream"])
        streams = ("downstream", "upstream") if stream == "both" else (stream,)
        return {
            "toxics": [
                {"name": f"resilience-{token}-{stream}", "stream": stream, "attributes": self._attributes()}
                for stream in streams
            ]
        }

    @abstractmethod
    def _attributes(self) -> Mapping[str, Json]:
        """The toxic's attributes, from the settings."""

    def _listed(self, undo: Undo, proxy: Proxy) -> bool:
        names = {toxic.name for toxic in proxy.toxics}
        ours = [toxic.name in names for toxic in _toxics(undo)]
        if any(ours) and not all(ours):
            raise FaultError(Problem(proxy.name, f"only {sum(ours)} of {len(ours)} toxics of {self.kind} are there"))
        return all(ours)

    def _attributable(self, proxy: Proxy) -> bool:
        return proxy.enabled and not proxy.toxics

    def _measure(self, undo: Undo, link: _Link, proxy: Proxy, *, listed: bool) -> tuple[bool, str]:
        direct = link.ask_direct()
        if not link.words:
            return listed, f"no protocol is known for it: not measured; a connect past the proxy was {direct}"
        if direct.seen is not Seen.ANSWERED:
            if listed:
                raise FaultError(Problem(proxy.name, f"nothing can be measured: past the proxy it was {direct}"))
            return False, f"past the proxy it was {direct}, too"
        there, through = self._compare(_toxics(undo)[0].attributes, direct, link, proxy)
        return there, f"through the proxy {through}, past it {direct}"

    @abstractmethod
    def _compare(self, attributes: Mapping[str, Any], direct: Look, link: _Link, proxy: Proxy) -> tuple[bool, Look]:
        """Whether an exchange through the proxy shows the effect, and that exchange."""


class Timeout(ToxicFault):
    """Bytes are swallowed: connections open and nothing is ever answered.

    With `timeout_ms` above 0 the connection is closed after that long; with 0 it stays open (a black hole).
    """

    kind = "toxiproxy.timeout"
    type = "timeout"

    def _attributes(self) -> Mapping[str, Json]:
        return {"timeout": self._settings["timeout_ms"]}

    def _compare(self, attributes: Mapping[str, Any], direct: Look, link: _Link, proxy: Proxy) -> tuple[bool, Look]:  # noqa: ARG002 - as declared
        through = link.ask_through(proxy, max(SILENCE_S, 5 * direct.took_s))
        return through.seen in {Seen.SILENT, Seen.CLOSED}, through


class Latency(ToxicFault):
    """Every answer is late by `latency_ms`, give or take `jitter_ms`."""

    kind = "toxiproxy.latency"
    type = "latency"

    def _attributes(self) -> Mapping[str, Json]:
        return {"latency": self._settings["latency_ms"], "jitter": self._settings["jitter_ms"]}

    def _compare(self, attributes: Mapping[str, Any], direct: Look, link: _Link, proxy: Proxy) -> tuple[bool, Look]:
        # Half the latency is enough evidence, and as much waiting as a probe may cost; jitter makes one probe in four
        # at most fall below that, hence up to three.
        more_s = min(0.5 * attributes["latency"] / 1e3, effects.PATIENCE_S)
        through = direct
        for _ in range(3 if attributes.get("jitter") else 1):
            through = link.ask_through(proxy, direct.took_s + more_s)
            late = through.seen is Seen.ANSWERED and through.took_s - direct.took_s >= more_s
            if late or through.seen is Seen.SILENT:
                return True, through
        return False, through


class Reset(ToxicFault):
    """Connections are reset (TCP RST) once bytes come, `timeout_ms` later."""

    kind = "toxiproxy.reset"
    type = "reset_peer"

    def _attributes(self) -> Mapping[str, Json]:
        return {"timeout": self._settings["timeout_ms"]}

    def _compare(self, attributes: Mapping[str, Any], direct: Look, link: _Link, proxy: Proxy) -> tuple[bool, Look]:  # noqa: ARG002 - as declared
        through = link.ask_through(proxy, attributes["timeout"] / 1e3 + SILENCE_S)
        return through.seen is Seen.CLOSED, through


def _await_proxy(link: _Link) -> None:
    """After a restart the server needs a moment until it has its proxies."""
    deadline = time.monotonic() + RESTART_S
    while time.monotonic() < deadline:
        with suppress(FaultError):
            link.server.proxy(link.proxy)
            return
        time.sleep(0.02)


_TYPES = {fault.kind: fault.type for fault in (Timeout, Latency, Reset)}


def _toxics(undo: Undo) -> tuple[Toxic, ...]:
    def toxics() -> Iterator[Toxic]:
        data: Mapping[str, Any] = undo.data
        for toxic in data["toxics"]:
            yield Toxic(toxic["name"], _TYPES[undo.kind], toxic["stream"], 1.0, toxic["attributes"])

    return tuple(toxics())


_LINK = {"proxy": "a toxiproxy proxy in front of it", "control": "the address of a toxiproxy server"}
_STREAM = Setting(
    default="downstream",
    meaning="Direction: downstream is from the part to the service.",
    choices=("downstream", "upstream", "both"),
)


def _jitter(settings: Settings) -> tuple[Problem, ...]:
    latency, jitter = settings["latency_ms"], settings["jitter_ms"]
    if isinstance(latency, int) and isinstance(jitter, int) and jitter > latency:
        return (Problem("jitter_ms", f"{jitter} is more than latency_ms {latency}", "latency cannot be negative"),)
    return ()


KINDS: tuple[Kind, ...] = (
    kind_of(Down, "the proxy in front of {on} is switched on again, as it was", _LINK),
    kind_of(
        Timeout,
        "the timeout toxic that this run added to the proxy in front of {on} is removed",
        _LINK,
        {
            "timeout_ms": Setting(default=0, meaning="Connections are closed after this long; 0 is never."),
            "stream": _STREAM,
        },
    ),
    kind_of(
        Latency,
        "the latency toxic that this run added to the proxy in front of {on} is removed",
        _LINK,
        {
            "latency_ms": Setting(default=500, minimum=1, maximum=60_000, meaning="Added to every answer."),
            "jitter_ms": Setting(default=0, maximum=60_000, meaning="The latency varies by up to this."),
            "stream": _STREAM,
        },
        together=_jitter,
    ),
    kind_of(
        Reset,
        "the reset toxic that this run added to the proxy in front of {on} is removed",
        _LINK,
        {
            # More would delay the removal: the server does not interrupt a connection that waits for its reset.
            "timeout_ms": Setting(default=0, maximum=500, meaning="Connections are reset this long after bytes."),
            "stream": _STREAM,
        },
    ),
)
"""The kinds of this mechanism."""

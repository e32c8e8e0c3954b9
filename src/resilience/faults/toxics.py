"""Faults of the network link between the service and a part of the stack, by toxiproxy: all its toxics, and `down`.

What it changes: one proxy: switched off, or given toxics under names of our own. How it is undone: exactly those toxics
are removed, or the proxy is switched on again; other people's toxics stay. What it needs: a part behind a toxiproxy
proxy (`Place.proxy`, `Place.control`). When it fails: the server does not answer, or the effect cannot be measured
because the part itself does not answer, or because other toxics hide it.

Existing connections: switching a proxy off closes them; toxics reach them with their next bytes.
"""

from collections.abc import Mapping
from typing import Any

from resilience.errors import FaultError
from resilience.faults import effects, lines
from resilience.faults.effects import Address, Look, Seen
from resilience.faults.kinds import Kind, Setting, Settings, kind_of
from resilience.faults.link import Link, LinkFault
from resilience.faults.toxic import SILENCE_S, ToxicFault, Trial
from resilience.faults.toxiproxy import Missing, Proxy, Toxic, ToxiproxyGone
from resilience.model import Json, Place, Problem, Undo


class Down(LinkFault):
    """The proxy is switched off: existing connections are closed, new ones refused.

    How it is undone: it is switched on, if it was on before. What it needs: a proxy that is on. When it fails: the
    server does not answer.
    """

    kind = "toxiproxy.down"

    def inject(self, undo: Undo, /) -> None:
        """Switch the proxy off."""
        link = Link.of(undo)
        link.server.enable(link.proxy, enabled=False)

    def revert(self, undo: Undo, /) -> None:
        """Switch the proxy on again, if it was on before and is not."""
        link = Link.of(undo)
        try:
            if undo.data["enabled"] and not link.server.proxy(link.proxy).enabled:
                link.server.enable(link.proxy, enabled=True)
        except (ToxiproxyGone, Missing):
            return

    def _plan(self) -> Mapping[str, Json]:
        return {}

    def _listed(self, undo: Undo, proxy: Proxy) -> bool:  # noqa: ARG002 - the proxy itself is the state
        return not proxy.enabled

    def _measure(self, undo: Undo, link: Link, proxy: Proxy, *, listed: bool) -> tuple[bool, str]:  # noqa: ARG002 - as declared
        through = effects.ask(proxy.address, b"")
        words = f"a connect to {proxy.listen} was {through}"
        before = self._ask_kept(1 if self.echo else 0, SILENCE_S, listed=True) if listed else None
        if before is None:
            return through.seen is Seen.REFUSED, words
        if before.seen is not Seen.CLOSED:
            raise FaultError(Problem(proxy.name, f"a connection opened before still is {before}"))
        return through.seen is Seen.REFUSED, f"{words}, one opened before was {before}"


class Slow(ToxicFault):
    """What makes an exchange last longer: it counts as seen from half of what it must add on (at most 1 s)."""

    def _own_s(self, attributes: Mapping[str, Any], size: int) -> float:
        """What it adds at least, in one direction."""
        raise NotImplementedError

    def _more_s(self, trial: Trial) -> float:
        return trial.others_s + min(0.5 * self._own_s(trial.attributes, trial.size), effects.PATIENCE_S)

    def _bound_s(self, trial: Trial) -> float:
        return trial.direct.took_s + self._more_s(trial)

    def _felt(self, trial: Trial, look: Look) -> bool:
        late = look.seen is Seen.ANSWERED and look.took_s - trial.direct.took_s >= self._more_s(trial)
        return late or look.seen is Seen.SILENT


class Latency(Slow):
    """Every answer is late by `latency_ms`, give or take `jitter_ms`.

    How it is undone: the toxic is removed. What it needs: a proxy. When it fails: other toxics hide it.
    """

    kind = "toxiproxy.latency"
    type = "latency"

    def _attributes(self) -> Mapping[str, Json]:
        return {"latency": self._settings["latency_ms"], "jitter": self._settings["jitter_ms"]}

    def _own_s(self, attributes: Mapping[str, Any], size: int) -> float:  # noqa: ARG002 - as declared
        # Jitter makes one look in four at most fall below half of it; hence up to three (`_again`).
        return float(attributes["latency"]) / 1e3


class Bandwidth(Slow):
    """No more than `rate_kb_per_s` get through, for each connection on its own.

    How it is undone: the toxic is removed. What it needs: a part that echoes something long. When it fails: other
    toxics hide it, such as a smaller bandwidth.
    """

    kind = "toxiproxy.bandwidth"
    type = "bandwidth"
    echo = True

    def _attributes(self) -> Mapping[str, Json]:
        return {"rate": self._settings["rate_kb_per_s"]}

    def _size(self, attributes: Mapping[str, Any]) -> int:
        return int(min(max(150 * attributes["rate"], 200), 262_144))  # lasts 150 ms if it may

    def _own_s(self, attributes: Mapping[str, Any], size: int) -> float:
        return size / (float(attributes["rate"]) * 1e3)  # toxiproxy's KB are 1,000 bytes


class Slicer(Slow):
    """Bytes come in small pieces of about `average_bytes`, `delay_us` apart.

    How it is undone: the toxic is removed. What it needs: a part that echoes something long. When it fails: other
    toxics hide it.
    """

    kind = "toxiproxy.slicer"
    type = "slicer"
    echo = True

    def _attributes(self) -> Mapping[str, Json]:
        told = self._settings
        return {
            "average_size": told["average_bytes"],
            "size_variation": told["variation_bytes"],
            "delay": told["delay_us"],
        }

    def _size(self, attributes: Mapping[str, Any]) -> int:
        # Enough that a delayed acknowledgement (40 ms), which connections in use may meet, is not taken for it.
        pieces = min(max(200_000 / attributes["delay"], 4), 20)
        return int(pieces * attributes["average_size"])

    def _own_s(self, attributes: Mapping[str, Any], size: int) -> float:
        largest = attributes["average_size"] + attributes["size_variation"]
        return float(size / largest * attributes["delay"] / 1e6)

    def _felt(self, trial: Trial, look: Look) -> bool:
        return super()._felt(trial, look) and (look.seen is Seen.SILENT or look.reads > 1)


class SlowClose(Slow):
    """A connection that one side ends is ended for the other side `delay_ms` later.

    How it is undone: the toxic is removed; what waits is ended at once. What it needs: a proxy. When it fails: other
    toxics hide it.
    """

    kind = "toxiproxy.slow-close"
    type = "slow_close"

    def _attributes(self) -> Mapping[str, Json]:
        return {"delay": self._settings["delay_ms"]}

    def _own_s(self, attributes: Mapping[str, Any], size: int) -> float:  # noqa: ARG002 - as declared
        return float(attributes["delay"]) / 1e3

    def _added_s(self, other: Toxic, size: int) -> float:
        if other.type == self.type:
            told: Mapping[str, Any] = other.attributes
            return float(told["delay"]) / 1e3
        return super()._added_s(other, size)

    def _look(self, link: Link, address: Address, size: int, bound_s: float) -> Look:  # noqa: ARG002 - as declared
        return lines.leave(link.speech, address, bound_s)

    def _kept_look(self, size: int, bound_s: float, *, listed: bool) -> Look | None:  # noqa: ARG002 - as declared
        line = next((line for line in self._kept if not line.over), None) if listed else None
        return line.farewell(bound_s) if isinstance(line, lines.Spoken) else None

    def _sound(self, direct: Look) -> bool:
        return direct.seen is Seen.CLOSED

    def _felt(self, trial: Trial, look: Look) -> bool:
        late = look.seen is Seen.CLOSED and look.took_s - trial.direct.took_s >= self._more_s(trial)
        return late or look.seen is Seen.SILENT


class Timeout(ToxicFault):
    """Bytes are swallowed: connections open and nothing is ever answered.

    With `timeout_ms` above 0 the connection is closed after that long; with 0 it stays open (a black hole). How it is
    undone: the toxic is removed, which closes the connections that it held. What it needs: a proxy. When it fails:
    other toxics hide it.
    """

    kind = "toxiproxy.timeout"
    type = "timeout"

    def _attributes(self) -> Mapping[str, Json]:
        return {"timeout": self._settings["timeout_ms"]}

    def _bound_s(self, trial: Trial) -> float:
        return max(SILENCE_S, 5 * trial.direct.took_s) + trial.others_s

    def _felt(self, trial: Trial, look: Look) -> bool:  # noqa: ARG002 - as declared
        return look.seen in {Seen.SILENT, Seen.CLOSED}


class Reset(ToxicFault):
    """Connections are reset (TCP RST) once bytes come, `timeout_ms` later; those that were open before are closed.

    How it is undone: the toxic is removed. What it needs: a proxy. When it fails: other toxics hide it.
    """

    kind = "toxiproxy.reset"
    type = "reset_peer"

    def _attributes(self) -> Mapping[str, Json]:
        return {"timeout": self._settings["timeout_ms"]}

    def _bound_s(self, trial: Trial) -> float:
        return float(trial.attributes["timeout"]) / 1e3 + SILENCE_S + trial.others_s

    def _felt(self, trial: Trial, look: Look) -> bool:  # noqa: ARG002 - as declared
        return look.seen is Seen.CLOSED


class LimitData(ToxicFault):
    """A connection is closed once `bytes` have gone through it; on one that was open before they count from now.

    How it is undone: the toxic is removed. What it needs: a part that echoes something long. When it fails: other
    toxics hide it.
    """

    kind = "toxiproxy.limit-data"
    type = "limit_data"
    echo = True

    def _attributes(self) -> Mapping[str, Json]:
        return {"bytes": self._settings["bytes"]}

    def _size(self, attributes: Mapping[str, Any]) -> int:
        return int(attributes["bytes"]) + 1

    def _bound_s(self, trial: Trial) -> float:
        return max(SILENCE_S, 5 * trial.direct.took_s) + trial.others_s

    def _felt(self, trial: Trial, look: Look) -> bool:
        return look.seen is Seen.CLOSED and look.received <= int(trial.attributes["bytes"])


_LINK = {"proxy": "a toxiproxy proxy in front of it", "control": "the address of a toxiproxy server"}
_STREAM = Setting(
    default="downstream",
    meaning="Direction: downstream is from the part to the service.",
    choices=("downstream", "upstream", "both"),
)
_TOXICITY = Setting(
    default=100,
    minimum=5,
    maximum=100,
    meaning="Share of connections on which it acts, drawn once for each.",
)


def _jitter(settings: Settings) -> tuple[Problem, ...]:
    latency, jitter = settings["latency_ms"], settings["jitter_ms"]
    if isinstance(latency, int) and isinstance(jitter, int) and jitter > latency:
        return (Problem("jitter_ms", f"{jitter} is more than latency_ms {latency}", "latency cannot be negative"),)
    return ()


def _variation(settings: Settings) -> tuple[Problem, ...]:
    average, variation = settings["average_bytes"], settings["variation_bytes"]
    if isinstance(average, int) and isinstance(variation, int) and variation >= average:
        message = f"{variation} is not less than average_bytes {average}"
        return (Problem("variation_bytes", message, "a piece cannot be empty"),)
    return ()


def _drawn(settings: Settings, place: Place) -> str:
    """What `toxicity_percent` means for a client that keeps its connections."""
    share = settings["toxicity_percent"]
    if share == 100:  # noqa: PLR2004 - percent
        return ""
    return (
        f"toxiproxy draws once per connection whether it acts there: a client of {place.name} that keeps its "
        f"connections meets it on {share} % of them, for all their requests, and not on {share} % of its requests"
    )


def _echoes(settings: Settings, place: Place) -> tuple[Problem, ...]:  # noqa: ARG001 - as declared
    speech = lines.Speech(effects.question(place), place.protocol, place.passfile, place.dsn)
    if speech.echoes:
        return ()
    message = "its effect can be measured only where something long can be sent there and back: Redis, PostgreSQL"
    return (
        Problem(place.name, message, "for PostgreSQL with connection string and password file; else use another kind"),
    )


def _kind(fault: type[ToxicFault], settings: Mapping[str, Setting], **more: Any) -> Kind:  # noqa: ANN401 - attributes of Kind
    undo = f"the {fault.type} toxic that this run added to the proxy in front of {{on}} is removed"
    if fault.echo:
        more["preflight"] = _echoes
    return kind_of(
        fault, undo, _LINK, {**settings, "stream": _STREAM, "toxicity_percent": _TOXICITY}, mechanism=_drawn, **more
    )


KINDS: tuple[Kind, ...] = (
    kind_of(Down, "the proxy in front of {on} is switched on again, as it was", _LINK),
    _kind(Timeout, {"timeout_ms": Setting(default=0, meaning="Connections are closed after this long; 0 is never.")}),
    _kind(
        Latency,
        {
            "latency_ms": Setting(default=500, minimum=1, maximum=60_000, meaning="Added to every answer."),
            "jitter_ms": Setting(default=0, maximum=60_000, meaning="The latency varies by up to this."),
        },
        together=_jitter,
    ),
    # More would delay the removal: the server does not interrupt a connection that waits for its reset.
    _kind(
        Reset, {"timeout_ms": Setting(default=0, maximum=500, meaning="Connections are reset this long after bytes.")}
    ),
    # With more its effect cannot be told from none.
    _kind(
        Bandwidth,
        {"rate_kb_per_s": Setting(default=100, minimum=1, maximum=10_000, meaning="Thousand bytes per second.")},
    ),
    _kind(
        Slicer,
        {
            "average_bytes": Setting(default=64, minimum=2, maximum=16_384, meaning="Average size of a piece."),
            # None at all ends older toxiproxy servers: they draw a number below twice the variation.
            "variation_bytes": Setting(default=16, minimum=1, maximum=16_383, meaning="The size varies by up to this."),
            "delay_us": Setting(default=10_000, minimum=1_000, maximum=1_000_000, meaning="Pause after each piece."),
        },
        together=_variation,
    ),
    _kind(SlowClose, {"delay_ms": Setting(default=1_000, minimum=20, maximum=60_000, meaning="So much later.")}),
    # More would have to be sent each time somebody looks whether it is there.
    _kind(LimitData, {"bytes": Setting(default=10_000, maximum=1_000_000, meaning="What goes through a connection.")}),
)
"""The kinds of this mechanism."""

"""What the faults that add toxics have in common: how they come and go, and how their effect is told from others'.

Toxics that are not ours may be on the same proxy. What those add at most is worked out from the server's list, and ours
counts as seen only beyond that. Where one of them swallows bytes or ends connections, nothing else can be seen: then it
cannot be told.

`toxicity_percent` below 100: toxiproxy draws once per connection and direction whether a toxic acts there. So several
new connections are asked, and the share of them that is bent must not be more than chance allows.
"""

import math
import secrets
import time
from abc import abstractmethod
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NoReturn

from resilience.errors import FaultError
from resilience.faults import effects, lines, process
from resilience.faults.effects import Address, Look, Seen
from resilience.faults.link import Link, LinkFault
from resilience.faults.toxiproxy import Cut, Hung, Proxy, Toxic, ToxiproxyGone
from resilience.host import processes
from resilience.model import Identity, Json, Place, Problem, Undo

SERVER = "toxiproxy"
"""The part of a stack that is the server itself."""
PREFIX = "resilience-"
"""How the names of our toxics begin."""
SLOW_CLOSE = "slow_close"
RESTART_S = 2.0
SILENCE_S = 0.3
"""No answer for this long through the proxy, while the part itself answers, is a hang."""
SAMPLE = 16
"""So many new connections are asked where a toxic acts on some only."""
CHANCE = 1e-6
"""A share of bent connections that is less likely than this is not the share that was asked for."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What one look compares.

    Attributes:
        attributes: of our toxic, as the server takes them.
        size: bytes that are echoed; 0 for a small question.
        others_s: what other toxics add at most.
        direct: the same exchange past the proxy.
    """

    attributes: Mapping[str, Any]
    size: int
    others_s: float
    direct: Look


class ToxicFault(LinkFault):
    """One toxic per direction."""

    type: ClassVar[str]

    def inject(self, undo: Undo, /) -> None:
        """Add the toxics."""
        link = Link.of(undo)
        state, process_before = _server(undo)
        try:
            for toxic in self._toxics(undo):
                link.server.add_toxic(link.proxy, toxic)
        except Cut as error:
            _again(link, state, process_before, error)

    def revert(self, undo: Undo, /) -> None:
        """Remove the toxics that inject added, and no other.

        A server that hangs, or died of it, is restarted if the stack says how, which loses other toxics and all
        connections.

        Raises:
            FaultError: that was so; trying again succeeds. Or it hangs, and nobody here may restart it.
        """
        link = Link.of(undo)
        state, process_before = _server(undo)
        try:
            for toxic in self._toxics(undo):
                link.server.remove_toxic(link.proxy, toxic.name)
        except ToxiproxyGone:
            return
        except (Hung, Cut) as error:
            _again(link, state, process_before, error)

    # ------------------------------------------------------------------------------------- what a kind says of itself

    @abstractmethod
    def _attributes(self) -> Mapping[str, Json]:
        """The toxic's attributes, from the settings."""

    def _size(self, attributes: Mapping[str, Any]) -> int:  # noqa: ARG002 - of those that are measured by something long
        """How many bytes are echoed to see it; 0 for a small question."""
        return 0

    @abstractmethod
    def _bound_s(self, trial: Trial) -> float:
        """How long a look may take; what takes longer is silent."""

    @abstractmethod
    def _felt(self, trial: Trial, look: Look) -> bool:
        """Whether a look through the proxy shows the effect."""

    def _added_s(self, other: Toxic, size: int) -> float:
        """What a toxic that is not ours adds at most, seconds; infinite if it hides everything."""
        return added_s(other, size)

    def _look(self, link: Link, address: Address, size: int, bound_s: float) -> Look:
        """Look on a new connection."""
        return lines.ask(link.speech, address, size, bound_s)

    # ------------------------------------------------------------------------------------------------------ measuring

    def _plan(self) -> Mapping[str, Json]:
        token = secrets.token_hex(6)
        stream = str(self._settings["stream"])
        streams = ("downstream", "upstream") if stream == "both" else (stream,)
        toxics: list[Json] = [
            {"name": f"{PREFIX}{token}-{stream}", "stream": stream, "attributes": self._attributes()}
            for stream in streams
        ]
        return {"toxics": toxics, "toxicity_percent": self._settings["toxicity_percent"]}

    def _toxics(self, undo: Undo) -> tuple[Toxic, ...]:
        data: Mapping[str, Any] = undo.data
        toxicity = data["toxicity_percent"] / 100
        return tuple(
            Toxic(toxic["name"], self.type, toxic["stream"], toxicity, toxic["attributes"]) for toxic in data["toxics"]
        )

    def _check(self, link: Link, place: Place, proxy: Proxy) -> None:
        super()._check(link, place, proxy)
        for other in proxy.toxics:
            ours_beside_slow_close = self.type == SLOW_CLOSE and other.name.startswith(PREFIX)
            if other.type == SLOW_CLOSE or ours_beside_slow_close:
                message = f"slow_close beside another toxic can end toxiproxy; {other.name} ({other.type}) is there"
                raise FaultError(Problem(place.name, message, "let one end before the other begins"))
        if not link.speech.words:
            message = "it is not known what is spoken there, so that the effect could not be measured"
            raise FaultError(Problem(place.name, message, "give the part its `protocol`"))

    def _listed(self, undo: Undo, proxy: Proxy) -> bool:
        names = {toxic.name for toxic in proxy.toxics}
        ours = [toxic.name in names for toxic in self._toxics(undo)]
        if any(ours) and not all(ours):
            raise FaultError(Problem(proxy.name, f"only {sum(ours)} of {len(ours)} toxics of {self.kind} are there"))
        return all(ours)

    def _measure(self, undo: Undo, link: Link, proxy: Proxy, *, listed: bool) -> tuple[bool, str]:
        toxics = self._toxics(undo)
        attributes = toxics[0].attributes
        size = self._size(attributes)
        others = [toxic for toxic in proxy.toxics if toxic.name not in {ours.name for ours in toxics}]
        others_s = sum(self._added_s(other, size) for other in others)
        if others_s > effects.PATIENCE_S:
            names = ", ".join(f"{toxic.name} ({toxic.type})" for toxic in others)
            if listed:
                raise FaultError(
                    Problem(proxy.name, f"{self.kind} cannot be told apart from what else is there: {names}")
                )
            return False, f"an effect could not be told apart from what else is there: {names}"
        direct = self._look(link, link.direct, size, effects.PATIENCE_S)
        if not self._sound(direct):
            if listed:
                raise FaultError(Problem(proxy.name, f"nothing can be measured: past the proxy it was {direct}"))
            return False, f"past the proxy it was {direct}, too"
        trial = Trial(attributes, size, others_s, direct)
        there, words = self._on_new(link, proxy, trial, _share(toxics), listed=listed)
        before = self._on_kept(trial, there=there, certain=toxics[0].toxicity >= 1, listed=listed)
        also = f" besides {len(others)} other toxics" if others else ""
        return there, f"{words}{before}, past the proxy {direct}{also}"

    def _sound(self, direct: Look) -> bool:
        """Whether the part itself does well, so that there is something to compare with."""
        return direct.seen is Seen.ANSWERED

    def _on_new(self, link: Link, proxy: Proxy, trial: Trial, share: float, *, listed: bool) -> tuple[bool, str]:
        """Look on new connections: one, or several if a toxic acts on some only."""
        bound_s = self._bound_s(trial)
        if share >= 1:
            look = self._again(lambda: self._look(link, proxy.address, trial.size, bound_s), trial, listed=listed)
            return self._felt(trial, look), f"through the proxy a new connection was {look}"
        with ThreadPoolExecutor(8) as pool:
            looks = list(pool.map(lambda _: self._look(link, proxy.address, trial.size, bound_s), range(SAMPLE)))
        felt = sum(self._felt(trial, look) for look in looks)
        words = f"{felt} of {SAMPLE} new connections through the proxy were bent, {100 * share:.3g} % are to be"
        if listed and felt and at_least(felt, SAMPLE, share) < CHANCE:
            raise FaultError(Problem(proxy.name, f"more than chance allows: {words}"))
        return felt > 0, words

    def _again(self, look: Any, trial: Trial, *, listed: bool) -> Look:  # noqa: ANN401 - a function without arguments
        """A look that shows what is listed, if one of three does.

        One without effect is no proof where the effect varies; one that was slow is none while there is no toxic: the
        machine may be busy.
        """
        seen: Look = look()
        for _ in range(2 if trial.attributes.get("jitter") or not listed else 0):
            if self._felt(trial, seen) is listed:
                break
            seen = look()
        return seen

    def _on_kept(self, trial: Trial, *, there: bool, certain: bool, listed: bool) -> str:
        """Look on a connection that was opened before, and say what was seen.

        Raises:
            FaultError: it shows something else than new connections do, where all should be alike.
        """
        bound_s = self._bound_s(trial)
        look = self._kept_look(trial.size, bound_s, listed=listed)
        if look is None:
            return ""
        if self._felt(trial, look) is not there:
            first = look
            look = self._again(
                lambda: self._kept_look(trial.size, bound_s, listed=listed) or first, trial, listed=there
            )
        felt = self._felt(trial, look)
        words = f", one opened before was {look}"
        if certain and felt is not there and look.seen is not Seen.CLOSED:
            raise FaultError(Problem(self.kind, f"{'new' if there else 'old'} connections alone are bent{words}"))
        return words

    def _kept_look(self, size: int, bound_s: float, *, listed: bool) -> Look | None:
        return self._ask_kept(size, bound_s, listed=listed)


def added_s(toxic: Toxic, size: int) -> float:
    """What a toxic adds at most to an exchange with so many bytes; infinite if nothing gets through, or who knows."""
    told: Mapping[str, Any] = toxic.attributes
    if toxic.type == "latency":
        return float(told["latency"] + told["jitter"]) / 1e3
    if toxic.type == "bandwidth":
        return (size + 100) / (float(told["rate"]) * 1e3) if told["rate"] > 0 else 0.0
    if toxic.type == "slicer":
        smallest = max(1, told["average_size"] - told["size_variation"]) / 2
        return math.ceil((size + 100) / float(smallest)) * (float(told["delay"]) / 1e6 + 1e-3)
    if toxic.type == SLOW_CLOSE:
        return 0.0
    return math.inf


def at_least(hits: int, tries: int, share: float) -> float:
    """How likely so many hits or more are, if each try hits with that probability."""
    return math.fsum(math.comb(tries, k) * share**k * (1 - share) ** (tries - k) for k in range(hits, tries + 1))


def _share(toxics: tuple[Toxic, ...]) -> float:
    """The share of connections on which at least one of the toxics acts: each direction draws for itself."""
    return 1.0 - math.prod(1 - toxic.toxicity for toxic in toxics)


def _server(undo: Undo) -> tuple[Path | None, Identity | None]:
    """The stack's state file, and the server's process in it."""
    state = Path(str(undo.data["state"])) if undo.data.get("state") else None
    return state, None if state is None else process.recorded(state, SERVER)


def _again(link: Link, state: Path | None, before: Identity | None, error: FaultError) -> NoReturn:
    """Start a server again that hung or died of what it was asked, if the stack says how.

    Raises:
        FaultError: always: that was so, or it could not be done.
    """
    lives = before is not None and processes.alive(before)
    if state is None or (isinstance(error, Cut) and lives) or not process.restart(state, SERVER, before):
        raise error
    _await_proxy(link)
    what = "hung" if lives else "died"
    message = f"toxiproxy {what} and was restarted: connections through all its proxies were closed"
    raise FaultError(Problem(link.proxy, message)) from error


def _await_proxy(link: Link) -> None:
    """After a restart the server needs a moment until it has its proxies."""
    deadline = time.monotonic() + RESTART_S
    while time.monotonic() < deadline:
        with suppress(FaultError):
            link.server.proxy(link.proxy)
            return
        time.sleep(0.02)

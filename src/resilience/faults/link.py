"""What the faults of the link between the service and a part of the stack have in common: one proxy of toxiproxy.

`active` measures the effect on fresh connections through the proxy, and on one that was opened before the fault,
against a connection past the proxy; and asks the server as well. Only if all agree is the answer yes or no; else it
raises, and who asked asks again.
"""

import weakref
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar

from resilience.errors import FaultError
from resilience.faults import effects, lines
from resilience.faults.effects import Address, Look, Seen
from resilience.faults.lines import Line, Speech
from resilience.faults.toxiproxy import Missing, Proxy, Toxiproxy, ToxiproxyGone
from resilience.model import Json, Place, Problem, Undo

KEPT = 3
"""So many connections are opened beforehand where each can be asked once only."""


@dataclass(frozen=True, slots=True)
class Link:
    """What an undo says about the link, as values."""

    server: Toxiproxy
    proxy: str
    direct: Address
    speech: Speech

    @classmethod
    def of(cls, undo: Undo) -> "Link":
        """Read it from an undo."""
        data: Mapping[str, Any] = undo.data
        host, port = data["direct"]
        words = data["words"].encode("latin-1")
        speech = Speech(words, data.get("protocol", ""), data.get("passfile", ""), data.get("dsn", ""))
        return cls(Toxiproxy(data["control"]), data["proxy"], (host, port), speech)


class LinkFault(ABC):
    """A fault of one link.

    Args:
        settings: of the kind, complete (`registry.build` fills in defaults); none to revert.
        place: the part whose link is bent; None to revert.
    """

    kind: ClassVar[str]
    echo: ClassVar[bool] = False
    """Whether it is measured by something long that comes back."""

    def __init__(self, settings: Mapping[str, Json] | None = None, place: Place | None = None) -> None:
        """Nothing is looked at yet."""
        self._settings: Mapping[str, Any] = settings or {}
        self._place = place
        self._kept: list[Line] = []
        self.proof = ""

    def prepare(self) -> Undo:
        """Find the proxy, which must be switched on, name the toxics to come, and open a connection through it."""
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
            "protocol": place.protocol,
            "passfile": place.passfile,
            "dsn": place.dsn,
        }
        undo = Undo(kind=self.kind, data={**common, **self._plan()})
        link = Link.of(undo)
        self._check(link, place, proxy)
        self._keep(link, proxy)
        return undo

    def active(self, undo: Undo, /) -> bool:
        """Whether the effect is measured, and the server says the same.

        Raises:
            FaultError: the two do not agree, or nothing can be measured: it cannot be told.
        """
        link = Link.of(undo)
        try:
            proxy = link.server.proxy(link.proxy)
        except (ToxiproxyGone, Missing) as error:
            self.proof = f"the proxy is gone, and everything about it: {error}"
            return False
        listed = self._listed(undo, proxy)
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
    def _measure(self, undo: Undo, link: Link, proxy: Proxy, *, listed: bool) -> tuple[bool, str]:
        """Whether the effect is there, and the figures that say so."""

    def _check(self, link: Link, place: Place, proxy: Proxy) -> None:  # noqa: ARG002 - for those that add something
        """See that there is a way to measure it, and nothing against it.

        Raises:
            FaultError: there is none.
        """
        if self.echo:
            lines.check_echo(link.speech, link.direct, place.name)

    def _keep(self, link: Link, proxy: Proxy) -> None:
        """Open connections that will be there before the fault, and see that they work; those that do not are let go.

        A link that is bent already may not let any through: then the fault is seen on new connections only.
        """
        self._let_go()
        lasting = self.echo or link.speech.protocol == "redis"
        for _ in range(1 if lasting else KEPT):
            with suppress(OSError):
                line = lines.open_line(link.speech, proxy.address, echo=self.echo)
                weakref.finalize(self, line.close)
                # What can be asked only once is not asked now.
                once = not line.lasting and link.speech.protocol != "postgres"
                if once or line.ask(0 if not self.echo else 1, effects.PATIENCE_S).seen is Seen.ANSWERED:
                    self._kept.append(line)
                else:
                    line.close()
                    return

    def _ask_kept(self, size: int, bound_s: float, *, listed: bool) -> Look | None:
        """Ask on a connection that was there before the fault; None if there is none (any more).

        One that can be asked once only is asked while the fault is listed.
        """
        self._kept = [line for line in self._kept if not line.over]
        line = next((line for line in self._kept if listed or line.lasting), None)
        return None if line is None else line.ask(size, bound_s)

    def _let_go(self) -> None:
        for line in self._kept:
            line.close()
        self._kept.clear()

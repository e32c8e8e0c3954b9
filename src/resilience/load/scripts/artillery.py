"""What our plugin in Artillery tells, read line by line into operations. Pure; memory is bounded by what is in flight.

The plugin (`plugins/artillery-plugin-resilience`) writes a line of JSON when a request begins, and one when it has
ended, with the monotonic clock that this program has as well, so nothing has to be mapped:

* `{"b": id, "t": ns, "m": method, "u": url, "n": name}` a request begins
* `{"e": id, "t": ns, "s": status}` it was answered completely; with `"x": text`, and a match, capture or expectation of
  it failed; with `"g": 1`, and its script expected that status
* `{"f": id, "t": ns, "c": code}` it failed; `"s": 1` if a connection had been made
* `{"k": count, "t": ns, "p": ns}` so many virtual users were skipped between the two instants
* `{"w": text}` something that the plugin cannot see
* `{"v": 1}` the plugin is there, in a worker
* `{"h": number, "t": ns}` a worker is alive
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

from resilience.errors import LoadError
from resilience.load.scripts.seen import DROPPED, Beats, Seen, Texts, name_by_url, name_of, outcome_of
from resilience.model import Json, Outcome

IN_FLIGHT_AT_END = "in flight at the end"
NOT_LOADED = (
    "Artillery did not load the plugin that tells of single requests: figures per period say nothing of recovery, and "
    "nothing is known (Artillery 2.0 loads it)"
)
_OK_STATUS = range(200, 400)
_NOT_SENT = frozenset({"ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "EADDRNOTAVAIL"})
_MAX_WARNINGS = 20


@dataclass(slots=True)
class _Open:
    """A request that has begun."""

    begin_ns: int
    method: str
    name: str


class ArtilleryReader:
    """See the module.

    Args:
        emit: takes each operation when it has ended.
        zero_ns: the run's zero on the monotonic clock.
    """

    def __init__(self, emit: Callable[[Seen], None], zero_ns: int) -> None:
        self._emit = emit
        self._zero_ns = zero_ns
        self._open: dict[str, _Open] = {}
        self._texts = Texts({})
        self._warnings: dict[str, int] = {}
        self._last_ns = 0
        self._left = 0
        self._there = False
        self.beats = Beats([])
        self._beats_of: dict[int, Beats] = {}
        self.wall_ns = 0

    def take(self, line: bytes) -> None:
        """Read one line.

        Raises:
            LoadError: it is not what the plugin writes.
        """
        try:
            self._take(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            shown = line[:200].decode(errors="replace").strip()
            message = f"Artillery's plugin said what cannot be understood ({type(error).__name__}: {error}): {shown}"
            raise LoadError(message) from error

    def say(self, line: str) -> None:
        """What Artillery shows to people says nothing more."""

    @property
    def in_flight(self) -> int:
        """Requests begun and not ended."""
        return len(self._open)

    def age(self, now_ns: int) -> None:
        """Requests wait for nothing but their answer."""

    def waiting(self, since_ns: int) -> int:
        """How many requests that began before an instant have not ended."""
        return sum(1 for one in self._open.values() if one.begin_ns < since_ns)

    def finish(self) -> None:
        """There is no more: what is still in flight did not end."""
        self._left = len(self._open)
        for one in self._open.values():
            outcome = outcome_of(one.method, ok=False, not_sent=False)
            end_ns = max(self._last_ns, one.begin_ns)
            self._emit(Seen(one.name, one.begin_ns, end_ns, outcome, detail=IN_FLIGHT_AT_END))
        self._open.clear()

    def problems(self, since_ns: int, now_ns: int) -> list[Json]:
        """What the plugin could not see."""
        del since_ns, now_ns
        return list(self._warnings) if self._there else [NOT_LOADED, *self._warnings]

    def account(self) -> dict[str, Json]:
        """What was in flight at the end."""
        return {"in_flight_at_end": self._left}

    def _take(self, document: dict[str, Json]) -> None:
        if "w" in document:
            text = str(document["w"])
            if text in self._warnings or len(self._warnings) < _MAX_WARNINGS:
                self._warnings[text] = self._warnings.get(text, 0) + 1
            return
        if "v" in document:
            self._there = True
            return
        at_ns = int(str(document["t"])) - self._zero_ns
        self._last_ns = max(self._last_ns, at_ns)
        if "h" in document:
            self._beats_of.setdefault(int(str(document["h"])), Beats(self.beats.stalls)).take(at_ns)
        elif "b" in document:
            method, name = str(document["m"]).upper(), str(document.get("n") or "")
            called = name_of(name) if name else name_by_url(method, str(document["u"]))
            self._open[str(document["b"])] = _Open(at_ns, method, called)
        elif "k" in document:
            self._skipped(int(str(document["k"])), int(str(document["p"])) - self._zero_ns, at_ns)
        elif "e" in document:
            self._answered(self._open.pop(str(document["e"])), at_ns, document)
        else:
            self._failed(self._open.pop(str(document["f"])), at_ns, document)

    def _answered(self, one: _Open, at_ns: int, document: dict[str, Json]) -> None:
        status, wrong = int(str(document["s"])), str(document.get("x") or "")
        ok = (status in _OK_STATUS or bool(document.get("g"))) and not wrong
        detail = "" if ok else self._texts.take(wrong or f"status {status}", "a check failed")
        outcome = outcome_of(one.method, ok=ok, not_sent=False)
        self._emit(Seen(one.name, one.begin_ns, at_ns, outcome, status, detail))

    def _failed(self, one: _Open, at_ns: int, document: dict[str, Json]) -> None:
        code = str(document["c"])
        outcome = outcome_of(one.method, ok=False, not_sent=code in _NOT_SENT and not document.get("s"))
        self._emit(Seen(one.name, one.begin_ns, at_ns, outcome, detail=self._texts.take(code, "an error")))

    def _skipped(self, count: int, from_ns: int, until_ns: int) -> None:
        """Virtual users that were due and not begun; when in the period, Artillery does not say: they are spread."""
        for index in range(count):
            at_ns = from_ns + (until_ns - from_ns) * (2 * index + 1) // (2 * count)
            self._emit(Seen(DROPPED, at_ns, at_ns, Outcome.DROPPED, detail="skipped: there were maxVusers already"))

"""The faults that are set, each with a name and an end of its own, and which of them a request meets.

Several of a kind may be there at once. Whether a request meets one that is set for a share of them is drawn from the
fault's name and the number of the request: the same in every run with the same name.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from resilience.model import Json

LONGEST_S = 24 * 3600.0
MOST = 100
"""Faults at once."""

SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "slow": {"latency_ms": 1000, "jitter_ms": 0, "percent": 100},
    "throttled": {"percent": 100, "retry_after_s": 1},
    "failing": {"percent": 100, "status": "503"},
    "stops": {"percent": 100, "after_words": 3, "how": "cut"},
    "nonsense": {"percent": 100, "how": "garbage"},
}
"""Kind → setting → default; the type of the default is the type of the setting."""
ONE_OF: Mapping[str, tuple[Any, ...]] = {
    "failing.status": ("500", "502", "503"),
    "stops.how": ("cut", "hang"),
    "nonsense.how": ("garbage", "schema", "empty"),
}


class UnfitError(ValueError):
    """What was asked for is no fault; the text says why."""


@dataclass(slots=True)
class Active:
    """A fault that is set.

    Attributes:
        ends_at: by the monotonic clock.
        seen, met: requests since it was set, and those that met it.
    """

    name: str
    kind: str
    settings: Mapping[str, Any]
    ends_at: float
    seen: int = 0
    met: int = 0

    def draw(self) -> float:
        """A number in [0, 1) for the request at hand."""
        digest = hashlib.sha256(f"{self.name}:{self.seen}".encode()).digest()
        return int.from_bytes(digest[:6], "big") / 2**48

    def meets(self) -> bool:
        """Whether the request at hand meets it; counted."""
        hit: bool = self.draw() * 100 < self.settings["percent"]
        self.seen += 1
        self.met += hit
        return hit


@dataclass(slots=True)
class Faults:
    """All that are set. One whose time is over is gone before anybody looks."""

    now: Callable[[], float] = time.monotonic
    _set: dict[str, Active] = field(default_factory=dict)

    def put(self, name: str, document: object) -> Active:
        """Set one, or set it anew.

        Raises:
            UnfitError: it is not as it must be.
        """
        if not isinstance(document, dict) or {*document} - {"kind", "settings", "ttl_s"}:
            raise UnfitError("expected an object with kind, settings and ttl_s")
        kind, ttl_s = document.get("kind"), document.get("ttl_s")
        if not isinstance(kind, str) or kind not in SETTINGS:
            raise UnfitError(f"kind is {kind!r}, expected one of {', '.join(SETTINGS)}")
        if isinstance(ttl_s, bool) or not isinstance(ttl_s, int | float) or not 0 < ttl_s <= LONGEST_S:
            raise UnfitError(f"ttl_s is {ttl_s!r}, expected more than 0 and at most {LONGEST_S:g}: a fault must end")
        if name not in self._set and len(list(self)) >= MOST:
            raise UnfitError(f"there are {MOST} faults already")
        self._set[name] = Active(name, kind, _settings(kind, document.get("settings", {})), self.now() + ttl_s)
        return self._set[name]

    def remove(self, name: str) -> bool:
        """Remove one; whether it was there."""
        there = name in {active.name for active in self}
        self._set.pop(name, None)
        return there

    def __iter__(self) -> Iterator[Active]:
        """Those that are there, the oldest first."""
        now = self.now()
        self._set = {name: active for name, active in self._set.items() if active.ends_at > now}
        return iter(tuple(self._set.values()))

    def met(self) -> dict[str, list[Active]]:
        """Kind → the faults that the request at hand meets."""
        found: dict[str, list[Active]] = {}
        for active in self:
            if active.meets():
                found.setdefault(active.kind, []).append(active)
        return found

    def listed(self) -> list[Json]:
        """All of them, as JSON."""
        now = self.now()
        return [
            {
                "name": active.name,
                "kind": active.kind,
                "settings": dict(active.settings),
                "ends_in_s": round(active.ends_at - now, 3),
                "seen": active.seen,
                "met": active.met,
            }
            for active in self
        ]


def _settings(kind: str, given: Any) -> Mapping[str, Any]:  # noqa: ANN401 - as it came
    defaults = SETTINGS[kind]
    if not isinstance(given, dict) or (unknown := {*given} - {*defaults}):
        words = f"no {', '.join(sorted(unknown))}" if isinstance(given, dict) else "no such settings"
        raise UnfitError(f"{kind} has {words}: it has {', '.join(defaults)}")
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, type(defaults[name])):
            raise UnfitError(f"{name} is {value!r}, expected a {type(defaults[name]).__name__}")
        if (known := ONE_OF.get(f"{kind}.{name}")) is not None and value not in known:
            raise UnfitError(f"{name} is {value!r}, expected one of {', '.join(map(str, known))}")
        if isinstance(value, int) and not 0 <= value <= (100 if name == "percent" else 600_000):
            raise UnfitError(f"{name} is {value}, which is out of range")
    return {**defaults, **given}

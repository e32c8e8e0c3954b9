"""One operation as another load program told of it: under which name, with which outcome. Pure.

Such a program does not say what an operation means to the target, so that follows from its method: GET, HEAD and
OPTIONS have no effect, and one that is not ok has failed; any other may have had an effect unless it certainly was
not sent. The rule is that of `load.classify`.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

from resilience.model import Outcome

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", ""})
"""Methods that have no effect (RFC 9110, 9.2.1); empty is what has no method, such as a connection being made."""

MAX_NAMES = 100
OTHER = "other"
"""The name of operations beyond the first `MAX_NAMES` names: a script may have put an id into each."""

MAX_DETAILS = 200
DROPPED = "dropped-iterations"
"""The operation of what was due and not begun; which requests it would have made, nobody knows."""

NEVER_OK = (DROPPED, "checks")
"""Operations by which only what went wrong is told."""

_SHOWN = 120
_NOT_NAME = re.compile(r"[^a-z0-9]+")
_ID = re.compile(r"\d+|[0-9a-f]{8,}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[\w.~-]*\d{3,}[\w.~-]*", re.IGNORECASE)


class Seen(NamedTuple):
    """One operation: its name, instants in nanoseconds since the run's zero, and what became of it."""

    name: str
    start_ns: int
    end_ns: int
    outcome: Outcome
    status: int = 0
    detail: str = ""


def name_of(text: str) -> str:
    """A text as the name of an operation: lower case, digits, hyphens, at most 63."""
    return _NOT_NAME.sub("-", text.lower()).strip("-")[:63].strip("-") or "operation"


def name_by_url(method: str, url: str) -> str:
    """A name for a request that has none of its own: its method and path, `id` in place of what looks like one."""
    try:
        path = urlsplit(url).path
    except ValueError:
        path = ""
    steps = ["id" if _ID.fullmatch(step) else step for step in path.split("/") if step]
    return name_of(" ".join([method or "request", *steps]))


def outcome_of(method: str, *, ok: bool, not_sent: bool) -> Outcome:
    """What became of an operation.

    Args:
        method: of HTTP.
        ok: the program, or a check of its script, took the answer for a good one.
        not_sent: certainly nothing was sent.
    """
    if ok:
        return Outcome.OK
    return Outcome.FAILED if not_sent or method.upper() in SAFE else Outcome.UNKNOWN


BEAT_S = 1.0
"""How often a program gives a sign of life at least: k6 by itself, Artillery by our plugin."""

STALL_S = 0.5
"""A sign that comes later than this was held up: the program stood still, and so did its load."""


@dataclass(slots=True)
class Beats:
    """Signs of life by the program's own clock, and where it stood still: [when, how long] in seconds of the run."""

    stalls: list[list[float]]
    last_ns: int | None = None

    def take(self, at_ns: int) -> None:
        """One sign, in nanoseconds since the run's zero."""
        if self.last_ns is not None:
            over_s = (at_ns - self.last_ns) / 1e9 - BEAT_S
            if over_s > STALL_S:
                self.stalls.append([self.last_ns / 1e9 + BEAT_S, over_s])
        self.last_ns = at_ns if self.last_ns is None else max(at_ns, self.last_ns)


@dataclass(slots=True)
class Texts:
    """Keeps the number of different details small: a program may put an address or an id into each."""

    known: dict[str, str]

    def take(self, text: str, instead: str) -> str:
        """The text, shortened; what is said instead once there are too many."""
        short = text[:_SHOWN]
        if short in self.known:
            return short
        if len(self.known) >= MAX_DETAILS:
            return instead
        self.known[short] = short
        return short

"""What k6 tells in its JSON output, read line by line into operations. Pure; memory is bounded by the virtual users.

k6 writes a point per metric: of one request `http_req_duration`, `http_req_blocked` and seven more, one after the
other, with the same tags and the same time, which is when the request ended (the wall clock). The duration counts from
when the request could be sent, `blocked` is what went before (waiting for a connection, and making it). So

    start = end − duration − blocked

The tags `vu` and `iter`, which we ask for, say which virtual user it was. A check of the script is about the last
request of its virtual user: if it fails, that request was not ok. So each request is held back until its user does the
next thing, or `HELD_NS` have passed.

Source: Grafana k6, `lib/netext/httpext/tracer.go` (what the durations are), "JSON output", "Error codes".
"""

import json
import re
from calendar import timegm
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from resilience.errors import LoadError
from resilience.load.scripts.seen import DROPPED, Beats, Seen, Texts, name_by_url, name_of, outcome_of
from resilience.model import Json, Outcome

HELD_NS = 2_000_000_000
"""How long a request waits for a check of it."""

NOT_SENT = frozenset({1020, 1100, 1101, 1110, 1111, 1210, 1211, 1212, 1213, 1310, 1311})
"""k6's error codes of what certainly was not sent: a wrong address, a name not found, no connection, a certificate."""

AT_ONCE = frozenset({1020, 1101, 1110, 1111, 1212})
"""Those that take no time worth telling."""

_POINT = re.compile(rb'\{"metric":"([a-zA-Z0-9_]+)","type":"Point"')
_VALUE = re.compile(rb'"value":([0-9.eE+-]+)[,}]')
_BLOCKED = b"http_req_blocked"
_COMPLETE = re.compile(r"(\d+)/(\d+) VUs, (\d+) complete and (\d+) interrupted iterations")
_OK_STATUS = range(200, 400)
_SWITCHING = 101
_MS = 1e6
_NANO = 9
_S = 1_000_000_000
_TWICE = 2.0


@dataclass(slots=True)
class _Held:
    """A request that is not handed on yet."""

    seen: Seen
    method: str


@dataclass(slots=True)
class _User:
    """A virtual user: when it last did something, whether an iteration of it had ended then, and its last request."""

    last_ns: int
    ended: bool
    scenario: str
    held: _Held | None = None


class K6Reader:
    """See the module.

    Args:
        emit: takes each operation, in the order in which they ended, more or less.
        waiting: scenarios whose virtual users wait for their answers, and never for work.
        restless: those of them whose users all begin again at once, as long as the scenario lasts → until when that is,
            in seconds since the program was started.
        settled_ns: the longest silence of a virtual user before this instant is taken for a normal one.
    """

    metrics = frozenset(
        {
            b"http_req_duration",
            b"http_req_blocked",
            b"grpc_req_duration",
            b"ws_connecting",
            b"checks",
            b"iteration_duration",
            b"iterations",
            b"dropped_iterations",
            b"vus",
        }
    )

    def __init__(
        self,
        emit: Callable[[Seen], None],
        waiting: Collection[str] = (),
        restless: Mapping[str, float] | None = None,
        settled_ns: int = 0,
    ) -> None:
        self._emit = emit
        self._waiting = frozenset(waiting)
        self._restless = dict(restless or {})
        self._turned: tuple[int, Counter[str]] = (-1, Counter())
        self._settled_ns = settled_ns
        self._users: dict[str, _User] = {}
        self._texts = Texts({})
        self._second = ("", 0)
        self._pending: tuple[Mapping[str, Any], int, float] | None = None
        self._pending_user = ""
        self._iterations = 0
        self._usual_ns = 0
        self._last_ns = 0
        self._said: tuple[int, int, int, int] | None = None
        self.since_unknown = 0
        self.beats = Beats([])
        self.checks: dict[str, list[int]] = {}
        self.wall_ns = 0

    def take(self, line: bytes) -> None:
        """Read one line.

        Raises:
            LoadError: it is not what k6 writes.
        """
        found = _POINT.match(line)
        if found is not None and found[1] not in self.metrics:
            return
        try:
            if found is not None and found[1] == _BLOCKED and (value := _VALUE.search(line, found.end())):
                self._complete(float(value[1]))  # of this point nothing else is needed
                return
            document = json.loads(line.decode())
            if document["type"] == "Point":
                self._point(document["metric"], document["data"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            shown = line[:200].decode(errors="replace").strip()
            raise LoadError(f"k6 said what cannot be understood ({type(error).__name__}: {error}): {shown}") from error

    def say(self, line: str) -> None:
        """Read one line of what k6 shows of its progress."""
        found = _COMPLETE.search(line)
        if found is not None:
            self._said = (int(found[1]), int(found[2]), int(found[3]), int(found[4]))

    @property
    def in_flight(self) -> int:
        """Virtual users that were at work when k6 last said so: that many operations at the most, without batches."""
        return self._said[0] if self._said is not None else 0

    def age(self, now_ns: int) -> None:
        """Hand on what has waited long enough."""
        for user in self._users.values():
            if user.held is not None and user.held.seen.end_ns < now_ns - HELD_NS:
                self._let_go(user)

    def waiting(self, since_ns: int) -> int:
        """How many virtual users have told nothing since an instant and may be at work on something from before."""
        return sum(1 for user in self._users.values() if user.last_ns < since_ns and self._may_be_busy(user, since_ns))

    def finish(self) -> None:
        """Hand on everything."""
        self._complete(0.0)
        for user in self._users.values():
            self._let_go(user)

    def problems(self, since_ns: int, now_ns: int) -> list[Json]:
        """What keeps a verdict from being believed, given when the end was asked for, and when it was then forced."""
        found: list[Json] = []
        if self._said is not None and self._said[2] != self._iterations:
            found.append(f"k6 completed {self._said[2]:,} iterations and told of {self._iterations:,}")
        if stuck := self._stuck(since_ns, now_ns):
            found.append(
                f"{stuck} of {len(self._users)} virtual users of k6 told nothing after the end of the last phase: what "
                "they had in flight is not known"
            )
        if self.since_unknown:
            found.append(
                f"k6 does not tell when {self.since_unknown:,} operations began that failed before they had a "
                "connection, so no response time is known of them"
            )
        return found

    def _stuck(self, since_ns: int, now_ns: int) -> int:
        """Virtual users that were in the middle of something from before an instant until now.

        Those that told nothing for half as long again as any had by then in the baseline, and that begin again at once
        or were seen in the middle of an iteration. Those that wait for work take turns, first come first served: one
        whose turn must have come twice over, and who did not take it, is busy.
        """
        longest_ns = 1.5 * self._usual_ns
        turns = self._turns(since_ns)
        return sum(
            1
            for user in self._users.values()
            if user.last_ns < since_ns
            and (
                turns.get(user.scenario, 0.0) >= _TWICE
                or (self._must_be_busy(user, since_ns) and now_ns - user.last_ns > longest_ns)
            )
        )

    def _must_be_busy(self, user: _User, since_ns: int) -> bool:
        return bool(user.scenario) and (not user.ended or self._restless.get(user.scenario, 0.0) * _S > since_ns)

    def _may_be_busy(self, user: _User, since_ns: int) -> bool:
        turns = self._turns(since_ns)
        return self._must_be_busy(user, since_ns) or 0 < turns.get(user.scenario, 0.0) < _TWICE

    def _turns(self, since_ns: int) -> dict[str, float]:
        """Of scenarios whose users wait for work: how many times round they have gone since an instant."""
        if self._turned[0] != since_ns:
            self._turned = (since_ns, Counter())
        users = Counter(user.scenario for user in self._users.values())
        return {name: count / users[name] for name, count in self._turned[1].items() if name not in self._waiting}

    def account(self) -> dict[str, Json]:
        """What k6 said besides operations."""
        return {
            "iterations": self._iterations,
            "interrupted_iterations": self._said[3] if self._said is not None else None,
            "virtual_users": len(self._users),
            "waiting_users": sum(1 for user in self._users.values() if user.scenario in self._waiting),
            "checks": {name: {"passes": passes, "fails": fails} for name, (fails, passes) in self.checks.items()},
        }

    # ------------------------------------------------------------------------------------------------------ points

    def _point(self, metric: str, data: Mapping[str, Any]) -> None:
        if metric == "http_req_blocked":
            self._complete(float(data["value"]))
            return
        if self._pending is not None:
            self._complete(0.0)
        tags: Mapping[str, Any] = data.get("tags") or {}
        metadata: Mapping[str, Any] = data.get("metadata") or {}
        user = str(metadata.get("vu") or tags.get("vu") or "")
        at_ns = self._instant(str(data["time"]))
        value = float(data["value"])
        if metric == "http_req_duration":
            self._pending, self._pending_user = (tags, at_ns, value), user
        elif metric in {"iteration_duration", "iterations"}:
            self._iterated(metric, user, tags, at_ns, round(value))
        elif metric == "vus":
            self.beats.take(at_ns)
        elif metric == "checks":
            self._check(user, tags, at_ns, passed=value != 0)
        elif metric == "dropped_iterations":
            for _ in range(round(value)):
                self._emit(Seen(DROPPED, at_ns, at_ns, Outcome.DROPPED, detail="k6 had no free virtual user"))
        elif metric in {"grpc_req_duration", "ws_connecting"}:
            self._other(metric, user, tags, at_ns, value)

    def _iterated(self, metric: str, user: str, tags: Mapping[str, Any], at_ns: int, count: int) -> None:
        if metric == "iteration_duration":
            self._touch(user, tags, at_ns, ended=True)
            return
        self._iterations += count
        if at_ns >= self._turned[0] >= 0:
            self._turned[1][str(tags.get("scenario", ""))] += count

    def _complete(self, blocked_ms: float) -> None:
        """The request whose duration was read, now that it is known what went before."""
        if self._pending is None:
            return
        (tags, end_ns, duration_ms), self._pending = self._pending, None
        method = str(tags.get("method", ""))
        status = int(tags.get("status", 0) or 0)
        code = int(tags.get("error_code", 0) or 0)
        expected = tags.get("expected_response")
        ok = expected == "true" if expected is not None else status in _OK_STATUS and not code
        lasted_ns = round((duration_ms + blocked_ms) * _MS)
        if lasted_ns == 0 and not ok and status == 0 and code not in AT_ONCE:
            self.since_unknown += 1
        url, name = str(tags.get("url", "")), str(tags.get("name", ""))
        called = name_of(name) if name and "://" not in name else name_by_url(method, name or url)
        if str(tags.get("group", "")).startswith(("::setup", "::teardown")):
            called = name_of(f"{tags['group']} {called}")
        detail = ""
        if not ok:
            said = f"status {status}" if status else str(tags.get("error", "")) or f"error {code}"
            detail = self._texts.take(said, f"error {code}" if code else "error")
        outcome = outcome_of(method, ok=ok, not_sent=code in NOT_SENT)
        seen = Seen(called, end_ns - lasted_ns, end_ns, outcome, status, detail)
        user = self._touch(self._pending_user, tags, end_ns)
        self._let_go(user)
        user.held = _Held(seen, method)

    def _check(self, name: str, tags: Mapping[str, Any], at_ns: int, *, passed: bool) -> None:
        check = self._texts.take(str(tags.get("check", "")), "another check")
        self.checks.setdefault(check, [0, 0])[passed] += 1
        user = self._touch(name, tags, at_ns)
        if passed:
            return
        if user.held is None:  # about a request that was handed on, or about none
            self._emit(Seen("checks", at_ns, at_ns, outcome_of("", ok=False, not_sent=False), detail=f"check: {check}"))
        elif not user.held.seen.detail:
            outcome = outcome_of(user.held.method, ok=False, not_sent=False)
            detail = self._texts.take(f"check: {check}", "check")
            user.held.seen = user.held.seen._replace(outcome=outcome, detail=detail)

    def _other(self, metric: str, name: str, tags: Mapping[str, Any], at_ns: int, value_ms: float) -> None:
        """A call by gRPC, or a WebSocket being opened."""
        status = int(tags.get("status", 0) or 0)
        grpc = metric == "grpc_req_duration"
        ok = status == 0 if grpc else status == _SWITCHING
        called = name_of(str(tags.get("name") or "grpc").rpartition("://")[2]) if grpc else "ws-connect"
        method = "POST" if grpc else ""
        detail = "" if ok else f"gRPC status {status}" if grpc else f"status {status}"
        outcome = outcome_of(method, ok=ok, not_sent=False)
        user = self._touch(name, tags, at_ns)
        self._let_go(user)
        seen = Seen(called, at_ns - round(value_ms * _MS), at_ns, outcome, 0 if grpc else status, detail)
        user.held = _Held(seen, method)

    def _touch(self, name: str, tags: Mapping[str, Any], at_ns: int, *, ended: bool = False) -> _User:
        self._last_ns = max(self._last_ns, at_ns)
        user = self._users.get(name)
        if user is None:
            user = self._users[name] = _User(at_ns, ended, str(tags.get("scenario", "")))
        if at_ns < self._settled_ns:
            self._usual_ns = max(self._usual_ns, at_ns - user.last_ns)
        user.last_ns, user.ended = max(at_ns, user.last_ns), ended
        user.scenario = str(tags.get("scenario", "")) or user.scenario
        if ended:
            self._let_go(user)
        return user

    def _let_go(self, user: _User) -> None:
        if user.held is not None:
            held, user.held = user.held, None
            self._emit(held.seen)

    def _instant(self, text: str) -> int:
        """Nanoseconds since the run's zero of a time such as `2026-11-21T19:43:08.382052591Z`."""
        head, dot, rest = text.partition(".")
        if dot and rest.endswith("Z"):
            digits = rest[:-1]
        elif not dot and head.endswith("Z"):
            head, digits = head[:-1], "0"
        else:
            return round(datetime.fromisoformat(text).timestamp() * 1e9) - self.wall_ns
        if self._second[0] != head:
            self._second = (head, timegm(datetime.fromisoformat(head).timetuple()))
        return self._second[1] * _S + int(digits.ljust(_NANO, "0")[:_NANO]) - self.wall_ns

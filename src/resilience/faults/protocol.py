"""Faults in what is said to Redis and PostgreSQL: errors of the server's own, delays, answers that never come.

They are rules of the protocol proxy (`resilience.wire`) that stands before a part in experiments with such faults. What
a rule meets is told by command and key, or by statement. `active` has an exchange of its own through the whole way, as
the service has it, which the rule meets by a token and which touches no data; on a fresh connection and on one that was
open before the fault. The proxy ends a rule by itself when its lease is over.
"""

import secrets
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, ClassVar

from resilience import patterns
from resilience.errors import FaultError
from resilience.faults import effects
from resilience.faults.exchanges import Heard, How, PostgresTalk, RedisTalk, Refused, Talk
from resilience.faults.kinds import LEASE, Kind, Setting, Settings, kind_of
from resilience.faults.toxiproxy import Missing, Toxic, Toxiproxy, ToxiproxyGone
from resilience.model import Json, Place, Problem, Undo

SILENCE_S = 0.3
"""No answer for this long is none, while past the proxy one comes."""
_REFUSING = "53300"
"""The one SQLSTATE that is said to new connections, and not to statements."""


class ProtocolFault:
    """What the kinds have in common.

    Args:
        settings: of the kind, complete (`registry.build` fills in defaults); none to revert.
        place: the part; None to revert.
    """

    kind: ClassVar[str]
    commit: ClassVar[bool] = False
    """Whether only commits are met."""

    def __init__(self, settings: Mapping[str, Json] | None = None, place: Place | None = None) -> None:
        """Nothing is looked at yet."""
        self._settings: Mapping[str, Any] = settings or {}
        self._place = place
        self._before: Talk | None = None
        self._met = ""
        self.proof = ""

    def prepare(self) -> Undo:
        """Find the proxy, which must be switched on, and name the rule to come."""
        place = self._place
        if place is None or not place.wire or not place.wire_proxy:
            raise FaultError(Problem(self.kind, "needs a part behind the protocol proxy"))
        proxy = Toxiproxy(place.wire).proxy(place.wire_proxy)
        if not proxy.enabled:
            raise FaultError(Problem(place.name, f"its protocol proxy {proxy.name} is switched off", "switch it on"))
        token = f"resilience-{secrets.token_hex(6)}"
        rule = {**self._rule(place.protocol), "token": token, "ttl_ms": int(1e3 * float(self._settings[LEASE]))}
        data: dict[str, Json] = {
            "control": place.wire,
            "proxy": proxy.name,
            "protocol": place.protocol,
            "rule": rule,
            "direct": [place.host, place.port],
            "through": [place.host, place.via_port],
            "dsn": place.dsn,
            "passfile": place.passfile,
        }
        return Undo(kind=self.kind, data=data)

    def inject(self, undo: Undo, /) -> None:
        """Open a connection, to see that open connections are met too; then add the rule."""
        data: Mapping[str, Any] = undo.data
        self._before = self._before or _open(data, "through")
        toxic = Toxic(data["rule"]["token"], data["protocol"], "downstream", 1.0, data["rule"])
        Toxiproxy(data["control"]).add_toxic(data["proxy"], toxic)

    def revert(self, undo: Undo, /) -> None:
        """Remove the rule, and no other."""
        data: Mapping[str, Any] = undo.data
        self._hang_up()
        server = Toxiproxy(data["control"])
        with suppress(ToxiproxyGone, Missing):  # then everything in it is gone, too
            rule = server.toxics(data["proxy"]).get(data["rule"]["token"])
            self._met = self._met if rule is None else f", {_counts(rule)}"
            server.remove_toxic(data["proxy"], data["rule"]["token"])

    def active(self, undo: Undo, /) -> bool:
        """Whether the effect is measured, and the proxy says the same.

        Raises:
            FaultError: the two do not agree, or nothing can be measured: it cannot be told.
        """
        data: Mapping[str, Any] = undo.data
        try:
            toxics = Toxiproxy(data["control"]).toxics(data["proxy"])
        except (ToxiproxyGone, Missing) as error:
            self.proof = f"the protocol proxy is gone, and every rule in it: {error}"
            return False
        rule = toxics.get(data["rule"]["token"])
        try:
            direct = _ask(data, "direct", 1.0, commit=self.commit)
        except FaultError as error:
            if rule is not None:
                raise
            self.proof = f"the proxy does not have the rule; past it nothing can be asked: {error}"
            return False
        there, words = self._measure(data, direct)
        said = f"does not have the rule{self._met}" if rule is None else f"has the rule, {_counts(rule)}"
        self.proof = f"the proxy {said}; {words}, past it {direct}"
        if there is not (rule is not None):
            raise FaultError(
                Problem(str(data["proxy"]), f"it cannot be told whether {self.kind} is there: {self.proof}")
            )
        return there

    def idle(self, undo: Undo, /) -> str:
        """Why the rule met nothing of what the target's clients said; empty if it met something."""
        data: Mapping[str, Any] = undo.data
        try:
            rule = Toxiproxy(data["control"]).toxics(data["proxy"]).get(data["rule"]["token"])
        except (ToxiproxyGone, Missing) as error:
            return f"the protocol proxy is gone: {error}"
        if rule is None or rule.attributes.get("hits"):
            return ""
        return f"the rule met nothing that the target said ({rule.attributes.get('matched')} matched); mend its pattern"

    def _measure(self, data: Mapping[str, Any], direct: Heard) -> tuple[bool, str]:
        """Whether fresh and open connections show the effect, with figures; if not both do, it cannot be told."""
        rule = data["rule"]
        bound_s = direct.took_s + (_late_s(rule) if rule["action"] == "delay" else SILENCE_S)
        fresh = _ask(data, "through", bound_s, commit=self.commit)
        seen = [_shows(rule, fresh, direct)]
        words = f"through it a canary was {fresh}"
        if self._before is not None and rule["error"] != _REFUSING:
            earlier = self._before.say(rule["token"], commit=self.commit, bound_s=bound_s)
            seen.append(_shows(rule, earlier, direct))
            words += f", on a connection that was open before {earlier}"
            if earlier.how in {How.SILENT, How.ENDED}:
                self._hang_up()
        if any(seen) and not all(seen):
            raise FaultError(Problem(str(data["proxy"]), f"only some connections show {self.kind}: {words}"))
        return all(seen), words

    def __del__(self) -> None:
        """The connection that was open before is closed, also if somebody else reverts."""
        self._hang_up()

    def _hang_up(self) -> None:
        if self._before is not None:
            self._before.close()
            self._before = None

    def _rule(self, protocol: str) -> dict[str, Json]:
        """The rule's attributes, from the settings."""
        told = self._settings
        rule: dict[str, Json] = {"action": "", "error": "", "percent": told["percent"], "seed": told["seed"]}
        if protocol == "redis":
            rule |= {"command": told.get("command", ""), "key": told.get("key", "")}
        else:
            rule |= {"statement": told.get("statement", "")}
        return rule


def _open(data: Mapping[str, Any], way: str) -> Talk:
    host, port = data[way]
    if data["protocol"] == "redis":
        return RedisTalk((host, port), data["passfile"])
    return PostgresTalk((host, port), data["dsn"], data["passfile"], data["rule"]["token"])


def _ask(data: Mapping[str, Any], way: str, bound_s: float, *, commit: bool) -> Heard:
    """One exchange on a fresh connection."""
    try:
        talk = _open(data, way)
    except Refused as refused:
        if way == "direct" or _REFUSED_WORDS not in str(refused):
            raise
        return Heard(How.FAILED, refused.took_s, _REFUSING)
    try:
        return talk.say(data["rule"]["token"], commit=commit, bound_s=bound_s)
    finally:
        talk.close()


_REFUSED_WORDS = "too many clients"
"""What a client is told instead of a SQLSTATE when its connection is refused: libpq keeps the words alone."""


def _late_s(rule: Mapping[str, Any]) -> float:
    """Half the delay is enough evidence, and as much waiting as a look may cost."""
    return float(min(0.5 * rule["delay_ms"] / 1e3, effects.PATIENCE_S))


def _shows(rule: Mapping[str, Any], heard: Heard, direct: Heard) -> bool:
    """Whether an exchange shows what a rule does."""
    if rule["action"] == "error":
        fatal = rule["error"] == "57P01" and heard.how is How.ENDED
        return fatal or (heard.how is How.FAILED and heard.error == rule["error"])
    if rule["action"] == "delay":
        late = heard.how is How.ANSWERED and heard.took_s - direct.took_s >= _late_s(rule)
        return late or heard.how is How.SILENT
    if rule["action"] == "cut":
        return heard.how is How.ENDED
    return heard.how is How.SILENT


def _counts(rule: Toxic) -> str:
    matched, hits = rule.attributes.get("matched"), rule.attributes.get("hits")
    return f"which was about {matched} of what the target said and met {hits} of it"


class RedisError(ProtocolFault):
    """Commands are answered with an error of Redis's own and not executed.

    How it is undone: the rule is removed from the proxy, which ends it by itself when the lease is over. What it needs:
    Redis behind the protocol proxy. When it fails: Redis does not answer; clients speak TLS.
    """

    kind = "protocol.redis-error"

    def _rule(self, protocol: str) -> dict[str, Json]:
        return super()._rule(protocol) | {"action": "error", "error": self._settings["error"]}


class PostgresError(ProtocolFault):
    """Statements fail with an error of PostgreSQL's own and are not executed.

    The server itself aborts the transaction, so both sides know. 57P01 ends the connection, 53300 refuses new ones.
    How it is undone, what it needs, when it fails: as `RedisError`, of PostgreSQL.
    """

    kind = "protocol.postgres-error"

    def _rule(self, protocol: str) -> dict[str, Json]:
        return super()._rule(protocol) | {"action": "error", "error": self._settings["sqlstate"]}


class Delay(ProtocolFault):
    """Commands or statements reach the server late, and so does everything behind them on their connection.

    How it is undone, what it needs, when it fails: as `RedisError`, of either.
    """

    kind = "protocol.delay"

    def _rule(self, protocol: str) -> dict[str, Json]:
        return super()._rule(protocol) | {"action": "delay", "delay_ms": self._settings["delay_ms"]}


class CutAfterCommit(ProtocolFault):
    """PostgreSQL has committed, and the connection ends before the client is told.

    How it is undone, what it needs, when it fails: as `RedisError`, of PostgreSQL.
    """

    kind = "protocol.cut-after-commit"
    commit = True

    def _rule(self, protocol: str) -> dict[str, Json]:
        return super()._rule(protocol) | {"action": "cut", "at_most": self._settings["at_most"]}


class SwallowAnswer(ProtocolFault):
    """Commands or statements are executed, and the answer never comes.

    How it is undone: as `RedisError`; connections that lost an answer end. What it needs, when it fails: as there.
    """

    kind = "protocol.swallow-answer"

    def _rule(self, protocol: str) -> dict[str, Json]:
        return super()._rule(protocol) | {"action": "swallow", "at_most": self._settings["at_most"]}


def _patterns(settings: Settings) -> tuple[Problem, ...]:
    """Patterns that are none."""
    problems = []
    for name in ("key", "statement"):
        try:
            patterns.read(str(settings.get(name, "")))
        except ValueError as error:
            problems.append(Problem(name, str(error), "write a short regular expression"))
    return tuple(problems)


def _speaks(protocol: str, settings: Settings, place: Place) -> tuple[Problem, ...]:
    """The part must speak what the rule is about, in plain text."""
    wanted = (protocol,) if protocol else ("redis", "postgres")
    if place.protocol not in wanted:
        what = f"speaks {place.protocol or 'something unknown'}, expected {' or '.join(wanted)}"
        return (Problem(place.name, what, "choose another part"),)
    other = ("key", "command") if place.protocol == "postgres" else ("statement",)
    if useless := [name for name in other if settings.get(name)]:
        return (Problem(place.name, f"{', '.join(useless)} means nothing to {place.protocol}", "leave it out"),)
    if place.protocol == "postgres":
        look = effects.ask((place.host, place.port), effects.question(place))
        if look.said.startswith(b"S"):
            hint = "rules do not apply to what is said through TLS: switch ssl off at the server"
            return (Problem(place.name, "the server offers TLS, which clients may take", hint),)
    return ()


_NEEDS = {"wire": "the protocol proxy before it", "wire_proxy": "a proxy of its own in the protocol proxy"}
_UNDO = "the rule that this run added to the protocol proxy before {on} is removed; it ends by itself after its lease"
_PERCENT = Setting(
    default=100.0, minimum=0.1, maximum=100, meaning="The share that is met, of what command, key or statement choose."
)
_SEED = Setting(default=1, maximum=2**31, meaning="Of the draw; the same seed meets the same ones.")
_COMMAND = Setting(
    default="", meaning="Redis: names of commands, separated by blanks; empty is every one that deals with data."
)
_KEY = Setting(default="", meaning="Redis: regular expression that a key must contain; empty is every key.")
_STATEMENT = Setting(
    default="",
    meaning="PostgreSQL: regular expression that the first 1000 characters of a statement must contain; empty is any.",
)
_AT_MOST = Setting(default=0, maximum=1_000_000, meaning="No more than so many are met; 0 is without limit.")


def _kind(fault: type[ProtocolFault], protocol: str, settings: Mapping[str, Setting]) -> Kind:
    return kind_of(
        fault,
        _UNDO,
        _NEEDS,
        {**settings, "percent": _PERCENT, "seed": _SEED},
        together=_patterns,
        preflight=lambda told, place: _speaks(protocol, told, place),
    )


KINDS: tuple[Kind, ...] = (
    _kind(
        RedisError,
        "redis",
        {
            "error": Setting(
                default="READONLY",
                meaning="The error, by its first word.",
                choices=(
                    "READONLY",
                    "LOADING",
                    "OOM",
                    "BUSY",
                    "MOVED",
                    "CLUSTERDOWN",
                    "TRYAGAIN",
                    "MASTERDOWN",
                    "MISCONF",
                ),
            ),
            "command": _COMMAND,
            "key": _KEY,
        },
    ),
    _kind(
        PostgresError,
        "postgres",
        {
            "sqlstate": Setting(
                default="40001",
                meaning="The error: serialization, deadlock, connections, shutdown, read-only, lock, timeout, disk.",
                choices=("40001", "40P01", "53300", "57P01", "25006", "55P03", "57014", "53100"),
            ),
            "statement": _STATEMENT,
        },
    ),
    _kind(
        Delay,
        "",
        {
            "delay_ms": Setting(default=200, minimum=1, maximum=60_000, meaning="How late each is."),
            "command": _COMMAND,
            "key": _KEY,
            "statement": _STATEMENT,
        },
    ),
    _kind(CutAfterCommit, "postgres", {"statement": _STATEMENT, "at_most": _AT_MOST}),
    _kind(SwallowAnswer, "", {"command": _COMMAND, "key": _KEY, "statement": _STATEMENT, "at_most": _AT_MOST}),
)
"""The kinds of this mechanism."""

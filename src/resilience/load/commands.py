"""Commands for Redis made ready: words that stay words, and what must come back."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import hiredis

from resilience.errors import LoadError
from resilience.load.classify import StoreAnswer
from resilience.load.fields import text_at
from resilience.load.operations import TENANT, Template, Values, allowed_names
from resilience.load.servers import server_name
from resilience.model import WRONG_TENANT, Expect, Json, Operation, Problem, RedisCommand, Role

_SHOWN = 80
_IN_PART = frozenset({"EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "FCALL", "FCALL_RO"})
"""Commands that may have done something before they fail; so may those of modules, which have a dot in their name."""

Said: TypeAlias = "bytes | int | float | bool | list[Any] | dict[Any, Any] | hiredis.ReplyError | None"


class Wanted:
    """What must come back.

    Args:
        command: as written.
        seeks: it is a read-back.
    """

    __slots__ = ("_body", "_found", "_reply", "_seeks", "_tenant", "_values")

    def __init__(self, command: RedisCommand, *, seeks: bool) -> None:
        self._reply = None if command.reply is None else Template(command.reply)
        self._values = tuple((path, Template(text)) for path, text in command.values.items())
        self._found, self._tenant, self._body, self._seeks = command.found, command.tenant, command.body, seeks

    def answer(self, said: Said, values: Values) -> StoreAnswer:
        """What an answer means."""
        return StoreAnswer(self._unmet(said, values), self._entry(said), lambda: document_of(said))

    def _unmet(self, said: Said, values: Values) -> str:
        if said is None and (self._found or self._values):
            return "unexpected answer: there is nothing"
        if self._reply is not None and (found := _text(said)) != (wanted := self._reply.render(values)):
            return f"unexpected answer: {_show(found)}, expected {wanted[:_SHOWN]!r}"
        if said is None or not (self._values or self._tenant):
            return ""  # nothing belongs to nobody
        document = _parsed(said)
        if self._tenant and (found := text_at(document, self._tenant)) != values[TENANT]:
            return f"{WRONG_TENANT}: what belongs to {_whose(found)} in an answer to {values[TENANT]!r}"
        for path, template in self._values:
            if (found := text_at(document, path)) != (wanted := template.render(values)):
                return f"unexpected answer: {path} is {_show(found)}, expected {wanted[:_SHOWN]!r}"
        return ""

    def _entry(self, said: Said) -> tuple[str | None, str | None] | None:
        if not self._seeks or said is None:
            return None
        return None, text_at(_parsed(said), self._body) if self._body else _text(said)


@dataclass(frozen=True, slots=True)
class Asked:
    """What one arrival does.

    Attributes:
        content: the command as it is sent.
        certain: whether an error that the server answers proves that it had no effect.
        wanted: what must come back.
    """

    server: str
    content: bytes
    certain: bool
    wanted: Wanted
    values: Values


def is_certain(command: str) -> bool:
    """Whether an error that the server answers to such a command proves that it had no effect."""
    return command.upper() not in _IN_PART and "." not in command


class Prepared:
    """A command made ready to be sent many times.

    Args:
        operation: with `redis`.
        segments: names that have a value besides those of the operation's role.

    Raises:
        LoadError: it cannot be sent; every reason.
    """

    def __init__(self, operation: Operation, segments: Sequence[str] = ()) -> None:
        command = operation.redis
        if command is None or not command.command:
            raise LoadError(Problem(f"operation {operation.name}", "has no command for Redis"))
        self.operation = operation
        wrong = tuple(_problems(operation, command, segments))
        if wrong:
            raise LoadError(wrong)
        self._server = server_name(command)
        self._words = tuple(Template(word) for word in command.command)
        self._certain = is_certain(command.command[0])
        self._wanted = Wanted(command, seeks=operation.role is Role.READ_BACK)

    def request(self, values: Values) -> Asked:
        """What is sent for one arrival."""
        words: tuple[Any, ...] = tuple([word.render(values) for word in self._words])
        content = hiredis.pack_command(words)
        return Asked(self._server, content, self._certain, self._wanted, values)

    def expect(self, _values: Values) -> Expect:
        """Nothing of HTTP: what must come back stands in the request."""
        return self.operation.expect


_REPLY = "reply"


def literal(server: str, words: Sequence[str | bytes | float], reply: str | None, *, found: bool) -> Asked:
    """A command whose words, and the text that must come back, hold no names."""
    template = None if reply is None else f"${{{_REPLY}}}"
    wanted = Wanted(RedisCommand(command=(), reply=template, found=found), seeks=False)
    given: tuple[Any, ...] = tuple(words)
    return Asked(server, hiredis.pack_command(given), is_certain(str(words[0])), wanted, {_REPLY: reply or ""})


def error_text(error: hiredis.ReplyError) -> str:
    """An error of the server as `redis KIND: words`."""
    kind, _, words = str(error).partition(" ")
    return f"redis {kind}: {words[:_SHOWN]}" if kind.isupper() else f"redis ERR: {str(error)[:_SHOWN]}"


def document_of(said: Said) -> Json:
    """An answer as JSON: `{"reply": …}`, with texts for bytes."""
    return {"reply": _plain(said)}


def _plain(said: Said) -> Json:
    if isinstance(said, bytes):
        return said.decode(errors="replace")
    if isinstance(said, list):
        return [_plain(one) for one in said]
    if isinstance(said, Mapping):
        return {str(_plain(name)): _plain(value) for name, value in said.items()}
    return str(said) if isinstance(said, hiredis.ReplyError) else said


def _text(said: Said) -> str | None:
    """An answer that is one value, as text; None is any other."""
    if isinstance(said, bytes):
        return said.decode(errors="replace")
    return None if said is None or isinstance(said, list | Mapping) else str(said)


def _parsed(said: Said) -> Json:
    """The JSON in an answer; an answer of several values is what it is."""
    if not isinstance(said, bytes):
        return _plain(said)
    try:
        parsed: Json = json.loads(said)
    except (ValueError, RecursionError):
        return None
    return parsed


def _whose(found: str | None) -> str:
    return "nobody" if found is None else repr(found[:_SHOWN])


def _show(found: str | None) -> str:
    return "nothing" if found is None else repr(found[:_SHOWN])


def _problems(operation: Operation, command: RedisCommand, segments: Sequence[str]) -> Iterator[Problem]:
    allowed = allowed_names(operation, segments)
    texts = (*command.command, *command.values.values(), command.reply or "")
    names = {name for text in texts for name in Template(text).names} | ({TENANT} if command.tenant else set())
    for name in sorted(names - set(allowed)):
        known = ", ".join(f"${{{one}}}" for one in allowed)
        message = f"${{{name}}} has no value in a {operation.role.value}; known are {known}"
        yield Problem(f"operation {operation.name}", message)

"""Toxiproxy's control API: what is asked → status and JSON. Knows nothing of HTTP but methods and paths."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from resilience.wire import body, rules
from resilience.wire.address import AddressError
from resilience.wire.proxy import DOWNSTREAM, UPSTREAM, MakeMind, Proxy, Toxic
from resilience.wire.stages import TYPES

VERSION = "2.12.0"
"""The toxiproxy whose API this is."""

_PROXY = {"name": str, "listen": str, "upstream": str, "enabled": bool, "protocol": str}
_TOXIC = {"name": str, "type": str, "stream": str, "toxicity": float}


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, body, and its type; a body of None is none at all."""

    status: int
    content: bytes | None = None
    type: str = "application/json"


class Refused(Exception):  # noqa: N818 - an answer, not a mishap
    """The answer is an error."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.document = {"error": message, "status": status}
        self.status = status


def _bad(reason: Exception | str) -> Refused:
    return Refused(f"bad request body: {reason}", HTTPStatus.BAD_REQUEST)


def _missing(what: str) -> Refused:
    return Refused(f"missing required field: {what}", HTTPStatus.BAD_REQUEST)


def _attributes(kind: str, document: Any, into: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """The attributes of a toxic after what a document says of them."""
    given = document if isinstance(document, dict) else {}
    said = next((value for name, value in given.items() if name.casefold() == "attributes"), None)
    if kind in rules.FIELDS:
        return body.fill(said, rules.FIELDS[kind], into, f"{kind} rule")
    return body.fill(said, dict.fromkeys(TYPES[kind].attributes, int), into, f"{kind} toxic")


@dataclass(slots=True)
class Api:
    """All proxies, and what can be asked of them.

    Args:
        seed: of everything random.
        minds: what understands each protocol.
    """

    seed: int
    minds: Mapping[str, MakeMind] = field(default_factory=dict)
    proxies: dict[str, Proxy] = field(default_factory=dict)
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def answer(self, method: str, path: str, content: bytes) -> Answer:
        """One request, after all before it."""
        words = path.split("/")[1:]
        verbs = self._verbs(words)
        if verbs is None:
            return Answer(HTTPStatus.NOT_FOUND, b"404 page not found\n", "text/plain; charset=utf-8")
        if method not in verbs:
            return Answer(HTTPStatus.METHOD_NOT_ALLOWED)
        async with self._one:
            try:
                return await verbs[method](words[1:], content)
            except Refused as error:
                refused = error
            except AddressError as error:
                refused = Refused(str(error), HTTPStatus.INTERNAL_SERVER_ERROR)
        return Answer(refused.status, body.write(refused.document) + b"\n", "text/plain; charset=utf-8")

    async def populate(self, content: bytes) -> tuple[list[Proxy], Refused | None]:
        """Make the proxies of a list; those that are there as they should be stay as they are."""
        made: list[Proxy] = []
        try:
            for entry in self._entries(content):
                made.append(await self._put(entry))  # noqa: PERF401 - what was made before an error counts
        except Refused as error:
            return made, error
        except AddressError as error:
            return made, Refused(str(error), HTTPStatus.INTERNAL_SERVER_ERROR)
        return made, None

    def close(self) -> None:
        """End everything."""
        for proxy in self.proxies.values():
            proxy.stop()

    def _verbs(self, words: list[str]) -> dict[str, Callable[[list[str], bytes], Awaitable[Answer]]] | None:
        match words:
            case ["version"]:
                return {"GET": self._version}
            case ["reset"]:
                return {"POST": self._reset}
            case ["populate"]:
                return {"POST": self._populate}
            case ["proxies"]:
                return {"GET": self._index, "POST": self._create}
            case ["proxies", name] if name:
                return {"GET": self._show, "POST": self._update, "PATCH": self._update, "DELETE": self._delete}
            case ["proxies", name, "toxics"] if name:
                return {"GET": self._toxics, "POST": self._add}
            case ["proxies", name, "toxics", toxic] if name and toxic:
                return {"GET": self._toxic, "POST": self._change, "PATCH": self._change, "DELETE": self._remove}
        return None

    async def _version(self, _words: list[str], _content: bytes) -> Answer:
        return Answer(
            HTTPStatus.OK, f'{{"version": "{VERSION}-resilience"}}\n'.encode(), "application/json;charset=utf-8"
        )

    async def _reset(self, _words: list[str], _content: bytes) -> Answer:
        for proxy in self.proxies.values():
            await proxy.start()
            proxy.clear()
        return Answer(HTTPStatus.NO_CONTENT)

    async def _populate(self, _words: list[str], content: bytes) -> Answer:
        made, refused = await self.populate(content)
        document = {"proxies": [proxy.document() for proxy in made] or None}
        if refused is None:
            return Answer(HTTPStatus.CREATED, body.write(document))
        return Answer(refused.status, body.write(refused.document | document))

    async def _index(self, _words: list[str], _content: bytes) -> Answer:
        return _ok({name: self.proxies[name].document() for name in sorted(self.proxies)})

    async def _create(self, _words: list[str], content: bytes) -> Answer:
        given = _read(
            content, _PROXY, {"name": "", "listen": "", "upstream": "", "enabled": True, "protocol": ""}, "Proxy"
        )
        for name in ("name", "upstream"):
            if not given[name]:
                raise _missing(name)
        if given["name"] in self.proxies:
            raise Refused("proxy already exists", HTTPStatus.CONFLICT)
        proxy = self._make(given)
        if given["enabled"]:
            await proxy.start()
        self.proxies[proxy.name] = proxy
        return Answer(HTTPStatus.CREATED, body.write(proxy.document()))

    async def _show(self, words: list[str], _content: bytes) -> Answer:
        return _ok(self._proxy(words).document())

    async def _update(self, words: list[str], content: bytes) -> Answer:
        proxy = self._proxy(words)
        now = {"listen": proxy.listen, "upstream": proxy.upstream, "enabled": proxy.enabled}
        given = _read(content, _PROXY, now, "Proxy")
        await proxy.change(given["listen"], given["upstream"], enabled=given["enabled"])
        return _ok(proxy.document())

    async def _delete(self, words: list[str], _content: bytes) -> Answer:
        proxy = self._proxy(words)
        proxy.stop()
        proxy.clear()
        del self.proxies[proxy.name]
        return Answer(HTTPStatus.NO_CONTENT)

    async def _toxics(self, words: list[str], _content: bytes) -> Answer:
        return _ok([toxic.document() for toxic in self._proxy(words).in_order()])

    async def _add(self, words: list[str], content: bytes) -> Answer:
        proxy = self._proxy(words)
        given = _read(content, _TOXIC, {"name": "", "type": "", "stream": DOWNSTREAM, "toxicity": 1.0}, "Toxic")
        kind = given["type"]
        if given["stream"].lower() not in {UPSTREAM, DOWNSTREAM}:
            raise Refused("stream was invalid, can be either upstream or downstream", HTTPStatus.BAD_REQUEST)
        if kind not in TYPES and kind not in rules.FIELDS:
            raise Refused("invalid toxic type", HTTPStatus.BAD_REQUEST)
        name = given["name"] or f"{kind}_{given['stream']}"
        if proxy.find(name) is not None:
            raise Refused("toxic already exists", HTTPStatus.CONFLICT)
        empty = dict(rules.DEFAULTS[kind]) if kind in rules.FIELDS else dict.fromkeys(TYPES[kind].attributes, 0)
        try:
            attributes = _attributes(kind, body.read(content), empty)
            rule = rules.make(kind, proxy.protocol, attributes) if kind in rules.FIELDS else None
        except body.BodyError as error:
            raise _bad(error) from None
        toxic = Toxic(name, kind, given["stream"], given["toxicity"], attributes, rule)
        proxy.add(toxic)
        return _ok(toxic.document())

    async def _toxic(self, words: list[str], _content: bytes) -> Answer:
        return _ok(self._found(words).document())

    async def _change(self, words: list[str], content: bytes) -> Answer:
        proxy, toxic = self._proxy(words), self._found(words)
        try:
            document = body.read(content)
            given = body.fill(document, {"toxicity": float}, {"toxicity": toxic.toxicity}, "Toxic")
            attributes = _attributes(toxic.type, document, dict(toxic.attributes))
            if toxic.rule is not None:
                toxic.rule = rules.make(toxic.type, proxy.protocol, attributes, before=toxic.rule)
        except body.BodyError as error:
            raise _bad(error) from None
        toxic.toxicity, toxic.attributes = given["toxicity"], attributes
        proxy.updated(toxic)
        return _ok(toxic.document())

    async def _remove(self, words: list[str], _content: bytes) -> Answer:
        self._proxy(words).remove(self._found(words))
        return Answer(HTTPStatus.NO_CONTENT)

    def _proxy(self, words: list[str]) -> Proxy:
        if (proxy := self.proxies.get(words[0])) is None:
            raise Refused("proxy not found", HTTPStatus.NOT_FOUND)
        return proxy

    def _found(self, words: list[str]) -> Toxic:
        if (toxic := self._proxy(words).find(words[2])) is None:
            raise Refused("toxic not found", HTTPStatus.NOT_FOUND)
        return toxic

    def _make(self, given: Mapping[str, Any]) -> Proxy:
        if given["protocol"] not in {"", *self.minds}:
            raise _bad(f"protocol {given['protocol']!r} is not known, expected one of {', '.join(self.minds)}")
        # A stream of its own for each proxy, so that what one draws does not depend on the traffic of another.
        draw = random.Random(f"{self.seed}/{given['name']}")  # noqa: S311 - no secret
        return Proxy(given["name"], given["listen"], given["upstream"], draw, given["protocol"], self.minds)

    def _entries(self, content: bytes) -> list[dict[str, Any]]:
        try:
            document = body.read(content)
            default = {"name": "", "listen": "", "upstream": "", "enabled": True, "protocol": ""}
            entries = [body.fill(entry, _PROXY, dict(default), "Proxy") for entry in body.listed(document)]
        except body.BodyError as error:
            raise _bad(error) from None
        for number, entry in enumerate(entries, 1):
            for name in ("name", "upstream"):
                if not entry[name]:
                    raise _missing(f"{name} at proxy {number}")
        return entries

    async def _put(self, entry: Mapping[str, Any]) -> Proxy:
        there = self.proxies.get(entry["name"])
        proxy = self._make(entry)
        if there is not None:
            if not there.differs(entry["listen"], entry["upstream"]):
                return there
            there.stop()
        if entry["enabled"]:
            await proxy.start()
        if there is not None:
            there.clear()
        self.proxies[proxy.name] = proxy
        return proxy


def _ok(document: Any) -> Answer:  # noqa: ANN401 - any JSON
    return Answer(HTTPStatus.OK, body.write(document))


def _read(content: bytes, fields: body.Fields, into: dict[str, Any], of: str) -> dict[str, Any]:
    try:
        return body.fill(body.read(content), fields, into, of)
    except body.BodyError as error:
        raise _bad(error) from None

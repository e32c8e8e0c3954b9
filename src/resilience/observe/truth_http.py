"""The truth about writes as an HTTP endpoint lists it: JSON, a page at a time, bounded, each page asked for once."""

import json
import time
from base64 import b64encode
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from resilience.errors import RecordError
from resilience.host.network import cut_off
from resilience.model import HttpTruth, Json, Problem
from resilience.observe.values import Paths, at

BOUND_S = 10.0
"""Longest silence of the server."""
MOST_FACTS = 32

Row = tuple[str, str, int]


class HttpReader:
    """Reads entries row by row.

    Args:
        base: address of the endpoint: `http://127.0.0.1:8080`.
        source: what is listed there, and how.
        headers: sent with every request.
        timeout_s: for a whole read.
        most_bytes: of one page.
    """

    def __init__(
        self,
        base: str,
        source: HttpTruth,
        headers: Mapping[str, str] | None = None,
        *,
        timeout_s: float = 60.0,
        most_bytes: int = 32_000_000,
    ) -> None:
        self._base = base.rstrip("/")
        self._source = source
        self._headers = dict(headers or {})
        self._timeout_s = timeout_s
        self._most_bytes = most_bytes
        self._paths = Paths(self._where(), source.id, source.body, source.position)
        self._facts: dict[str, str] | None = None

    def facts(self) -> dict[str, str]:
        """What the endpoint says of the store: at the last read, or now if there was none.

        Raises:
            RecordError: as `read`.
        """
        if self._facts is None:
            with closing(self._pages("none-", time.monotonic() + self._timeout_s)) as pages:
                next(pages)
        return {"store": "http", **(self._facts or {})}

    def read(self, prefix: str) -> Iterator[Row]:
        """All entries whose id starts with the prefix.

        Raises:
            RecordError: the endpoint cannot be reached, is too slow, or does not answer as it was said to.
        """
        deadline = time.monotonic() + self._timeout_s
        yield from self._paths.ours(self._items(prefix, deadline), prefix)

    def _items(self, prefix: str, deadline: float) -> Iterator[Json]:
        for page in self._pages(prefix, deadline):
            yield from page

    def _pages(self, prefix: str, deadline: float) -> Generator[list[Json], None, None]:
        """The items of one page after the other, until there is none."""
        path, cursor, offset, known = self._source.path, "", 0, {""}
        while True:
            values = {"{prefix}": prefix, "{cursor}": cursor, "{offset}": str(offset)}
            asked = path
            for name, value in values.items():
                asked = asked.replace(name, quote(value, safe=""))
            document = self._page(asked, deadline)
            if offset == 0 and not cursor:
                self._note_facts(document)
            items = at(document, self._source.items)
            if not isinstance(items, list):
                message = f"a page has {_kind(items)} at {self._source.items or 'its top'}, a list was expected"
                raise self._problem(message, "name the path of the list in items")
            yield items
            offset += len(items)
            cursor = self._next(document)
            if "{cursor}" in path and cursor:
                if cursor in known:
                    raise self._problem(f"gives the cursor {cursor!r:.60} twice", "its pages would never end")
                known.add(cursor)
            elif "{offset}" not in path or not items:
                return

    def _page(self, path: str, deadline: float) -> Json:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise self._late()
        try:
            with closing(self._connect(min(BOUND_S, left_s))) as connection:
                connection.connect()
                with cut_off(connection.sock.fileno(), left_s):
                    content = self._answer(connection, path)
        except (HTTPException, OSError, ValueError) as error:
            if time.monotonic() > deadline:
                raise self._late() from None
            # What the error says may have the whole address in it, with whatever is secret there.
            hint = f"it must be reachable for the truth, and never be silent for {BOUND_S:g} s"
            raise self._problem(f"the truth cannot be read: {type(error).__name__}", hint) from None
        if time.monotonic() > deadline:  # what was cut off looks as if it had ended
            raise self._late()
        try:
            found: Json = json.loads(content)
        except (ValueError, RecursionError):
            raise self._problem("answered with something that is no JSON", "ask for JSON") from None
        return found

    def _connect(self, bound_s: float) -> HTTPConnection:
        """A connection for one page: nothing is sent again behind our back on one that was closed."""
        parts = urlsplit(self._base)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        return kind(parts.hostname, parts.port, timeout=bound_s)

    def _answer(self, connection: HTTPConnection, path: str) -> bytes:
        parts = urlsplit(self._base)
        headers = {"Accept": "application/json", **self._headers}
        if parts.username is not None:
            login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            headers["Authorization"] = f"Basic {b64encode(login.encode()).decode()}"
        connection.request("GET", parts.path + path, headers=headers)
        answer = connection.getresponse()
        if answer.status != HTTPStatus.OK:
            message = f"answered {answer.status} {answer.reason or ''}".strip()
            raise self._problem(f"{message}, 200 was expected", "is it the right path, and may we ask?")
        content = answer.read(self._most_bytes + 1)
        if len(content) > self._most_bytes:
            raise self._problem(f"a page is larger than {self._most_bytes:,} bytes", "ask for smaller pages")
        if answer.length:
            raise ValueError
        return content

    def _late(self) -> RecordError:
        return self._problem(f"was not read within {self._timeout_s:g} s", "are the pages large enough?")

    def _next(self, document: Json) -> str:
        found = at(document, self._source.next) if self._source.next else None
        return "" if found is None or found is False else found if isinstance(found, str) else json.dumps(found)

    def _note_facts(self, document: Json) -> None:
        found: Any = at(document, self._source.facts) if self._source.facts else {}
        if not isinstance(found, Mapping):
            raise self._problem(f"has {_kind(found)} at {self._source.facts}, facts by name were expected", "")
        texts = {str(name): value if isinstance(value, str) else json.dumps(value) for name, value in found.items()}
        self._facts = dict(sorted(texts.items())[:MOST_FACTS])

    def _where(self) -> str:
        """The endpoint without anything secret."""
        try:
            parts = urlsplit(self._base)
            host = f"{parts.hostname or ''}:{parts.port}" if parts.port else parts.hostname or ""
        except ValueError:  # no address at all
            return "HTTP endpoint"
        return f"{parts.scheme}://{host}{self._source.path.partition('?')[0]}"

    def _problem(self, message: str, hint: str) -> RecordError:
        return RecordError(Problem(self._where(), message, hint))


def _kind(value: Json) -> str:
    return "nothing" if value is None else f"{json.dumps(value):.60}"

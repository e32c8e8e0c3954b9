"""The HTTP server of the control API: loopback only, one small request after another per connection."""

import asyncio
import email.utils
import hmac
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from urllib.parse import unquote_to_bytes

import httptools

from resilience.wire.api import Answer

LARGEST = 4 * 1024 * 1024
"""Bytes of a request's body."""

Ask = Callable[[str, str, bytes], Awaitable[Answer]]
_TEXT = "text/plain; charset=utf-8"


class Control(asyncio.Protocol):
    """One connection to the control API.

    Args:
        ask: method, path and body → answer.
        token: what a request must carry as `Authorization: Bearer`; empty asks for none.
    """

    def __init__(self, ask: Ask, token: str = "") -> None:
        self._ask = ask
        self._token = token.encode()
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: asyncio.Queue[tuple[str, bytes, dict[bytes, bytes], bytes, bool] | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._clear()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to answer."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(transport)
        self._transport = transport
        self._task = asyncio.get_running_loop().create_task(self._answer_all())

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - both ways it has ended
        """Nobody waits for answers any more."""
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        """Parse; what is no HTTP ends the connection."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._waiting.put_nowait(None)

    def on_url(self, url: bytes) -> None:
        """Part of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        self._headers[name.lower()] = value

    def on_body(self, content: bytes) -> None:
        """Part of the body."""
        self._body += content
        if len(self._body) > LARGEST and self._transport is not None:
            self._transport.abort()

    def on_message_complete(self) -> None:
        """A whole request."""
        method = self._parser.get_method().decode("latin-1")
        keep = self._parser.should_keep_alive()
        self._waiting.put_nowait((method, bytes(self._url), self._headers, bytes(self._body), keep))
        self._clear()

    def _clear(self) -> None:
        self._url = bytearray()
        self._body = bytearray()
        self._headers: dict[bytes, bytes] = {}

    async def _answer_all(self) -> None:
        while (request := await self._waiting.get()) is not None:
            method, url, headers, content, keep = request
            answer = self._refusal(headers)
            if answer is None:
                # Split at slashes before percent signs are read would allow names with slashes; toxiproxy reads first.
                path = unquote_to_bytes(url.partition(b"?")[0]).decode(errors="replace")
                answer = await self._ask(method, path, content)
            self._write(answer, keep=keep)
            if not keep:
                break
        if self._transport is not None:
            self._transport.close()

    def _refusal(self, headers: dict[bytes, bytes]) -> Answer | None:
        """What is answered to a browser, or to somebody without the token."""
        if headers.get(b"user-agent", b"").startswith(b"Mozilla/") or b"origin" in headers:
            return Answer(HTTPStatus.FORBIDDEN, b"User agent not allowed\n", _TEXT)
        given = headers.get(b"authorization", b"").partition(b"Bearer ")[2]
        if self._token and not hmac.compare_digest(given, self._token):
            return Answer(HTTPStatus.UNAUTHORIZED, b"a bearer token is needed\n", _TEXT)
        return None

    def _write(self, answer: Answer, *, keep: bool) -> None:
        lines = [f"HTTP/1.1 {int(answer.status)} {HTTPStatus(answer.status).phrase}"]
        if answer.content is not None:
            lines.append(f"Content-Type: {answer.type}")
        if answer.type == _TEXT:
            lines.append("X-Content-Type-Options: nosniff")
        lines.append(f"Date: {email.utils.formatdate(usegmt=True)}")
        if answer.status != HTTPStatus.NO_CONTENT:
            lines.append(f"Content-Length: {len(answer.content or b'')}")
        if not keep:
            lines.append("Connection: close")
        if self._transport is not None:
            self._transport.write("\r\n".join((*lines, "", "")).encode() + (answer.content or b""))

"""The server: the API of a provider with the faults that are set, and `/-/faults` to set them.

`/health` never meets a fault. Everything under `/-/` needs the token.
"""

import asyncio
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from resilience.provider import answers
from resilience.provider.answers import Document, Refused
from resilience.provider.faults import Active, Faults

LARGEST = 1_000_000
"""Bytes of a request."""
Handler = Callable[[Request], Awaitable[Response]]

GATEWAY = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n"
)
GARBAGE = b'\x1f\x8b\x08\x00<!DOCTYPE html><p>{"choices": [{"message": '


class Cut(Exception):  # noqa: N818 - it is what is wanted
    """The connection is to be closed in the middle of an answer."""


@dataclass(slots=True)
class Provider:
    """The stand-in.

    Attributes:
        token: what whoever sets faults must show.
        latency_s: before every answer.
        word_s: before every word of a stream.
    """

    token: str
    latency_s: float = 0.01
    word_s: float = 0.005
    faults: Faults = field(default_factory=Faults)

    def app(self) -> Starlette:
        """The application."""
        return Starlette(
            routes=[
                Route("/health", _health),
                Route("/v1/models", self._api(self._models)),
                Route("/v1/chat/completions", self._api(self._chat), methods=["POST"]),
                Route("/v1/embeddings", self._api(self._embeddings), methods=["POST"]),
                Route("/-/faults", self._guarded(self._list)),
                Route("/-/faults/{name}", self._guarded(self._change), methods=["PUT", "DELETE"]),
            ]
        )

    # ------------------------------------------------------------------------------------------------------ the API

    def _api(self, answer: Handler) -> Handler:
        """A handler behind the faults that come before an answer, or in its place."""

        async def handle(request: Request) -> Response:
            met = self.faults.met()
            late_s = sum(_late_s(active) for active in met.get("slow", ()))
            await asyncio.sleep(self.latency_s + late_s)
            if throttled := met.get("throttled"):
                return _throttled(throttled[0])
            if failing := met.get("failing"):
                return _failing(int(failing[0].settings["status"]))
            if nonsense := met.get("nonsense"):
                return _nonsense(str(nonsense[0].settings["how"]))
            request.state.stops = next(iter(met.get("stops", ())), None)
            try:
                return await answer(request)
            except Refused as refused:
                return JSONResponse(refused.document, 400)

        return handle

    async def _models(self, request: Request) -> Response:
        return self._whole(request, answers.models())

    async def _embeddings(self, request: Request) -> Response:
        return self._whole(request, answers.embeddings(answers.parsed(await _body(request))))

    async def _chat(self, request: Request) -> Response:
        body = answers.parsed(await _body(request))
        if body.get("stream") is not True:
            return self._whole(request, answers.completion(body))
        parts = [f"data: {json.dumps(piece)}\n\n".encode() for piece in answers.pieces(body)]
        parts.append(b"data: [DONE]\n\n")
        stops: Active | None = request.state.stops
        after = len(parts) if stops is None else 1 + int(stops.settings["after_words"])
        stream = self._parts(request, parts, min(after, len(parts) - 1) if stops else after, self.word_s)
        return StreamingResponse(stream, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})

    def _whole(self, request: Request, document: Document) -> Response:
        """An answer in one piece, of which half is sent if it is to stop."""
        if request.state.stops is None:
            return JSONResponse(document)
        content = json.dumps(document).encode()
        middle = len(content) // 2
        stream = self._parts(request, [content[:middle], content[middle:]], 1, 0.0)
        return StreamingResponse(stream, media_type="application/json", headers={"Content-Length": str(len(content))})

    async def _parts(self, request: Request, parts: list[bytes], until: int, pause_s: float) -> AsyncIterator[bytes]:
        """The parts of an answer; if it is to stop, those before the middle, and then the end, or silence."""
        for part in parts[:until]:
            yield part
            await asyncio.sleep(pause_s)
        stops: Active | None = request.state.stops
        if stops is None:
            return
        # It may be removed, and it may run out: asking is simpler than being told of either.
        while stops.settings["how"] == "hang" and any(active is stops for active in self.faults):  # noqa: ASYNC110 - as said
            await asyncio.sleep(0.05)
        raise Cut

    # --------------------------------------------------------------------------------------------------- the control

    def _guarded(self, handler: Handler) -> Handler:
        """A handler for those who have the token."""

        async def handle(request: Request) -> Response:
            shown = request.headers.get("authorization", "")
            if not hmac.compare_digest(shown.encode(), f"Bearer {self.token}".encode()):
                return JSONResponse({"error": "the token is missing or wrong"}, 401, {"WWW-Authenticate": "Bearer"})
            return await handler(request)

        return handle

    async def _list(self, _request: Request) -> Response:
        return JSONResponse({"faults": self.faults.listed()})

    async def _change(self, request: Request) -> Response:
        name = str(request.path_params["name"])
        if request.method == "DELETE":
            return Response(status_code=204 if self.faults.remove(name) else 404)
        try:
            self.faults.put(name, json.loads(await _body(request)))
        except (ValueError, Refused) as wrong:
            return JSONResponse({"error": str(wrong)}, 400)
        return Response(status_code=204)


async def _health(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _body(request: Request) -> bytes:
    """The body of a request, bounded."""
    content = b""
    async for part in request.stream():
        content += part
        if len(content) > LARGEST:
            raise Refused(f"The body is larger than {LARGEST} bytes", "body")
    return content


def _late_s(active: Active) -> float:
    jitter = float(active.settings["jitter_ms"]) * (2 * active.draw() - 1)
    return max(0.0, float(active.settings["latency_ms"]) + jitter) / 1e3


def _throttled(active: Active) -> Response:
    wait = str(active.settings["retry_after_s"])
    document = answers.error(
        f"Rate limit reached for requests. Please try again in {wait}s.", "requests", code="rate_limit_exceeded"
    )
    limits = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": f"{wait}s"}
    return JSONResponse(document, 429, {"Retry-After": wait, **limits})


def _failing(status: int) -> Response:
    if status == 502:  # noqa: PLR2004 - what stands before a provider answers this, and not in JSON
        return Response(GATEWAY, status, media_type="text/html")
    if status == 503:  # noqa: PLR2004 - as above
        return JSONResponse(
            answers.error("The engine is currently overloaded, please try again later", "overloaded"), 503
        )
    message = "The server had an error while processing your request. Sorry about that!"
    return JSONResponse(answers.error(message, "server_error"), status)


def _nonsense(how: str) -> Response:
    if how == "garbage":
        return Response(GARBAGE, media_type="application/json")
    if how == "empty":
        return JSONResponse(
            {"id": "chatcmpl-0", "object": "chat.completion", "created": answers.CREATED, "choices": [], "data": []}
        )
    return JSONResponse({"result": {"text": None}, "choices": "none", "data": 0})

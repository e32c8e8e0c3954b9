"""What the stand-in answers: the same to the same request, in the shapes that clients know. Pure.

A token is a word here. Requests are checked as far as a provider would refuse them.
"""

import base64
import hashlib
import json
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from resilience.model import Json

MODELS = ("stand-in-large", "stand-in-small", "stand-in-embedding")
CREATED = 1_700_000_000
"""When everything here was made: the answer must not depend on the clock."""
WORDS = tuple(
    """
    a the this that one every some service system answer question value request load cache store network queue worker
    returns keeps holds sends waits reads writes fails recovers quickly slowly again always often then here there and
    while because after before under over with without
    """.split()  # noqa: SIM905 - words, to be read
)
LONGEST = 64
"""Words of an answer if the request does not say."""
DIMENSIONS = 64

Body = Mapping[str, Any]
Document = dict[str, Json]


class Refused(Exception):  # noqa: N818 - an answer, not a failure of the program
    """The request is wrong; the document is what a provider would say to it."""

    def __init__(self, message: str, parameter: str) -> None:
        super().__init__(message)
        self.document = error(message, "invalid_request_error", parameter)


def error(message: str, kind: str, parameter: str | None = None, code: str | None = None) -> Document:
    """An error as clients know it."""
    return {"error": {"message": message, "type": kind, "param": parameter, "code": code}}


def models() -> Document:
    """The list of models."""
    listed: list[Json] = [
        {"id": name, "object": "model", "created": CREATED, "owned_by": "resilience"} for name in MODELS
    ]
    return {"object": "list", "data": listed}


def parsed(content: bytes) -> Body:
    """The body of a request.

    Raises:
        Refused: it is no JSON object, or names no model.
    """
    try:
        body = json.loads(content)
    except ValueError as wrong:
        raise Refused(f"We could not parse the JSON body of your request: {wrong}", "body") from wrong
    if not isinstance(body, dict):
        raise Refused(f"The body is a {type(body).__name__}, expected an object", "body")
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise Refused("You must provide a model parameter", "model")
    return body


def words_of(body: Body) -> tuple[tuple[str, ...], str]:
    """The words of the answer to a chat, and why it ends there: `stop`, or `length` if it was cut to `max_tokens`.

    Raises:
        Refused: the messages are not what they must be.
    """
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Refused("'messages' must be a list with at least one message", "messages")
    if not all(isinstance(one, dict) and isinstance(one.get("role"), str) for one in messages):
        raise Refused("each of 'messages' must be an object with a 'role'", "messages")
    limit = body.get("max_completion_tokens", body.get("max_tokens", LONGEST))
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise Refused(f"'max_tokens' is {limit!r}, expected a whole number above 0", "max_tokens")
    digest = _digest(body["model"], messages, body.get("seed"))
    wanted = 8 + digest[0] % 32
    chosen = tuple(WORDS[one % len(WORDS)] for one in (digest * 2)[:wanted])
    return (chosen, "stop") if wanted <= limit else (chosen[:limit], "length")


def completion(body: Body) -> Document:
    """The answer to a chat, whole."""
    words, reason = words_of(body)
    asked = sum(len(str(one.get("content", "")).split()) for one in body["messages"])
    usage: Document = {
        "prompt_tokens": asked,
        "completion_tokens": len(words),
        "total_tokens": asked + len(words),
    }
    choice: Document = {
        "index": 0,
        "message": {"role": "assistant", "content": " ".join(words)},
        "logprobs": None,
        "finish_reason": reason,
    }
    return {**_head(body, "chat.completion"), "choices": [choice], "usage": usage}


def pieces(body: Body) -> Iterator[Document]:
    """The answer to a chat, a word at a time, as it is streamed."""
    words, reason = words_of(body)
    head = _head(body, "chat.completion.chunk")

    def piece(delta: Document, why: str | None) -> Document:
        return {**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": why}]}

    yield piece({"role": "assistant", "content": ""}, None)
    for number, word in enumerate(words):
        yield piece({"content": f" {word}" if number else word}, None)
    yield piece({}, reason)


def embeddings(body: Body) -> Document:
    """A vector of length 1 for each text.

    Raises:
        Refused: the texts, or how they are to be put into figures, are not what they must be.
    """
    given = body.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) and text for text in texts):
        raise Refused("'input' must be a text or a list of texts, none of them empty", "input")
    dimensions = body.get("dimensions", DIMENSIONS)
    if isinstance(dimensions, bool) or not isinstance(dimensions, int) or not 1 <= dimensions <= 4096:  # noqa: PLR2004 - the bound is said below
        raise Refused(f"'dimensions' is {dimensions!r}, expected 1 to 4096", "dimensions")
    packed = body.get("encoding_format", "float") == "base64"
    data: list[Json] = []
    for index, text in enumerate(texts):
        vector = _vector(body["model"], text, dimensions)
        shown: Json = base64.b64encode(struct.pack(f"<{dimensions}f", *vector)).decode() if packed else list(vector)
        data.append({"object": "embedding", "index": index, "embedding": shown})
    words = sum(len(text.split()) for text in texts)
    usage: Document = {"prompt_tokens": words, "total_tokens": words}
    return {"object": "list", "data": data, "model": body["model"], "usage": usage}


def _head(body: Body, kind: str) -> Document:
    name = _digest(body["model"], body["messages"], body.get("seed")).hex()[:24]
    return {"id": f"chatcmpl-{name}", "object": kind, "created": CREATED, "model": body["model"]}


def _digest(*said: Any) -> bytes:  # noqa: ANN401 - any JSON
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).digest()


def _vector(model: str, text: str, dimensions: int) -> Sequence[float]:
    drawn = hashlib.shake_256(f"{model}\0{text}".encode()).digest(2 * dimensions)
    raw = [one - 32767.5 for one in struct.unpack(f"<{dimensions}H", drawn)]
    length = math.sqrt(sum(one * one for one in raw))
    return [one / length for one in raw]

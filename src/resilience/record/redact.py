"""Secrets are taken out of everything written as text, by their value, however they are spelt."""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus

from resilience.model import Json

SHORTEST = 6
"""Shorter values are left alone: they would be found by chance everywhere, and hide what is no secret."""

INSTEAD = "[secret]"


class Redactor:
    """Replaces secrets by `[secret]`.

    Args:
        secrets: their values; those shorter than six characters are ignored.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        spellings = {spelling for secret in secrets if len(secret) >= SHORTEST for spelling in _spellings(secret)}
        found = sorted((s for s in spellings if len(s) >= SHORTEST), key=lambda s: (-len(s), s))
        self._pattern = re.compile("|".join(map(re.escape, found))) if found else None

    def text(self, text: str) -> str:
        """The text without secrets."""
        return text if self._pattern is None else self._pattern.sub(INSTEAD, text)

    def json(self, document: Json) -> Json:
        """The document without secrets in any text or key; its structure stays as it is."""
        if self._pattern is None:
            return document
        if isinstance(document, str):
            return self.text(document)
        if isinstance(document, Mapping):
            return {self.text(key): self.json(value) for key, value in document.items()}
        if isinstance(document, list | tuple):
            return [self.json(value) for value in document]
        return document


def _spellings(secret: str) -> Iterator[str]:
    yield secret
    for escaped in (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]):
        yield escaped
        yield escaped.replace("/", "\\/")
    for quoted in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        yield quoted
        yield re.sub("%..", lambda match: match[0].lower(), quoted)
    yield from _base64(secret.encode())


def _base64(secret: bytes) -> Iterator[str]:
    """Base64 of the secret wherever it begins in a longer text (`Basic` credentials are `user:secret`).

    Base64 turns three bytes into four characters, so what stands before matters only by its length modulo three. The
    characters that also depend on neighbouring bytes are left out at either end.
    """
    for shift in range(3):
        first = -(-shift * 8 // 6)  # characters that hold bits of what stands before
        last = (shift + len(secret)) * 8 // 6  # characters that hold bits of nothing but it
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(b"\0" * shift + secret).decode()[first:last]

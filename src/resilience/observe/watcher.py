"""What reads resources: one for each collector and part, asked again and again by `resources.Collectors`."""

import http.client
import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any, Protocol
from urllib.parse import urlsplit

import psycopg
import redis

from resilience.errors import FaultError
from resilience.model import Json
from resilience.model.resources import Reading
from resilience.observe.connections import BOUND_S

FAILURES = (OSError, redis.RedisError, psycopg.Error, http.client.HTTPException, ValueError, KeyError, FaultError)
"""What a watcher may raise: a gap, with this as its reason."""

MOST = 4_000_000
"""So many bytes of an answer are read."""


class Partly(ValueError):  # noqa: N818 - it says what happened
    """Some of it could not be read.

    Attributes:
        readings: what could.
    """

    def __init__(self, why: str, readings: Sequence[Reading]) -> None:
        super().__init__(why)
        self.readings = readings


class Watcher(Protocol):
    """Reads one thing.

    Attributes:
        collector: what it is: `system`, `postgres`, …
        of: the part.
    """

    collector: str
    of: str

    def read(self) -> Sequence[Reading]:
        """What there is now. Raises one of `FAILURES` if it cannot be read."""

    def close(self) -> Mapping[str, Json]:
        """Let go; never raises. Returns what is kept besides the readings, as a document; ordinarily nothing."""


def get(url: str, path: str, *, token: str = "") -> bytes:
    """What a GET answers.

    Raises:
        OSError, http.client.HTTPException: there is no answer.
        ValueError: it is not 200, or larger than `MOST`.
    """
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=BOUND_S)
    with closing(connection):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        connection.request("GET", parts.path.rstrip("/") + path, headers=headers)
        answer = connection.getresponse()
        body = answer.read(MOST + 1)
    if answer.status != http.client.OK:
        raise ValueError(f"{path.partition('?')[0]} answered {answer.status}")
    if len(body) > MOST:
        raise ValueError(f"{path.partition('?')[0]} answered more than {MOST:,} bytes")
    return body


def get_json(url: str, path: str, *, token: str = "") -> Any:  # noqa: ANN401 - any JSON
    """The same as JSON."""
    return json.loads(get(url, path, token=token))

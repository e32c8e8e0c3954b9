"""Connections of observers: directly to a part, one at a time, nothing tried twice, no answer waited for too long."""

from pathlib import Path
from typing import Any

import psycopg
import redis
from psycopg.conninfo import make_conninfo
from redis.backoff import NoBackoff
from redis.retry import Retry

from resilience.model import Place

BOUND_S = 1.0
"""No answer is waited for longer."""


def to_redis(place: Place, name: str) -> Any:  # noqa: ANN401 - redis-py types answers loosely
    """A client of Redis, not connected yet.

    Args:
        place: the part.
        name: what the server's list of clients shows.

    Raises:
        OSError: the file with the password cannot be read.
    """
    password = Path(place.passfile).read_text().strip() if place.passfile else ""
    return redis.Redis(
        host=place.host,
        port=place.port,
        password=password or None,
        socket_timeout=BOUND_S,
        socket_connect_timeout=BOUND_S,
        retry=Retry(NoBackoff(), 0),  # the default is ten
        protocol=2,
        decode_responses=True,
        client_name=name,
        driver_info=None,
    )


def to_postgres(place: Place, name: str) -> psycopg.Connection[tuple[Any, ...]]:
    """A session of PostgreSQL under that name, in which every statement is a transaction.

    Raises:
        psycopg.Error: it cannot be had.
    """
    conninfo = make_conninfo(place.dsn, passfile=place.passfile or None, connect_timeout=2, application_name=name)
    return psycopg.connect(conninfo, autocommit=True)

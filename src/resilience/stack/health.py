"""Waits until a program that was just started can serve, and says why if it cannot."""

import time
from collections.abc import Callable
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from resilience.host import processes
from resilience.model import Identity, Launch, Problem
from resilience.stack import loopback
from resilience.text import printable

Check = Callable[[], str]
"""Why a program cannot serve yet; empty if it can."""

_POLL_S = 0.02
_LINES = 8
_CLASH = "ddress already in use"


def await_healthy(launch: Launch, identity: Identity, check: Check, timeout_s: float) -> Problem | None:
    """Wait until the check has nothing to say.

    Returns:
        None, or what is wrong, with the last lines of the program's log: it ended, or was not ready in time.
    """
    began = time.monotonic()
    while True:
        try:
            reason = check() if processes.alive(identity) else ""
        except loopback.Hopeless as error:
            return Problem(where=launch.name, message=f"{error}; {last_lines(launch.log)}")
        # Asked again after the check: something else may answer on the port of a program that has ended.
        if not processes.alive(identity):
            message = f"ended before it was ready; {last_lines(launch.log)}"
            return Problem(where=launch.name, message=message)
        if not reason:
            return None
        if time.monotonic() - began > timeout_s:
            message = f"not ready within {timeout_s:g} s: {printable(reason, 300)}; {last_lines(launch.log)}"
            return Problem(where=launch.name, message=message)
        time.sleep(_POLL_S)


def last_lines(log: str) -> str:
    """The last lines of a log, in one line."""
    try:
        lines = Path(log).read_bytes()[-8192:].decode(errors="replace").splitlines()
    except OSError:
        lines = []
    shown = [printable(line.strip(), 200) for line in lines if line.strip()][-_LINES:]
    return f"its log ends: {' / '.join(shown)}" if shown else "its log is empty"


def is_clash(problem: Problem) -> bool:
    """Whether a program did not start because somebody took its port."""
    return _CLASH in problem.message


def redis_answers(port: int, password: str) -> str:
    """Why Redis does not answer PING; empty if it does."""
    client = redis.Redis(
        host=loopback.HOST,
        port=port,
        password=password,
        socket_timeout=1,
        socket_connect_timeout=1,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        client.ping()
    except redis.RedisError as error:
        return str(error)
    finally:
        client.close()
    return ""


def service_ready(port: int, path: str) -> str:
    """Why the service does not say that it is ready; empty if it does."""
    status, body = loopback.get(port, path)
    if status == 200:  # noqa: PLR2004 - what `Service.ready` promises
        return ""
    said = printable(body.decode(errors="replace"), 200)
    return f"GET {path} was answered {status}: {said}" if status else f"GET {path} was not answered: {said}"

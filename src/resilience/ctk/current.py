"""The session of this process, for actions and probes: chaostoolkit hands them nothing but their arguments.

chaostoolkit keeps its own state in module globals, so there is one run per process, and one session.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from resilience.errors import ResilienceError
from resilience.runtime.session import Session

_session: list[Session] = []


def session() -> Session:
    """The running session.

    Raises:
        ResilienceError: there is none: the experiment was started without our `run` command.
    """
    if not _session:
        msg = (
            "no resilience session is running: start the experiment with `chaos run FILE` or `resilience run FILE` "
            "where resilience is installed, so that load, leases and the verdict are there"
        )
        raise ResilienceError(msg)
    return _session[-1]


@contextmanager
def running(current: Session) -> Iterator[Session]:
    """Make a session the current one."""
    _session.append(current)
    try:
        yield current
    finally:
        _session.remove(current)

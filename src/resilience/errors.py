"""Errors, as a tree; the exit code of the program follows from the branch.

ResilienceError
├── SpecError            the file is wrong; nothing was touched                      exit 3
├── EnvironmentNotReady  the machine or target is not ready; nothing was touched     exit 4
├── DebtsOutstanding     something is still owed to a target                         exit 5
├── FaultError           a fault could not be prepared, injected, seen or reverted
├── RecordError          a record cannot be read, or is not what it claims to be
├── LoadError            the load generator failed or its account does not close
└── Interrupted          the run was told to stop (signal, abort); everything was reverted

Every error carries a list of problems. A problem names the place, shows the value, says what was expected and what to
do. A list of one is the ordinary case; bad input lists all of them.
"""

from collections.abc import Iterable
from typing import ClassVar

from resilience.model import Problem


class ResilienceError(Exception):
    """An error that is shown to the user as its problems, without a traceback.

    Args:
        problems: one sentence, one problem or several of them.
    """

    exit_code: ClassVar[int] = 2

    def __init__(self, problems: str | Problem | Iterable[Problem]) -> None:
        """Normalise what went wrong to a tuple of problems."""
        if isinstance(problems, str):
            problems = (Problem(where="", message=problems),)
        elif isinstance(problems, Problem):
            problems = (problems,)
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class SpecError(ResilienceError):
    """The experiment, gate or option is wrong. Nothing was touched."""

    exit_code = 3


class EnvironmentNotReady(ResilienceError):  # noqa: N818 - it names a state, not a fault of the program
    """The machine, the stack or the target is not ready. Nothing was touched."""

    exit_code = 4


class DebtsOutstanding(ResilienceError):  # noqa: N818 - as above
    """A fault could not be undone, or an earlier run left one behind."""

    exit_code = 5


class FaultError(ResilienceError):
    """A fault could not be prepared, injected, observed or reverted."""


class RecordError(ResilienceError):
    """A record is missing, cut short or inconsistent."""


class LoadError(ResilienceError):
    """The load generator failed, or offered ≠ ok + failed + unknown + dropped."""


class Interrupted(ResilienceError):  # noqa: N818 - as above
    """The run was told to stop."""

"""Commands are argument lists with a time limit, through here."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from resilience.errors import EnvironmentNotReady


@dataclass(frozen=True, slots=True)
class Done:
    """What a command did: exit code and its two outputs as text."""

    code: int
    out: str
    err: str


def run(
    argv: Sequence[str | Path],
    *,
    timeout_s: float,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    user: str | None = None,
) -> Done:
    """Run a program to its end.

    Args:
        argv: program and arguments; never a shell string.
        timeout_s: killed after this long.
        environment: the whole environment; None inherits ours.
        folder: working folder.
        user: run as this user (needs root).

    Raises:
        EnvironmentNotReady: the program is not there or did not end in time.
    """
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            env=None if environment is None else dict(environment),
            cwd=folder,
            user=user,
            group=_group_of(user),
            extra_groups=[] if user else None,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        msg = f"{words[0]} did not end within {timeout_s:g} s; it was killed"
        raise EnvironmentNotReady(msg) from error
    except OSError as error:
        msg = f"{words[0]} cannot be run: {error}"
        raise EnvironmentNotReady(msg) from error
    return Done(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


def _group_of(user: str | None) -> int | None:
    if user is None:
        return None
    import pwd  # noqa: PLC0415 - only where users are switched

    return pwd.getpwnam(user).pw_gid

"""Commands are argument lists with a time limit, through here."""

import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import suppress
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


def lines(
    argv: Sequence[str | Path],
    *,
    said: bytes,
    timeout_s: float,
    most_bytes: int = 16_000_000,
    environment: Mapping[str, str] | None = None,
) -> Generator[bytes, None, None]:
    """Run a program and yield the lines of its output as they come. It, and what it started, ends with this.

    Args:
        argv: program and arguments; never a shell string.
        said: its standard input.
        timeout_s: for the whole of it; killed after this long.
        most_bytes: of one line.
        environment: the whole environment; None inherits ours.

    Raises:
        EnvironmentNotReady: it is not there, did not end in time, or ended with a code other than 0; with the end of
            what it said on its error output.
    """
    deadline = time.monotonic() + timeout_s
    words = [str(word) for word in argv]
    with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as errors:
        told.write(said)
        told.seek(0)
        try:
            process = subprocess.Popen(
                words,
                stdin=told,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=None if environment is None else dict(environment),
                start_new_session=True,
            )
        except OSError as error:
            msg = f"{words[0]} cannot be run: {error}"
            raise EnvironmentNotReady(msg) from error
        try:
            yield from _lines_of(process, deadline, timeout_s, most_bytes)
            _wait(process, deadline, timeout_s)
        finally:
            # It is not waited for yet, so its number, and that of its group, are still its own.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
            if process.stdout is not None:
                process.stdout.close()
        if code != 0:
            errors.seek(max(0, errors.seek(0, os.SEEK_END) - _TAIL))
            end = " ".join(errors.read().decode(errors="replace").split())
            raise EnvironmentNotReady(f"it ended with code {code}" + (f" and said {end}" if end else ""))


_TAIL = 500


def _late(timeout_s: float) -> str:
    return f"it did not end within {timeout_s:g} s; it was killed"


def _wait(process: "subprocess.Popen[bytes]", deadline: float, timeout_s: float) -> None:
    """Wait until it has ended, without taking note of it."""
    handle = os.pidfd_open(process.pid)
    try:
        if not select.select([handle], [], [], max(0.1, deadline - time.monotonic()))[0]:
            raise EnvironmentNotReady(_late(timeout_s))
    finally:
        os.close(handle)


def _lines_of(process: "subprocess.Popen[bytes]", deadline: float, timeout_s: float, most: int) -> Iterator[bytes]:
    if process.stdout is None:
        return
    rest = b""
    while True:
        left_s = deadline - time.monotonic()
        ready, _, _ = select.select([process.stdout], [], [], max(0.0, left_s))
        if not ready or left_s <= 0:
            raise EnvironmentNotReady(_late(timeout_s))
        piece = os.read(process.stdout.fileno(), 1 << 16)
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
        if not piece:
            return
        if len(rest) > most:
            raise EnvironmentNotReady(f"it said a line of more than {most:,} bytes; it was killed")

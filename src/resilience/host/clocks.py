"""Clocks of single processes, by libfaketime: a library that is put before the C library when a process is started.

It answers what the process asks of the wall clock with the real time and what a file says besides: `+300` is five
minutes more. The file is read again at every question, so that a clock is moved by writing the file. Monotonic clocks
are left alone, as they are when a real clock is set.
"""

from pathlib import Path

from resilience.host import files
from resilience.model import Identity, Problem

FOLDERS = ("/usr/lib/*/faketime", "/usr/lib/faketime", "/usr/lib64/faketime", "/usr/local/lib/faketime")
"""Where distributions put the library, and its own `make install`."""
LIBRARY = "libfaketimeMT.so.1"
"""The one for programs with several threads."""
HOW = "install it: apt install libfaketime (Debian, Ubuntu), dnf install libfaketime (Fedora)"

REAL = "+0\n"
"""What the file says of a clock that is right."""

_FILE = "FAKETIME_TIMESTAMP_FILE"


def faketime() -> Path | None:
    """The library on this machine, if there is one."""
    found = (path for folder in FOLDERS for path in sorted(Path("/").glob(f"{folder[1:]}/{LIBRARY}")))
    return next(found, None)


def lacking() -> Problem | None:
    """What is missing for it, and how to get it."""
    return None if faketime() else Problem("process.clock", f"{LIBRARY} was not found in {', '.join(FOLDERS)}", HOW)


def environment(found: Path, file: Path) -> dict[str, str]:
    """The variables with which a process is started whose clock that file can move."""
    return {
        "LD_PRELOAD": str(found),
        _FILE: str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }


def file_of(process: Identity) -> Path | None:
    """The file that moves the clock of a running process; None if nothing can."""
    try:
        words = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
        maps = Path(f"/proc/{process.pid}/maps").read_text()
    except OSError:
        return None
    told = dict(word.split(b"=", 1) for word in words if b"=" in word)
    name = told.get(_FILE.encode(), b"").decode()
    return Path(name) if name and LIBRARY in maps else None


def move(file: Path, text: str) -> None:
    """Write what the file says, as a whole."""
    files.write_durably(file, text.encode())

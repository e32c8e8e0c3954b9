"""Which disk a folder is on, and how full it is."""

import os
from pathlib import Path


def device_of(folder: Path) -> str | None:
    """The whole disk that holds a folder, as `major:minor`; None if it is on no block device (tmpfs, overlay)."""
    number = folder.stat().st_dev
    if os.major(number) == 0:
        return None
    entry = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}").resolve()
    disk = entry.parent if (entry / "partition").exists() else entry
    try:
        return (disk / "dev").read_text().strip()
    except FileNotFoundError:
        return None


def free_bytes(folder: str | Path) -> int:
    """What an ordinary user can still write on the file system of a folder."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def size_bytes(folder: str | Path) -> int:
    """How large the file system of a folder is."""
    found = os.statvfs(folder)
    return found.f_blocks * found.f_frsize

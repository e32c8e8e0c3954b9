"""What kind of machine this is, as far as figures depend on it. No name or address of it."""

import os
import platform
import re
from pathlib import Path

import psutil

_CPUINFO = Path("/proc/cpuinfo")
_GIB = 1 << 30


def describe() -> dict[str, str | int]:
    """Cores that this process may use, the processor, memory in whole GiB, and the system."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": processor(),
        "memory_gib": round(psutil.virtual_memory().total / _GIB),
        "system": f"{platform.system()} {platform.machine()}",
    }


def processor(path: Path = _CPUINFO) -> str:
    """What the kernel calls the processor; if it says nothing, what the platform does."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", path.read_text(errors="replace"), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()

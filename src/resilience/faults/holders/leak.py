"""Takes more and more memory, in the control group it is told, until it has what it was told; then keeps it.

The kernel, short of memory, ends it before anything else. What it has taken is one mapping with a name, so that anybody
can see how much it is.
"""

import mmap
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from resilience.faults import holder

NAME = "resilience-leak"
EVERY_S = 0.05
MB = 1024 * 1024


def hold(told: Mapping[str, Any]) -> None:
    """Join the group, then grow; for ever."""
    Path("/proc/self/oom_score_adj").write_text("1000")
    if told["join"]:
        Path(str(told["join"])).write_text(str(os.getpid()))
    size, rate = int(told["max_mb"]) * MB, float(told["mb_per_s"]) * MB
    handle = os.memfd_create(NAME)
    os.ftruncate(handle, size)
    taken, began = 0, time.monotonic()
    with mmap.mmap(handle, size) as memory:
        while True:
            due = min(size, int(rate * (time.monotonic() - began)))
            for first in range(taken, due, MB):
                last = min(first + MB, due)
                memory[first:last] = b"\1" * (last - first)
            taken = due
            time.sleep(EVERY_S if taken < size else 1.0)


if __name__ == "__main__":
    holder.main(hold)

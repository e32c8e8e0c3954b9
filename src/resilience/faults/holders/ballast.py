"""Fills a small file system, and keeps it full, with a file that has no name.

The file is gone with this process, whatever ends it: nothing has to be removed afterwards.
"""

import errno
import os
import time
from collections.abc import Mapping
from typing import Any

from resilience.faults import holder
from resilience.host.disks import free_bytes

EVERY_S = 0.02
BLOCK = 4096


def hold(told: Mapping[str, Any]) -> None:
    """Take what is free but for what is to be left; for ever."""
    folder, leave = str(told["folder"]), int(told["leave_mb"]) * 2**20
    handle = os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o600)
    size, share = 0, 1.0
    while True:
        surplus = int((free_bytes(folder) - leave) * share) // BLOCK * BLOCK
        if surplus <= 0:
            time.sleep(EVERY_S)
            share = 1.0
            continue
        try:
            os.posix_fallocate(handle, size, surplus)
            size += surplus
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            share /= 2  # the server was faster, or the file system needs some for itself


if __name__ == "__main__":
    holder.main(hold)

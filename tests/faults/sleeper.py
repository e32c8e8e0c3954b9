"""A holder that holds nothing: it says that it began, and waits."""

import signal
import time
from pathlib import Path

from resilience.faults import holder


def hold(told):
    if told.get("deaf"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path(told["begun"]).write_text(told["name"])
    time.sleep(600)


if __name__ == "__main__":
    holder.main(hold)

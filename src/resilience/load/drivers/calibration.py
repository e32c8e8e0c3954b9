"""What this machine can offer: the load process itself, for a second, against a built-in echo.

The figure is operations per second of one process: the share of a core beyond which it has no room to be punctual
(`BUSY_SHARE`), divided by the processor time that it took per operation. Processor time hardly depends on what else the
machine is doing, so a busy moment does not make a figure for a whole day. At a higher rate an operation costs less, not
more, so the figure is rather too low. A target that answers more than a few bytes costs the generator more: it is what
the machine can offer at most, not what it can offer to everything.
"""

import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resilience import __version__
from resilience.codec import decode, encode
from resilience.errors import LoadError, RecordError
from resilience.host.files import cache_folder, write_json
from resilience.load.drivers.locust import LocustDriver
from resilience.load.health import BUSY_SHARE
from resilience.model import Load, LoadOrder, Operation

RATE_PER_S = 4000.0
LENGTH_S = 1.0
MAX_AGE_S = 24 * 3600.0
FILE = "calibration.json"
_TAG = "calibration"
_MARGINS_S = (0.5, 2.0, 8.0)
_ENOUGH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What was measured.

    Attributes:
        per_worker_s: operations per second that one process can offer.
        cores: that this process may use.
        lag_p50_s, lag_p99_s: how late operations were begun while it was measured, at `offered_per_s`.
        machine: of which machine, and by which versions.
        at: when, seconds since 1970.
    """

    per_worker_s: float
    cores: int
    lag_p50_s: float
    lag_p99_s: float
    offered_per_s: float
    machine: str
    at: float

    @property
    def machine_per_s(self) -> float:
        """Operations per second of one process for each core, if nothing else wants them."""
        return self.per_worker_s * self.cores


def calibration(*, again: bool = False) -> Calibration:
    """What this machine can offer; measured at most once a day for each machine and version, unless asked again.

    Raises:
        LoadError: it cannot be measured, and why.
    """
    path = cache_folder() / FILE
    kept = None if again else _kept(path)
    if kept is not None:
        return kept
    measured = measure()
    with contextlib.suppress(OSError):
        write_json(path, encode(measured))
    return measured


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0))


def measure() -> Calibration:
    """Measure now; takes about a second besides starting the programs.

    Raises:
        LoadError: it cannot be measured, and why.
    """
    argv = [sys.executable, "-P", "-m", "resilience.load.echo"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as echo:
        try:
            assert echo.stdout is not None  # noqa: S101 - it is a pipe
            line = echo.stdout.readline().strip()
            if not line:
                raise LoadError("the echo for calibration cannot be started")
            account = _offer(f"http://127.0.0.1:{int(line)}")
        finally:
            echo.kill()
    ok = int(account["ok"])
    if ok < _ENOUGH:
        raise LoadError(f"only {ok} operations were answered in the calibration; {_ENOUGH} were expected")
    return Calibration(
        per_worker_s=BUSY_SHARE * ok / float(account["cpu_s"]),
        cores=cores(),
        lag_p50_s=float(account["lag_p50_s"]),
        lag_p99_s=float(account["lag_p99_s"]),
        offered_per_s=int(account["offered"]) / LENGTH_S,
        machine=_machine(),
        at=time.time(),
    )


def _offer(url: str) -> dict[str, Any]:
    """The account of the load process that has sent for a second."""
    operation = Operation(name="echo", weight=1.0, method="GET", path="/")
    load = Load(rate=RATE_PER_S, operations=(operation,), max_in_flight=64)
    late: LoadError | None = None
    for margin_s in _MARGINS_S:
        driver = LocustDriver(f"{_TAG}-{os.getpid()}")
        with tempfile.TemporaryDirectory(prefix="resilience-calibration-") as folder:
            try:
                driver.prepare()
                zero_ns = time.monotonic_ns() + int(margin_s * 1e9)
                order = LoadOrder(
                    run=_TAG, seed=1, zero_ns=zero_ns, base_url=url, folder=folder, load=load, max_s=LENGTH_S
                )
                handle = driver.start(order)
                time.sleep(max(0.0, (zero_ns - time.monotonic_ns()) / 1e9 + LENGTH_S))
                return dict(handle.stop(30.0))
            except LoadError as error:
                if "after the run's zero" not in str(error):
                    raise
                late = error  # this machine is busy just now
            finally:
                driver.close()
    raise late or LoadError("nothing was measured")


def _machine() -> str:
    python = platform.python_version()
    return f"{platform.node()} {platform.machine()} {cores()} cores, resilience {__version__}, python {python}"


def _kept(path: Path) -> Calibration | None:
    try:
        kept: Calibration = decode(Calibration, json.loads(path.read_text()))
    except (OSError, ValueError, RecordError):
        return None
    young = 0 <= time.time() - kept.at < MAX_AGE_S
    return kept if young and kept.machine == _machine() else None

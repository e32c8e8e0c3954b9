"""A run with a worker of this host and one of another, as a program: `two_hosts.py ADDRESS FOLDER OTHER HOW`.

It is started in a network namespace with ADDRESS. OTHER is a namespace from which ADDRESS is reached. HOW says what
happens to the worker there after two seconds: `nothing`, `killed`, or `cut` off from its master. What came of it stands
as JSON on the last line.
"""

import json
import os
import signal
import subprocess
import sys
import time

import psutil

from resilience.load.drivers.locust import LocustDriver
from resilience.model import Expect, Gathering, Load, LoadOrder, Operation, Role
from tests.load.target import Target, answer

TOKEN = "said-in-no-file"
SILENCE_S = 6.0
COMMON = {"weight": 1.0, "expect": Expect(status=(201,)), "timeout_s": 0.5}
OPERATIONS = (
    Operation(name="read", method="GET", path="/read", **COMMON),
    Operation(
        name="write",
        method="POST",
        path="/write",
        role=Role.WRITE,
        json={"id": "${write_id}", "body": "${write_body}"},
        **{**COMMON, "expect": Expect(status=(201,), json={"id": "${write_id}"})},
    ),
)


def main() -> None:
    """Run it."""
    address, folder, other, how = sys.argv[1:]
    target = Target(lambda asked: answer(201, asked.document if asked.body else {}), host=address)
    listen = f"{address}:5557"
    driver = LocustDriver(
        f"two-hosts-{os.getpid()}",
        gathering=Gathering(local=1, remote=1, listen=listen, wait_s=60.0, token=TOKEN, silence_s=SILENCE_S),
    )
    driver.launch()
    there = ["ip", "netns", "exec", other]
    argv = [sys.executable, "-m", "resilience.cli", "worker", "--connect", listen]
    worker = subprocess.Popen([*there, *argv], env={**os.environ, "RESILIENCE_WORKER_TOKEN": TOKEN}, stdout=2)
    try:
        driver.prepare()
        zero_ns = time.monotonic_ns() + 3_000_000_000
        load = Load(rate=100.0, operations=OPERATIONS, max_in_flight=32)
        order = LoadOrder(
            run="0badcafe", seed=7, zero_ns=zero_ns, base_url=target.url, folder=folder, load=load, max_s=60.0
        )
        handle = driver.start(order)
        time.sleep(max(0.0, (zero_ns - time.monotonic_ns()) / 1e9) + 2.0)
        if how == "killed":
            for process in psutil.Process(worker.pid).children(recursive=True):
                process.send_signal(signal.SIGKILL)
            worker.kill()
        elif how == "cut":
            subprocess.run([*there, "ip", "link", "set", "v0", "down"], check=True)
        time.sleep(1.5 if how == "nothing" else SILENCE_S + 1.5)
        account = handle.stop(30.0)
        code = worker.wait(20.0)
        notes = [note for piece in handle.slices() for note in piece.notes]
        sys.stdout.write(
            json.dumps({"account": account, "code": code, "notes": notes, "asked": len(target.asked)}) + "\n"
        )
    finally:
        driver.close()
        if worker.poll() is None:
            worker.kill()
        target.close()


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)

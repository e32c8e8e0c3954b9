"""Locust's request event. In an interpreter of its own: importing Locust replaces sockets, sleep and threads."""

import json
import subprocess
import sys

PROGRAM = """
import json
from locust.env import Environment
from resilience.load.classify import Finding
from resilience.load.users import reporter
from resilience.model import Operation, Outcome

environment, heard = Environment(), []
environment.create_local_runner()
environment.events.request.add_listener(lambda **event: heard.append(
    [event["request_type"], event["name"], event["response_time"], event["context"], str(event["exception"] or "")]))
report = reporter(environment, "http://target")
operation = Operation(name="buy", weight=1.0, method="POST", path="/orders")
report(operation, Finding(Outcome.OK, status=200), 5_000_000, 3_000_000, 12)
report(operation, Finding(Outcome.UNKNOWN, detail="timeout: 2 s"), 7_000_000, 7_000_000, 0)
report(operation, Finding(Outcome.DROPPED, detail="no free slot"), None, None, 0)
total = environment.stats.total
print(json.dumps([heard, total.num_requests, total.num_failures, total.num_none_requests]))
"""


def test_locusts_event_is_fired_for_everything_that_ended():
    """Listeners get milliseconds from the intended start, service time and lag, and a short constant reason."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True, timeout=60)
    heard, requests, failures, without_time = json.loads(done.stdout)
    assert heard == [
        ["POST", "buy", 5.0, {"outcome": "ok", "service_ms": 3.0, "lag_ms": 2.0}, ""],
        ["POST", "buy", 7.0, {"outcome": "unknown", "service_ms": 7.0, "lag_ms": 0.0}, "timeout"],
        ["POST", "buy", None, {"outcome": "dropped", "service_ms": None, "lag_ms": None}, "no free slot"],
    ]
    assert (requests, failures, without_time) == (3, 2, 1)

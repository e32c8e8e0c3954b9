"""The WebSocket user of ordinary locustfiles, run by the real `locust`: everything is an event, once."""

import contextlib
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.load.sockets import library_server

ROOT = Path(__file__).parents[2]
LOCUSTFILE = """
import json, os, signal, time
from locust import constant, events, task
from resilience.load import LeanWebSocketUser

heard = []

@events.request.add_listener
def _hear(request_type, name, response_time, response_length, exception, **_):
    heard.append([request_type, name, response_time, str(exception or "")])

@events.quit.add_listener
def _say(**_):
    with open(os.environ["HEARD"], "w") as file:
        json.dump(heard, file)

class Talks(LeanWebSocketUser):
    wait_time = constant(0.1)
    fixed_count = 1
    timeout_s = 2.0

    def on_start(self):
        assert self.client.connect("/talk")

    @task
    def talk(self):
        if not self.client.open:
            self.client.connect("/talk")
        now = time.monotonic()
        assert json.loads(self.client.exchange({"say": "hi"}, name="echo", expect={"say": "hi"})) == {"say": "hi"}
        self.client.exchange({"say": "hi"}, name="wrong", expect={"say": "ho"})
        self.client.send({"at": now - 0.5})
        self.client.receive(name="pushed", sent_s=lambda text: json.loads(text)["at"])
        assert self.client.exchange({"be": "quiet"}, name="quiet", timeout_s=0.05) is None
        assert not self.client.open
        assert self.client.exchange({"be": "there"}, name="nobody") is None
        self.client.connect("/talk")
        self.client.send({"be": "gone"})
        try:
            self.client.receive(name="gone")
        except Exception as error:
            assert str(error) == "closed by the other side: 4001 as asked", error
        os.kill(os.getpid(), signal.SIGTERM)

class Refused(LeanWebSocketUser):
    fixed_count = 1
    wait_time = constant(5)

    @task
    def come(self):
        assert not self.client.connect("/talk", name="refused", headers={"X-Refuse": "1"})
"""


def serve(connection):
    """Echoes; is quiet, or gone, as asked."""
    with contextlib.suppress(Exception):
        for message in connection:
            asked = json.loads(message).get("be")
            if asked == "gone":
                connection.close(4001, "as asked")
            elif asked != "quiet":
                connection.send(message)


def refuse(connection, request):
    """Some are not let in."""
    return connection.respond(403, "no") if "X-Refuse" in request.headers else None


def test_everything_is_an_event(tmp_path):
    """Connections, exchanges, messages, losses and refusals, each once, with its reason (Requirement L6)."""
    (tmp_path / "locustfile.py").write_text(LOCUSTFILE)
    heard = tmp_path / "heard.json"
    with library_server(serve, process_request=refuse) as url:
        words = ["-m", "locust", "-f", "locustfile.py", "--headless", "-u", "2", "-r", "2", "-t", "20s", "--host", url]
        environment = {**os.environ, "HEARD": str(heard), "PYTHONPATH": str(ROOT / "src")}
        done = subprocess.run(
            [sys.executable, *words, "--only-summary"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert heard.exists(), done.stderr
    assert "AssertionError" not in done.stderr, done.stderr
    events = json.loads(heard.read_text())
    found = Counter((kind, name, error.partition(":")[0]) for kind, name, _, error in events)
    assert found == {
        ("WS connect", "/talk", ""): 2,
        ("WS connect", "refused", "handshake refused"): 1,
        ("WS exchange", "echo", ""): 1,
        ("WS exchange", "wrong", "unexpected answer"): 1,
        ("WS receive", "pushed", ""): 1,
        ("WS exchange", "quiet", "timeout"): 1,
        ("WS exchange", "nobody", "there is no connection"): 1,
        ("WS lost", "/talk", "closed by the other side"): 1,
    }
    times = {name: took_ms for _, name, took_ms, _ in events}
    assert times["pushed"] >= 500, "counted from when it was sent"
    assert times["quiet"] >= 50

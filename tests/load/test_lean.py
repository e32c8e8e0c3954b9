"""Our users in an ordinary locustfile, run by the real `locust`."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import resilience.load
from tests.load.target import HANG, Asked, Target, Told, answer

LOCUSTFILE = """
import json, os, time
import gevent
from locust import constant, events, task
from resilience.load import LeanHttpUser

heard = []

@events.request.add_listener
def _hear(request_type, name, response_time, response_length, exception, context, **_):
    heard.append([request_type, name, response_time, response_length, str(exception or ""), context])

@events.init.add_listener
def _watch(environment, **_):
    def enough():
        names = ["/closes", "/binary", "/slow", "order"]
        while not all(sum(row[1] == name for row in heard) > 3 for name in names) or len(begun) < 2:
            gevent.sleep(0.1)
        gevent.sleep(1.2)
        environment.runner.quit()
    gevent.spawn(enough)

begun = []

@events.quit.add_listener
def _say(**_):
    with open(os.environ["HEARD"], "w") as file:
        json.dump(heard, file)

class One(LeanHttpUser):
    abstract = True
    wait_time = constant(0.05)
    fixed_count = 1
    timeout_s = 30.0

class Closes(One):
    @task
    def put(self):
        answer = self.client.put("/closes", json={"a": 1})
        assert (answer.outcome, answer.status) == ("unknown", 0)

class Binary(One):
    @task
    def get(self):
        answer = self.client.get("/binary")
        assert (answer.outcome, answer.status, answer.body) == ("failed", 503, bytes([255, 0, 254]))

class Hangs(One):
    @task
    def put(self):
        begun.append(1)
        self.client.put("/hang")

class HangsReading(One):
    @task
    def get(self):
        begun.append(1)
        self.client.get("/hang")

class GivesUp(One):
    @task
    def get(self):
        answer = self.client.get("/slow", timeout_s=0.2)
        assert answer.detail == "timeout: 0.2 s"

class Orders(One):
    def on_start(self):
        self.client.token = "s3cret-token"

    @task
    def order(self):
        due_s = time.monotonic() - 0.5
        answer = self.client.post("/ok?a=b c", name="order", json={"id": 7}, expect={"id": "7"}, due_s=due_s)
        assert answer.ok and answer.json() == {"id": 7} and answer.headers["content-length"] == "9"
"""


@pytest.fixture(scope="module")
def heard(tmp_path_factory):
    """What was fired, what the target was asked, and what locust printed."""

    def script(asked: Asked) -> Told | bytes:
        match asked.path.split("?")[0]:
            case "/closes":
                return Told(then="close")
            case "/binary":
                return answer(503, body=bytes([255, 0, 254]))
            case "/ok":
                return answer(200, asked.document)
            case _:
                return HANG

    folder = tmp_path_factory.mktemp("lean")
    (folder / "locustfile.py").write_text(LOCUSTFILE)
    target = Target(script)
    try:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "locust", "-f", "locustfile.py", "--headless"),
                *("-u", "6", "-r", "6", "-t", "40s", "--host", target.url),
            ],
            cwd=folder,
            env={**os.environ, "HEARD": str(folder / "heard.json")},
            capture_output=True,
            timeout=60,
            check=False,
        )
    finally:
        target.close()
    text = done.stdout.decode() + done.stderr.decode()
    assert "Traceback" not in text, text
    return json.loads((folder / "heard.json").read_text()), target.asked, text


def of(rows, name):
    return [row for row in rows if row[1] == name]


def test_every_request_is_one_event_and_no_more(heard):
    """A server that closes without an answer is asked once for each event, also by an idempotent method."""
    rows, asked, _ = heard
    closed = of(rows, "/closes")
    assert len(closed) >= 3
    assert {row[4] for row in closed} <= {"unknown: closed without an answer", "unknown: in flight at the end"}
    sent = Counter(one.path.split("?")[0] for one in asked)
    for name in ("/closes", "/binary"):
        told = of(rows, name)
        cut_short = sum("in flight at the end" in row[4] for row in told)  # may not have been sent any more
        assert len(told) - cut_short <= sent[name] <= len(told)
        assert len(told) - cut_short >= 3


def test_an_error_with_a_binary_body_is_an_event(heard):
    """A 503 whose body is no text is a failure with its size, not an exception out of the client."""
    rows, _, _ = heard
    told = [row for row in of(rows, "/binary") if row[4] != "failed: in flight at the end"]
    assert {(row[3], row[4], row[5]["status"]) for row in told} == {(3, "failed: status 503", 503)}


def test_what_hangs_is_an_event_at_the_end(heard):
    """Two users who wait until they are stopped are not silence: a write may have happened, a read has failed."""
    rows, _, text = heard
    ends = sorted((row[0], row[4], row[5]["outcome"]) for row in of(rows, "/hang"))
    assert ends == [
        ("GET", "failed: in flight at the end", "failed"),
        ("PUT", "unknown: in flight at the end", "unknown"),
    ]
    assert all(row[2] > 1000 for row in of(rows, "/hang"))  # as long as they have waited, in ms
    assert "in flight at the end" in text  # and so in Locust's own table of errors


def test_the_time_limit_is_that_of_the_call(heard):
    """A call that gives up does so at its own limit."""
    rows, _, _ = heard
    gave_up = [row for row in of(rows, "/slow") if row[4] == "failed: timeout"]
    assert len(gave_up) >= 3
    assert all(200 <= row[5]["service_ms"] < 2000 for row in gave_up)


def test_response_time_counts_from_when_it_was_due(heard):
    """Response time, service time and lag are told apart; a bearer token is sent, and is in nothing that is told."""
    rows, asked, text = heard
    orders = [row for row in of(rows, "order") if not row[4]]
    assert len(orders) >= 3
    for _, _, response_ms, _, _, context in orders:
        assert context["lag_ms"] >= 500
        assert response_ms == pytest.approx(context["lag_ms"] + context["service_ms"])
    sent = [one for one in asked if one.path.startswith("/ok")]
    assert {one.path for one in sent} == {"/ok?a=b%20c"}
    assert {one.headers["authorization"] for one in sent} == {"Bearer s3cret-token"}
    assert "s3cret" not in json.dumps(rows) + text


def test_the_package_itself_does_not_import_locust():
    """The runner imports `resilience.load`; only asking for a user imports Locust."""
    look = "print('locust' in sys.modules)"
    program = f"import sys, resilience.load as load; {look}; load.LeanHttpUser; {look}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=60)
    assert done.stdout.split() == [b"False", b"True"]
    with pytest.raises(AttributeError, match="NoSuchUser"):
        resilience.load.NoSuchUser  # noqa: B018


def test_the_example_of_the_how_to_is_a_locustfile(tmp_path):
    """The locustfile in the documentation is taken by `locust --list`."""
    page = Path(__file__).parents[2] / "docs" / "how-to" / "use-our-users-in-your-locustfile.md"
    code = page.read_text().split("```python\n")[1].split("```")[0]
    (tmp_path / "locustfile.py").write_text(code)
    argv = [sys.executable, "-m", "locust", "-f", "locustfile.py", "--list"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, check=True, timeout=60)
    assert b"Shopper" in done.stdout + done.stderr

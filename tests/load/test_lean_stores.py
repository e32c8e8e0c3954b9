"""Our users of PostgreSQL and Redis in an ordinary locustfile, run by the real `locust`."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.wire.stores import stores

LOCUSTFILE = """
import json, os
import gevent
from locust import constant, events, task
from resilience.load import PostgresUser, RedisUser

heard, seen, begun = [], [], []

@events.request.add_listener
def _hear(request_type, name, response_time, exception, context, **_):
    heard.append([request_type, name, response_time, str(exception or ""), context])

@events.init.add_listener
def _watch(environment, **_):
    def enough():
        while len({tuple(one) for one in seen}) < 8 or not begun:
            gevent.sleep(0.05)
        environment.runner.quit()
    gevent.spawn(enough)

@events.quit.add_listener
def _say(**_):
    with open(os.environ["HEARD"], "w") as file:
        json.dump({"heard": heard, "seen": seen}, file)

class Sql(PostgresUser):
    dsn = os.environ["STORE_DSN"]
    fixed_count = 1
    wait_time = constant(0.05)

    @task
    def ask(self):
        one = self.client.run("SELECT %(key)s::int + 1 AS next", {"key": 6}, name="next", rows=1)
        seen.append(["next", one.ok, one.document["rows"][0]["next"]])
        none = self.client.run("SELECT 1 WHERE false", name="none", rows=1)
        seen.append(["none", none.outcome, none.detail])
        wrong = self.client.run("INSERT INTO nowhere VALUES (1)", name="wrong")
        seen.append(["wrong", wrong.outcome, wrong.detail.partition(":")[0]])
        two = ["SELECT 1 AS a", "SELECT %(x)s AS b"]
        both = self.client.transaction(two, {"x": "'; DROP"}, isolation="serializable")
        seen.append(["both", both.ok, both.document["rows"][0]["b"]])

class Sleeps(PostgresUser):
    dsn = os.environ["STORE_DSN"]
    fixed_count = 1

    @task
    def ask(self):
        begun.append(1)
        self.client.run("DO $$ BEGIN PERFORM pg_sleep(20); END $$", name="sleeps", timeout_s=30)

class Cache(RedisUser):
    address = os.environ["STORE_REDIS"]
    fixed_count = 1
    wait_time = constant(0.05)

    @task
    def ask(self):
        done = self.client.command("SET", "a b", "${x}", reply="OK")
        seen.append(["SET", done.ok, done.document["reply"]])
        found = self.client.command("GET", "a b", reply="${x}", write=False)
        seen.append(["GET", found.ok, found.document["reply"]])
        nothing = self.client.command("GET", "nothing", found=True, write=False)
        seen.append(["nothing", nothing.outcome, nothing.detail])
        wrong = self.client.command("LPUSH", "a b", "1")
        seen.append(["LPUSH", wrong.outcome, wrong.detail.partition(":")[0]])
"""


@pytest.mark.stack
def test_users_in_a_locustfile(tmp_path: Path):
    """Each call is one event with its outcome, also what is in flight when users stop; no secret is in any of them."""
    file = tmp_path / "locustfile.py"
    file.write_text(LOCUSTFILE)
    with stores() as store:
        places = store.stack.places()
        password = Path(places["redis"].passfile).read_text().strip()
        environment = {
            **os.environ,
            "HEARD": str(tmp_path / "heard.json"),
            "STORE_DSN": places["postgres"].dsn,
            "PGPASSFILE": places["postgres"].passfile,
            "STORE_REDIS": f"redis://:{password}@127.0.0.1:{places['redis'].port}",
        }
        command = [sys.executable, "-m", "locust", "-f", str(file), "--headless", "-u", "3", "-r", "3", "-t", "60s"]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=90, check=False)
    told = json.loads((tmp_path / "heard.json").read_text())
    assert {tuple(one) for one in told["seen"]} == {
        ("next", True, "7"),
        ("none", "failed", "unexpected answer: 0 rows, expected 1"),
        ("wrong", "failed", "sqlstate 42P01"),
        ("both", True, "'; DROP"),
        ("SET", True, "OK"),
        ("GET", True, "${x}"),
        ("nothing", "failed", "unexpected answer: there is nothing"),
        ("LPUSH", "failed", "redis WRONGTYPE"),
    }
    heard = told["heard"]
    assert Counter(kind for kind, *_ in heard).keys() == {"SQL", "REDIS"}
    calls = Counter(name for _, name, *_ in heard)
    assert calls["next"] >= calls["none"] >= calls["wrong"] >= 1
    (slept,) = [one for one in heard if one[1] == "sleeps"]
    assert slept[4]["outcome"] == "unknown"
    assert slept[4]["detail"] == "in flight at the end"
    assert all(took >= 0 and context["outcome"] in {"ok", "failed", "unknown"} for _, _, took, _, context in heard)
    assert {error for _, name, _, error, _ in heard if name == "wrong"} == {"failed: sqlstate 42P01"}
    assert password not in json.dumps(told) + done.stdout + done.stderr

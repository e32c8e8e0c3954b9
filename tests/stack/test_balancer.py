import contextlib
import http.client
import os
import secrets
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from resilience.errors import EnvironmentNotReady
from resilience.host import processes
from resilience.model import Service, StackSpec
from resilience.stack import balancer, kept, programs
from resilience.stack.embedded import EmbeddedStack
from resilience.stack.loopback import get
from resilience.stack.wanted import Wanted
from tests.stack.traces import HERE, remains

SHOP = ("python", str(HERE / "plain_copy.py"))


def needs_haproxy():
    """The reason why this machine has no load balancer; empty if it has one."""
    try:
        programs.find(programs.BALANCER)
    except EnvironmentNotReady as error:
        return str(error)
    return ""


with_haproxy = pytest.mark.skipif(bool(needs_haproxy()), reason=f"needs HAProxy: {needs_haproxy()}")


@pytest.fixture
def running():
    """A service in three copies."""
    stack = EmbeddedStack(Service(command=SHOP, copies=3), tag=f"test-{secrets.token_hex(4)}", experiment_folder=HERE)
    stack.start()
    yield stack
    stack.stop()
    assert remains(stack.debt_data()) == []


def ask(stack, path="/", count=60):
    """Who answered, request by request: the name of a copy, or the status."""
    port = stack.places()["service"].port

    def once(_):
        status, body = get(port, path)
        return body.decode() if status == 200 else status

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(once, range(count)))


def wait_until(holds, within_s=5.0):
    """Wait until something holds; fails if it does not in time."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < within_s
        time.sleep(0.02)


COPIES = {"service-1", "service-2", "service-3"}


@pytest.mark.stack
@with_haproxy
def test_requests_are_spread_over_all_copies(running):
    """Requirement J7: each is a part with a process of its own; the part `service` is the front, without one."""
    places = running.places()
    assert set(places) == {"postgres", "redis", "toxiproxy", "service", "balancer", *COPIES}
    assert places["service"].identity is None
    assert places["service"].launch is None
    assert places["service"].url == f"http://127.0.0.1:{places['balancer'].port}"
    assert len({places[name].identity for name in COPIES}) == 3
    answers = ask(running, count=90)
    assert all(10 <= answers.count(name) <= 60 for name in COPIES)
    assert set(answers) == COPIES


@pytest.mark.stack
@with_haproxy
def test_each_answer_says_which_copy_it_is_from(running):
    """Requirement J7: a header that the load balancer sets, so that any service's balance can be judged."""
    port = running.places()["service"].port
    for _ in range(12):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        with contextlib.closing(connection):
            connection.request("GET", "/")
            told = connection.getresponse()
            assert told.getheader(balancer.SERVED_BY) == told.read().decode()


@pytest.mark.stack
@with_haproxy
def test_a_copy_that_was_killed_costs_no_request(running):
    """Requirement J7: what was not sent to it goes to another one; started again, it gets its share again."""
    place = running.places()["service-2"]
    processes.end([place.identity], gently=signal.SIGKILL)
    assert set(ask(running)) == COPIES - {"service-2"}
    again = processes.start(place.launch)
    wait_until(lambda: "service-2" in ask(running, count=10))
    processes.end([again])


@pytest.mark.stack
@with_haproxy
def test_a_copy_that_says_it_is_not_ready_gets_nothing_more(running):
    """Requirement J7: as one that drains does; as soon as it says that it is ready, it gets its share again."""
    port = running.places()["service-1"].port
    assert get(port, "/unready")[0] == 200
    wait_until(lambda: set(ask(running, count=12)) == COPIES - {"service-1"})
    assert get(port, "/recover")[0] == 200
    wait_until(lambda: "service-1" in ask(running, count=12))


@pytest.mark.stack
@with_haproxy
def test_when_no_copy_is_ready_all_are_asked(running):
    """One that lacks its database may still answer from its cache: nobody is better than a refusal by the balancer."""
    for name in COPIES:
        get(running.places()[name].port, "/unready")
    wait_until(lambda: get(running.places()["service"].port, "/ready")[0] == 503)
    assert set(ask(running)) == COPIES


@pytest.mark.stack
@with_haproxy
def test_what_was_sent_is_never_sent_again(running):
    """A copy that dies over a request leaves its client without an answer, and no other copy gets that request."""
    answers = ask(running, "/die", count=1)
    assert answers[0] in {502, 503}
    alive = [name for name in COPIES if processes.alive(running.places()[name].identity)]
    assert len(alive) == 2


@pytest.mark.stack
@with_haproxy
def test_a_kept_stack_knows_its_copies(root, tmp_path, monkeypatch):
    """`status` tells of each, and of the balancer."""
    monkeypatch.setenv("RESILIENCE_STATE", str(tmp_path / "state"))
    kept.up(Wanted.of(StackSpec(service=Service(command=SHOP, copies=2)), "", HERE), folder_root=root)
    try:
        assert kept.status().healthy
        assert {"service-1", "service-2", "balancer", "service"} < set(kept.status().parts)
        processes.end([kept.read_places(kept.Path(kept.status().folder))["balancer"].identity])
        said = kept.status().parts
        assert "has ended" in said["balancer"]
        assert "was not answered" in said["service"]
        assert said["service-1"] == ""
    finally:
        assert kept.down()


def test_without_haproxy_several_copies_are_refused_with_how_to_get_it(make_stack, script):
    """Nothing is started; one copy needs none."""
    broken = str(script("haproxy", "exit 1"))
    stack = make_stack(Service(command=SHOP, copies=2), environment={**os.environ, "RESILIENCE_HAPROXY": broken})
    with pytest.raises(EnvironmentNotReady, match="apt install haproxy") as caught:
        stack.start()
    assert [problem.where for problem in caught.value.problems] == ["haproxy"]
    assert not stack.folder.exists()


def test_the_configuration_shows_nothing_to_anybody_else():
    """On the loopback address alone, without a page of statistics; and only failed connections are tried again."""
    text = balancer.config(8080, {"service-1": 8081, "service-2": 8082}, "/ready")
    assert "bind 127.0.0.1:8080\n" in text
    assert "stats" not in text
    assert "retry-on conn-failure\n" in text
    assert text.count("127.0.0.1:8081") == text.count("127.0.0.1:8082") == 2

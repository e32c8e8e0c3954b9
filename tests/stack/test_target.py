import json
import secrets
from contextlib import closing
from pathlib import Path

import pytest

from resilience.errors import EnvironmentNotReady
from resilience.host import processes
from resilience.model import Program, StackSpec
from resilience.stack import kept
from resilience.stack.embedded import EmbeddedStack
from resilience.stack.loopback import get
from resilience.stack.starting import read_secrets
from resilience.stack.wanted import Wanted
from tests.stack.traces import HERE, plain_service, remains

pytestmark = pytest.mark.stack

TELLS = ("python", str(HERE / "plain_program.py"))
LISTENING = Program(name="far-away", command=TELLS, ready="/ready", environment={"MODE": "told"})
ALONE = Program(name="worker", command=TELLS)
STEERED = Program(name="steered", command=(*TELLS, "resilience.provider"), ready="/ready")


@pytest.fixture(scope="module")
def running():
    """One stack with a service and three programs, for the tests that only look at it."""
    stack = EmbeddedStack(
        plain_service(),
        programs=(ALONE, LISTENING, STEERED),
        tag=f"test-{secrets.token_hex(4)}",
        experiment_folder=HERE,
    )
    stack.start()
    yield stack
    stack.stop()


def environment_of(place):
    """The environment that a process was started with."""
    pairs = Path(f"/proc/{place.identity.pid}/environ").read_bytes().decode().split("\0")
    return dict(pair.split("=", 1) for pair in pairs if pair)


def test_programs_run_beside_the_service_and_are_reached_through_a_proxy(running):
    """Requirement F5: what listens has a proxy of its name, and everybody else finds it by way of that."""
    places = running.places()
    assert set(places) == {"postgres", "redis", "toxiproxy", "service", "worker", "far-away", "steered"}
    place = places["far-away"]
    assert (place.proxy, place.protocol, place.ready) == ("far-away", "http", "/ready")
    assert place.port != place.via_port
    for port in (place.port, place.via_port):
        assert json.loads(get(port, "/ready")[1])["name"] == "far-away"
    proxies = json.loads(get(places["toxiproxy"].port, "/proxies")[1])
    assert set(proxies) == {"postgres", "redis", "far-away", "steered"}
    for name in ("service", "worker", "steered"):
        assert environment_of(places[name])["FAR_AWAY_URL"] == f"http://127.0.0.1:{place.via_port}"


def test_a_program_has_the_environment_of_the_service_and_its_own(running):
    """The stores with their passwords in files; a port only if it listens."""
    places = running.places()
    service, worker, far = (environment_of(places[name]) for name in ("service", "worker", "far-away"))
    for name in ("DATABASE_URL", "PGPASSFILE", "REDIS_URL", "REDIS_PASSWORD_FILE", "TARGET_BUGS"):
        assert service[name] == worker[name] == far[name]
    assert far["MODE"] == "told"
    assert far["PORT"] == str(places["far-away"].port)
    assert "PORT" not in worker
    assert (places["worker"].port, places["worker"].proxy, places["worker"].url) == (0, "", "")


def test_a_part_that_is_steered_by_a_token_has_it_in_a_file(running):
    """The place names the file, and what is in it counts as a secret."""
    place = running.places()["steered"]
    assert environment_of(place)["RESILIENCE_PROVIDER_TOKEN_FILE"] == place.passfile
    assert Path(place.passfile).read_text() in read_secrets(running.folder)
    assert running.places()["far-away"].passfile == ""


def test_every_part_can_be_killed_and_started_again_from_its_place(running):
    """What process faults need of it."""
    for name in ("worker", "far-away"):
        place = running.places()[name]
        assert place.state == str(running.folder / "stack.json")
        assert processes.running(place.launch) == place.identity


def test_a_program_that_does_not_get_ready_is_said_so_and_nothing_is_left(make_stack):
    """With the last words of its log; the service is not started then."""
    broken = Program(name="broken", command=("python", "-c", "raise SystemExit('no provider today')"), ready="/x")
    stack = make_stack(plain_service(), programs=(broken,))
    with pytest.raises(EnvironmentNotReady, match="no provider today") as caught:
        stack.start()
    assert [problem.where for problem in caught.value.problems] == ["broken"]
    assert remains(stack.debt_data()) == []


def test_a_name_that_is_taken_is_refused_before_anything_is_started(make_stack):
    """Requirement E2: with the name."""
    stack = make_stack(plain_service(), programs=(Program(name="redis", command=("x",)),))
    with pytest.raises(EnvironmentNotReady, match="the name 'redis' is taken"):
        stack.start()
    assert not stack.folder.exists()


def wanted_by(*some):
    return Wanted.of(StackSpec(service=plain_service(), programs=some), "", HERE)


def test_a_kept_stack_knows_its_programs(root, tmp_path, monkeypatch):
    """`status` tells of each; one that ended is not well, and a run that wants others is refused."""
    monkeypatch.setenv("RESILIENCE_STATE", str(tmp_path / "state"))
    places = kept.up(wanted_by(ALONE, LISTENING), folder_root=root)
    with closing(Down()):
        assert kept.status().healthy
        assert set(kept.status().parts) == set(places)
        other = kept.KeptStack(wanted_by(LISTENING))
        with pytest.raises(EnvironmentNotReady, match="its list of programs is"):
            other.start()
        processes.end([places["worker"].identity])
        assert "has ended" in kept.status().parts["worker"]


class Down:
    """Ends the kept stack."""

    def close(self):
        """`resilience down`."""
        assert kept.down()

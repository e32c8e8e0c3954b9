"""Faults of a container, on a real engine: each is felt, is gone after, and touches nobody else's."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from resilience.errors import FaultError
from resilience.faults import effects, registry
from resilience.faults.engine import Container, Engine, NoContainer
from resilience.model import FaultSpec, Place, Undo
from resilience.ports import Fault, Strike
from tests.faults import dockers
from tests.faults.dockers import Docker
from tests.faults.parts import eventually, over_json

pytestmark = pytest.mark.stack

NETWORK = "resilience-tests"
LIMITED = ("--memory", "64m", "--memory-swap", "64m")
HELD = {
    "docker.pause": {},
    "docker.kill": {},
    "docker.cpu": {"cpus": 0.2},
    "docker.memory": {"megabytes": 32},
    "docker.disconnect": {},
}


@pytest.fixture(scope="module")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docker]:
    if reason := dockers.missing():
        pytest.skip(reason)
    folder: Path = tmp_path_factory.mktemp("engine")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", f"unix://{folder}/socket")
        with dockers.engine(folder) as started:
            started.call("network", "create", "--subnet", "10.231.7.0/24", NETWORK)
            yield started


def built(kind: str, place: Place, **settings) -> Fault:
    fault = registry.build(FaultSpec(name="hit", kind=kind, on=place.name, duration_s=5, settings=settings), place)
    assert isinstance(fault, Fault)
    return fault


def look(place: Place) -> Container:
    return Engine(Engine.here()).container(place.container)


def serves(place: Place) -> bool:
    words = effects.serving(place)
    return effects.well(effects.ask((place.host, place.port), words), words)


def in_network(docker: Docker, act: Callable[[Place], None], *options: str) -> None:
    with docker.container(*options, network=NETWORK) as place:

        def body() -> None:
            eventually(lambda: serves(place))
            act(place)

        docker.inside(body)


@pytest.mark.parametrize("kind", sorted(HELD))
def test_comes_and_goes(docker: Docker, kind: str):
    """Absent, injected, felt, reverted from what JSON says, and all as before; a second revert changes nothing."""

    def tried(place: Place) -> None:
        before = look(place)
        fault = built(kind, place, **HELD[kind])
        undo = fault.prepare()
        fault.revert(undo)
        assert fault.active(undo) is False
        fault.inject(undo)
        eventually(lambda: fault.active(undo))
        assert fault.proof
        if kind in {"docker.pause", "docker.kill", "docker.disconnect"}:
            assert not serves(place)
            with pytest.raises(FaultError):
                built(kind, place, **HELD[kind]).prepare()
        read = over_json(undo)
        other = registry.from_undo(read)
        assert other.active(read) is True
        other.revert(read)
        other.revert(read)
        eventually(lambda: other.active(read) is False, 10.0)
        eventually(lambda: serves(place))
        after = look(place)
        assert after.status == "running"
        assert {**after.limits, "CpuQuota": 0, "CpuPeriod": 0} == before.limits
        assert after.limits["CpuQuota"] <= 0
        assert {name: net["IPAddress"] for name, net in after.networks.items()} == {
            name: net["IPAddress"] for name, net in before.networks.items()
        }

    in_network(docker, tried, *LIMITED)


@pytest.mark.parametrize("has", [(), ("--cpus", "1.5")])
def test_a_quota_leaves_that_share_of_cpu_time(docker: Docker, has: tuple[str, ...]):
    """With 0.2 CPUs a busy container gets 20 % of the time, and all of it again after (Requirement F4)."""

    def share(pid: int) -> float:
        def used() -> float:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

        began, before = time.monotonic(), used()
        time.sleep(2.0)
        return (used() - before) / (time.monotonic() - began)

    def throttled(place: Place) -> int:
        told = look(place).kernel("cpu", "cpu.stat", "cpu.stat").split()
        return int(told[told.index("nr_throttled") + 1])

    def tried(place: Place) -> None:
        docker.call("exec", "--detach", place.container, "/bin/sh", "-c", "while :; do :; done")
        pids = Engine(Engine.here()).call("top", place.container, "-eo", "pid,args").splitlines()
        busy = next(int(line.split()[0]) for line in pids if "while" in line)
        fault = built("docker.cpu", place, cpus=0.2)
        undo = fault.prepare()
        fault.inject(undo)
        eventually(lambda: fault.active(undo))
        before = throttled(place)
        assert 0.1 < share(busy) < 0.26
        assert throttled(place) - before >= 5, "it wanted more"
        fault.revert(undo)
        assert fault.active(undo) is False
        before = throttled(place)
        share(busy)
        assert throttled(place) - before <= 1, "a busy machine gives it less, the kernel does not hold it back"
        if has:
            assert look(place).limits["NanoCpus"] == 1_500_000_000

    in_network(docker, tried, *has)


def test_somebody_elses_limit_is_left_alone(docker: Docker):
    """A limit that was changed meanwhile is said with both values, and stays."""

    def tried(place: Place) -> None:
        fault = built("docker.memory", place, megabytes=32)
        undo = fault.prepare()
        fault.inject(undo)
        docker.call("update", "--memory", "48m", "--memory-swap", "48m", place.container)
        with pytest.raises(FaultError, match=f"{48 << 20}.*by somebody else.*{32 << 20}.*{64 << 20}"):
            fault.revert(undo)
        assert look(place).limits["Memory"] == 48 << 20

    in_network(docker, tried, *LIMITED)


def test_what_cannot_be_given_back_is_refused(docker: Docker):
    """Docker cannot lift a memory limit: a container without one is refused, as is one with a lower limit already."""

    def tried(place: Place) -> None:
        with pytest.raises(FaultError, match="no memory limit"):
            built("docker.memory", place).prepare()
        with pytest.raises(FaultError, match=r"limited to 0\.1 already"):
            built("docker.cpu", place, cpus=0.5).prepare()
        with pytest.raises(FaultError, match="'elsewhere' is no network of it, it has resilience-tests"):
            built("docker.disconnect", place, network="elsewhere").prepare()

    in_network(docker, tried, "--cpus", "0.1")


def test_another_life_of_the_container_is_not_touched(docker: Docker):
    """One that was restarted meanwhile is not unpaused or started by an old undo; one that is gone is owed nothing."""
    with docker.container(network=NETWORK) as place:
        undos: dict[str, Undo] = {kind: built(kind, place).prepare() for kind in ("docker.pause", "docker.kill")}
        docker.call("restart", "--time", "0", place.container)
        docker.call("pause", place.container)
        registry.from_undo(undos["docker.pause"]).revert(undos["docker.pause"])
        assert look(place).status == "paused"
        docker.call("unpause", place.container)
        docker.call("kill", place.container)
        registry.from_undo(undos["docker.kill"]).revert(undos["docker.kill"])
        assert look(place).status == "exited"
    for undo in undos.values():
        fault = registry.from_undo(undo)
        fault.revert(undo)
        assert fault.active(undo) is False
    with pytest.raises(NoContainer):
        look(place)


def test_restart_is_another_life_that_serves(docker: Docker):
    """A strike: the container runs since a later time, and serves (Requirement F4)."""

    def tried(place: Place) -> None:
        before = look(place)
        spec = FaultSpec(name="hit", kind="docker.restart", on="web", duration_s=0, settings={"patience_s": 0})
        strike = registry.build(spec, place)
        assert isinstance(strike, Strike)
        strike.prepare()
        assert before.started in strike.strike()
        assert look(place).started > before.started
        assert serves(place)

    in_network(docker, tried)


@pytest.mark.parametrize("kind", sorted([*HELD, "docker.restart"]))
def test_preflight_says_what_is_missing(kind: str, monkeypatch: pytest.MonkeyPatch):
    """Without a container, an engine or the program, it is said before anything is touched."""
    spec = FaultSpec(name="hit", kind=kind, on="web", duration_s=1)
    nowhere = Place(name="web", host="", port=0, via_port=0)
    assert "a container of a Docker engine" in str(registry.fits(spec, nowhere)[0])
    place = Place(name="web", host="", port=0, via_port=0, container="web-1")
    monkeypatch.setenv("PATH", "/nowhere")
    assert "the program docker is not there" in str(registry.fits(spec, place)[0])

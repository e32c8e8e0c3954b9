import os
import signal
import sys
from pathlib import Path

import pytest

from resilience.errors import EnvironmentNotReady
from resilience.host import commands, processes
from resilience.model import StackSpec
from resilience.stack import kept
from resilience.stack.embedded import EmbeddedStack
from resilience.stack.factory import open_stack
from resilience.stack.wanted import Wanted
from tests.stack.traces import HERE, plain_service, remains


@pytest.fixture
def own_state(tmp_path, monkeypatch):
    """A state folder of our own, and no kept stack in it afterwards."""
    monkeypatch.setenv("RESILIENCE_STATE", str(tmp_path / "state"))
    yield tmp_path / "state" / "stacks" / "embedded.json"
    kept.down()


def wanted_by(*, bugs="", wired=(), **spec):
    """What the tests' own service is to run on."""
    return Wanted.of(StackSpec(**{"service": plain_service(), **spec}), bugs, HERE, wired)


def bring_up(root, **settings):
    """`resilience up`."""
    return kept.up(wanted_by(**settings), folder_root=root)


def open_as_run(**settings):
    """What `chaos run` does."""
    spec = StackSpec(service=settings.pop("service", plain_service()))
    return open_stack(spec, tag="test-own", experiment_folder=HERE, **settings)


@pytest.mark.usefixtures("own_state")
def test_without_a_kept_stack_there_is_nothing_to_end():
    """`down` and `status` say so, and are no error; a run brings its own stack."""
    assert not kept.down()
    assert kept.status() == kept.Status()
    assert not kept.running()
    assert isinstance(open_as_run(), EmbeddedStack)


@pytest.mark.stack
@pytest.mark.usefixtures("own_state")
def test_a_run_uses_the_kept_stack_and_leaves_it_running(root):
    """`up` twice starts once; while a run has it, neither another run nor `down` gets it."""
    first = bring_up(root)
    assert bring_up(root) == first
    assert kept.status().healthy
    run = open_as_run()
    assert run.debt_data() is None
    run.start()
    assert run.places() == first
    other = open_as_run()
    for attempt in (other.start, kept.down):
        with pytest.raises(EnvironmentNotReady, match=f"process {os.getpid()} is using it"):
            attempt()
    other.stop()
    run.stop()
    assert kept.status().healthy
    other.start()
    other.stop()
    folder = Path(kept.status().folder)
    assert kept.down()
    assert remains({"folder": str(folder), "tag": folder.name.removeprefix("resilience-")}) == []


@pytest.mark.stack
@pytest.mark.usefixtures("own_state")
def test_a_kept_stack_that_runs_something_else_is_not_used(root):
    """Other planted bugs or another service: every difference is said, with what to do."""
    bring_up(root, bugs="B19")
    other = open_as_run(bugs="B01", service=plain_service("never"))
    for attempt in (other.start, lambda: bring_up(root)):
        with pytest.raises(EnvironmentNotReady, match=r'TARGET_BUGS is "B19"') as caught:
            attempt()
        assert "resilience down" in str(caught.value)
    with pytest.raises(EnvironmentNotReady, match='"MODE": "never"'):
        other.start()
    open_as_run(bugs="B19").start()


@pytest.mark.stack
@pytest.mark.usefixtures("own_state")
def test_a_kept_stack_says_which_programs_it_runs_and_which_proxies_stand_in_the_way(root):
    """The run's record has it from there. A part without the protocol proxy it needs is refused, with what to do."""
    places = bring_up(root, wired=("redis",))
    assert (places["redis"].wire_proxy, places["postgres"].wire_proxy) == ("redis", "")
    run = open_as_run(wired=("redis",))
    run.start()
    assert set(run.found) == {"postgres", "redis-server", "toxiproxy-server", "wire"}
    assert run.found["wire"].endswith("own proxy, before redis")
    run.stop()
    plain = open_as_run()  # a proxy without rules passes everything on
    plain.start()
    plain.stop()
    other = open_as_run(wired=("postgres", "redis"))
    with pytest.raises(EnvironmentNotReady, match="no protocol proxy before postgres") as caught:
        other.start()
    assert "resilience down" in str(caught.value)
    processes.send(places["wire"].identity, signal.SIGKILL)
    processes.wait_gone([places["wire"].identity], 2)
    assert "has ended" in kept.status().parts["wire"]


@pytest.mark.stack
@pytest.mark.usefixtures("own_state")
def test_a_half_dead_stack_is_not_used_and_status_says_which_part_is_down(root):
    """One part was killed, one is paused. `up` starts it anew."""
    places = bring_up(root)
    processes.end([places["service"].identity])
    processes.send(places["redis"].identity, signal.SIGSTOP)
    state = kept.status()
    assert not state.healthy
    assert "has ended" in state.parts["service"]
    assert "SIGSTOP" in state.parts["redis"]
    assert state.parts["postgres"] == state.parts["toxiproxy"] == ""
    with pytest.raises(EnvironmentNotReady) as caught:
        open_as_run().start()
    assert [problem.where for problem in caught.value.problems] == ["kept stack, redis", "kept stack, service"]
    bring_up(root)
    assert kept.status().healthy
    assert not processes.alive(places["postgres"].identity)


@pytest.mark.stack
def test_a_stack_that_died_as_a_whole_is_not_in_the_way(root, own_state):
    """As after a restart of the machine: a run brings its own, `status` tells, `down` forgets it."""
    places = bring_up(root)
    processes.end([place.identity for place in places.values()], gently=signal.SIGKILL)
    assert not kept.running()
    assert isinstance(open_as_run(), EmbeddedStack)
    assert len(kept.status().problems) == 4
    assert kept.down()
    assert not own_state.exists()


@pytest.mark.stack
def test_an_up_that_fails_leaves_no_trace(root, own_state):
    """Neither processes nor a record of a stack that is not there."""
    with pytest.raises(EnvironmentNotReady, match="no shop today"):
        bring_up(root, service=plain_service("exit"))
    assert not own_state.exists()
    assert list(root.glob("resilience-*")) == []


@pytest.mark.stack
@pytest.mark.usefixtures("own_state")
def test_an_up_that_was_killed_half_way_can_be_ended(root):
    """The stack was written down before it was started."""
    code = (
        "from pathlib import Path\n"
        "from resilience.model import StackSpec\n"
        "from resilience.stack import kept\n"
        "from resilience.stack.wanted import Wanted\n"
        "from tests.stack.traces import HERE, plain_service\n"
        "wanted = Wanted.of(StackSpec(service=plain_service('never')), '', HERE)\n"
        f"kept.up(wanted, folder_root=Path({str(root)!r}))"
    )
    with pytest.raises(EnvironmentNotReady, match="did not end"):
        commands.run([sys.executable, "-c", code], timeout_s=3)
    state = kept.status()
    assert not state.healthy
    assert "did not come to its end" in str(state.problems[-1])
    assert kept.down()
    assert remains({"folder": state.folder, "tag": Path(state.folder).name.removeprefix("resilience-")}) == []

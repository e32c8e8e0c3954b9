"""Pausing and killing a part: never a stranger, never two instances."""

import json
import signal
import sys
import threading
from dataclasses import asdict, replace
from pathlib import Path

import psutil
import pytest

from resilience.errors import FaultError
from resilience.host import files, processes
from resilience.model import Identity, Launch, Place, Undo
from tests.faults.parts import Parts, eventually, fault_on

pytestmark = pytest.mark.stack


def instances(running: Parts) -> int:
    """How many Redis processes work in the stack's folder."""
    found = 0
    for process in psutil.process_iter(["name", "cwd"]):
        here = process.info["cwd"] == str(running.folder)
        found += here and process.info["name"] == "redis-server"
    return found


def test_many_reverts_at_once_start_one_instance(running: Parts):
    """Runner and reaper may revert at the same time: one process comes of it, and the state file names it."""
    fault = fault_on("process.kill", running.place)
    undo = fault.prepare()
    fault.inject(undo)
    eventually(lambda: fault.active(undo), 2.0)
    threads = [threading.Thread(target=fault.revert, args=(undo,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eventually(lambda: fault.active(undo) is False)
    assert instances(running) == 1
    assert processes.alive(running.recorded())


def test_one_started_and_not_written_down_is_adopted(running: Parts):
    """Whoever reverted may have died between starting the part and writing it down: the next one adopts it."""
    fault = fault_on("process.kill", running.place)
    undo = fault.prepare()
    fault.inject(undo)
    started = processes.start(running.place.launch)
    eventually(lambda: processes.listener(running.place.port, str(running.folder)) == started)
    fault.revert(undo)
    eventually(lambda: fault.active(undo) is False)
    assert instances(running) == 1
    assert running.recorded() == started


@pytest.mark.parametrize("kind", ["process.pause", "process.kill"])
def test_after_a_reboot_nothing_is_owed(running: Parts, kind: str):
    """Process numbers of another boot mean nothing: nothing is signalled, nothing started, nothing active."""
    fault = fault_on(kind, running.place)
    text = json.dumps(fault.prepare().data).replace(processes.boot_id(), "another-boot")
    before = running.recorded()
    old = Undo(kind=kind, data=json.loads(text))
    fault.revert(old)
    assert fault.active(old) is False
    assert running.recorded() == before
    assert running.healthy()


def test_stack_that_is_gone_is_not_started_again(running: Parts, tmp_path: Path):
    """If the stack was taken down meanwhile, its parts stay down."""
    fault = fault_on("process.kill", running.place)
    undo = fault.prepare()
    gone = replace(undo, data={**undo.data, "state": str(tmp_path / "gone" / "stack.json")})
    fault.revert(gone)
    assert fault.active(gone) is False


def test_the_state_file_knows_better_than_the_place(running: Parts):
    """After a restart a place read earlier names a process that is gone: the state file is asked."""
    old = Identity(pid=running.recorded().pid, start_ticks=1, boot=processes.boot_id())
    undo = fault_on("process.pause", replace(running.place, identity=old)).prepare()
    assert undo.data["processes"][0] == asdict(running.recorded())


def test_children_are_paused_and_continued_too(tmp_path: Path):
    """All of a part's processes stop, not the parent alone, and all go on; stopped by somebody else, it is refused."""
    script = (
        "import subprocess, sys, time\nif len(sys.argv) < 2: subprocess.Popen([sys.executable, __file__, 'child'])\n"
    )
    program = tmp_path / "program.py"
    program.write_text(script + "time.sleep(60)\n")
    launch = Launch(
        name="service",
        argv=(sys.executable, str(program)),
        environment={},
        folder=str(tmp_path),
        log=str(tmp_path / "log"),
        tag=f"tests-{tmp_path.name}",
    )
    root = processes.start(launch)
    state = tmp_path / "stack.json"
    try:
        eventually(lambda: len(processes.descendants(root)) == 1)
        place = Place(name="service", host="127.0.0.1", port=9, via_port=9, identity=root, state=str(state))
        files.write_json(state, {"places": {"service": asdict(place)}})
        fault = fault_on("process.pause", place)
        undo = fault.prepare()
        fault.inject(undo)
        eventually(lambda: fault.active(undo))
        group = (root, *processes.descendants(root))
        assert [processes.state_of(identity) for identity in group] == ["T", "T"]
        with pytest.raises(FaultError, match="stopped already"):
            fault.prepare()
        fault.revert(undo)
        eventually(lambda: fault.active(undo) is False)
        processes.send(group[1], signal.SIGSTOP)
        eventually(lambda: processes.state_of(group[1]) == "T")
        with pytest.raises(FaultError, match="only some are stopped"):
            fault.active(undo)
    finally:
        processes.end(processes.tagged(launch.tag))

import os
import random
import secrets
import signal
import sys
import time
from pathlib import Path

import pytest

from resilience.errors import DebtsOutstanding
from resilience.host import processes
from resilience.model import Launch
from resilience.stack.settle import settle
from tests.stack.traces import HERE, plain_service, remains, segments_of


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"folder": "/", "tag": "abcd1234"},
        {"folder": "/var", "tag": ""},
        {"folder": "resilience-abcd1234", "tag": "abcd1234"},
        {"folder": "/var/resilience-abcd1234", "tag": "other123"},
        {"folder": "/var/resilience-../../etc", "tag": "../../etc"},
    ],
)
def test_data_that_is_not_of_a_stack_is_refused(data):
    """A damaged debt must not remove a folder or end a process."""
    with pytest.raises(DebtsOutstanding, match="do not belong to a stack"):
        settle(data)


def test_a_link_in_the_folder_s_place_is_left_alone(tmp_path):
    """Whoever can write in the temporary folder must not make us remove something else."""
    precious = tmp_path / "precious"
    precious.mkdir()
    link = tmp_path / "resilience-abcd1234"
    link.symlink_to(precious)
    with pytest.raises(DebtsOutstanding, match="left alone"):
        settle({"folder": str(link), "tag": "abcd1234"})
    assert precious.is_dir()


def test_a_stack_that_was_never_started_is_settled(tmp_path):
    """The debt is written before anything is done."""
    settle({"folder": str(tmp_path / "resilience-abcd1234"), "tag": "abcd1234"})


def test_a_damaged_state_file_does_not_keep_the_stack_alive(tmp_path):
    """The tag finds the process all the same, and the folder goes."""
    tag = f"test-{secrets.token_hex(4)}"
    folder = tmp_path / f"resilience-{tag}"
    folder.mkdir()
    (folder / "stack.json").write_text('{"places": [')
    launch = Launch(name="x", argv=("/bin/sleep", "60"), environment={}, folder="/", log=str(tmp_path / "log"), tag=tag)
    identity = processes.start(launch)
    settle({"folder": str(folder), "tag": tag})
    assert not processes.alive(identity)
    assert not folder.exists()


def test_somebody_who_looks_into_the_folder_is_not_ended(tmp_path):
    """A shell whose working folder is the stack's is no process of the stack."""
    tag = f"test-{secrets.token_hex(4)}"
    folder = tmp_path / f"resilience-{tag}"
    folder.mkdir()
    looking = Launch(
        name="x", argv=("/bin/sleep", "60"), environment={}, folder=str(folder), log=str(tmp_path / "log"), tag="other"
    )
    identity = processes.start(looking)
    settle({"folder": str(folder), "tag": tag})
    assert processes.alive(identity)
    processes.end([identity])


@pytest.mark.stack
def test_another_postgres_that_got_the_old_one_s_number_is_not_ended(make_stack, tmp_path):
    """A lock file that survived names a process of the right user and program, begun at another time."""
    stack = make_stack()
    stack.start()
    identity = stack.places()["postgres"].identity
    tag = f"test-{secrets.token_hex(4)}"
    folder = tmp_path / f"resilience-{tag}"
    (folder / "postgres" / "data").mkdir(parents=True)
    lock = folder / "postgres" / "data" / "postmaster.pid"
    lock.write_text(f"{identity.pid}\n/data\n{int(time.time()) - 3600}\n1\n\n127.0.0.1\n 1 2\nready\n")
    owner = Path(f"/proc/{identity.pid}").stat()
    os.chown(lock, owner.st_uid, owner.st_gid)
    settle({"folder": str(folder), "tag": tag})
    assert processes.alive(identity)


@pytest.mark.stack
def test_paused_servers_are_ended_quickly(make_stack):
    """A fault that holds when the runner dies leaves them stopped (Requirement F7)."""
    stack = make_stack(plain_service())
    stack.start()
    places = stack.places()
    for place in places.values():
        processes.send(place.identity, signal.SIGSTOP)
    began = time.monotonic()
    stack.stop()
    assert time.monotonic() - began < 2
    assert remains(stack.debt_data()) == []
    assert segments_of({places["postgres"].identity.pid}) == []


@pytest.mark.stack
@pytest.mark.parametrize("paused", [False, True])
def test_a_killed_postgres_leaves_no_shared_memory(make_stack, paused):
    """SIGKILL lets it remove nothing itself; its children may be paused and so survive it for a while."""
    stack = make_stack()
    stack.start()
    postgres = stack.places()["postgres"].identity
    assert segments_of({postgres.pid})
    if paused:
        children = Path(f"/proc/{postgres.pid}/task/{postgres.pid}/children").read_text().split()
        for pid in children:
            if (child := processes.identify(int(pid))) is not None:  # some of them do their work and end
                processes.send(child, signal.SIGSTOP)
    processes.send(postgres, signal.SIGKILL)
    processes.wait_gone([postgres], 2)
    assert segments_of({postgres.pid})
    stack.stop()
    assert segments_of({postgres.pid}) == []
    assert remains(stack.debt_data()) == []


@pytest.mark.stack
@pytest.mark.parametrize("seed", range(6))
def test_a_starter_killed_at_any_moment_leaves_nothing_that_is_not_settled(root, tmp_path, seed):
    """Whatever it was doing: no process, no folder, no shared memory, within five seconds (Requirement F7)."""
    tag = f"test-{secrets.token_hex(4)}"
    data = {"folder": str(root / f"resilience-{tag}"), "tag": tag}
    log = tmp_path / "log"
    starter = processes.start(
        Launch(
            name="starter",
            argv=(sys.executable, str(HERE / "starter.py"), tag, str(root)),
            environment=dict(os.environ),
            folder=str(root),
            log=str(log),
            tag=f"starter-{tag}",
        )
    )
    folder = Path(data["folder"])
    while not folder.exists() and processes.alive(starter):
        time.sleep(0.002)
    time.sleep(random.Random(seed).uniform(0, 0.9))  # noqa: S311 - a moment, not a secret
    processes.send(starter, signal.SIGKILL)
    processes.wait_gone([starter], 2)
    lock = folder / "postgres" / "data" / "postmaster.pid"
    server = {int(lock.read_text().split()[0])} if lock.exists() else set()
    began = time.monotonic()
    settle(data)
    assert time.monotonic() - began < 5
    time.sleep(0.1)
    assert remains(data) == []
    assert segments_of(server) == []
    assert "Traceback" not in log.read_text()

"""`chaos run`, `validate` and `discover`: ours for our files, chaostoolkit's own for all others. Requirement E4."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.program import SHIPPED, Program, short


def stock(func: str = "basename", **arguments: str) -> dict[str, Any]:
    """A small experiment without our extension."""
    provider = {"type": "python", "module": "os.path", "func": func, "arguments": arguments or {"p": "/a/b"}}
    return {
        "title": "somebody else's",
        "description": "none of our business",
        "method": [{"type": "action", "name": "a", "provider": provider}],
    }


def test_other_experiments_are_chaostoolkits_own(program: Program):
    """A file without our extension runs as it always did: its journal, its exit code, nothing of ours."""
    done = program.chaos("--no-version-check", "run", program.write(stock(), "stock.yaml"))
    assert done.code == 0
    journal = json.loads((program.folder / "journal.json").read_text())
    assert (journal["status"], journal["run"][0]["output"]) == ("completed", "b")
    assert not program.runs.exists()
    assert not program.state.exists()


def test_options_of_chaostoolkit_reach_its_own_experiments(program: Program):
    """Its options still work for its files: another journal, a dry run."""
    words = ("--journal-path", "other.json", "--dry", "activities")
    done = program.chaos("--no-version-check", "run", *words, program.write(stock(), "stock.yaml"))
    assert done.code == 0
    assert json.loads((program.folder / "other.json").read_text())["run"][0]["status"] == "succeeded"


@pytest.mark.parametrize("command", ["run", "validate"])
def test_invalid_experiments_of_others(program: Program, command: str):
    """What chaostoolkit refuses is refused with its own exit code."""
    broken = stock()
    del broken["title"]
    done = program.chaos("--no-version-check", command, program.write(broken, "stock.yaml"))
    assert done.code == 1


def test_validate_ours(program: Program):
    """The shipped experiment is valid for chaostoolkit and for us."""
    done = program.chaos("validate", str(SHIPPED))
    assert done.code == 0, done.err
    assert "3 faults" in done.out
    assert not program.state.exists()


def test_discover(program: Program):
    """Every action and probe with the types of its arguments, also in an editable install; nothing is installed."""
    log = program.folder / "pip.log"
    done = program.chaos("discover", "resilience", PIP_LOG=str(log))
    assert done.code == 0, done.err
    found = json.loads((program.folder / "discovery.json").read_text())
    activities = {one["name"]: one for one in found["activities"]}
    assert {name: one["type"] for name, one in activities.items()} == {
        **dict.fromkeys(("hold_fault", "hold_faults", "begin_fault", "end_fault", "strike", "observe"), "action"),
        "objectives_met": "probe",
        "degraded_gracefully": "probe",
        "recovered": "probe",
        "no_data_lost": "probe",
    }
    arguments = {one["name"]: one["type"] for one in activities["hold_fault"]["arguments"]}
    assert arguments == {
        "name": "string",
        "kind": "string",
        "part": "string",
        "duration": "string",
        "settings": "mapping",
        "cycles": "integer",
        "rest": "string",
        "pick": "string",
    }
    assert {one["return_type"] for one in activities.values()} == {"mapping", "boolean"}
    assert all(one["doc"] for one in activities.values())
    assert not log.exists(), "pip was not asked"


def test_discover_writes_where_it_is_told(program: Program):
    """`--discovery-path` is understood."""
    assert program.chaos("discover", "resilience", "--discovery-path", "here.json").code == 0
    assert (program.folder / "here.json").exists()


@contextmanager
def counting_proxy() -> Iterator[tuple[str, list[bytes]]]:
    """A proxy that only counts who asks."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.settimeout(1.0)
                    asked.append(connection.recv(1000))

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}", asked
        finally:
            over.set()
            thread.join()


def test_nobody_is_asked_over_the_network(program: Program):
    """No version check for our files; the same proxy does see the check that the stock command makes."""
    name, other = program.write(short("redis-down")), program.write(stock(), "stock.yaml")
    with counting_proxy() as (address, asked):
        env = {"HTTP_PROXY": address, "HTTPS_PROXY": address, "https_proxy": address, "http_proxy": address}
        assert program.chaos("validate", name, **env).code == 0
        assert program.chaos("discover", "resilience", **env).code == 0
        assert asked == []
        program.chaos("validate", other, **env)
    assert asked, "otherwise this test would not see anything"

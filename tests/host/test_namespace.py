"""Namespaces of the network: a command run again in one of its own, as somebody who may not change the network here."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from resilience.host import commands, namespace, nftables

needs_namespaces = pytest.mark.skipif(bool(namespace.obstacle()), reason=f"needs namespaces: {namespace.obstacle()}")


def powerless() -> list[str]:
    """Words before a command so that it runs without the right to change the network."""
    if not namespace.may_change_network():
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("needs the program setpriv (util-linux) to give up a right")
    return ["setpriv", "--bounding-set", "-net_admin"]


AGAIN = """
import json, os, socket, sys
from resilience.host import commands, namespace, nftables
namespace.enter()
with socket.create_server(("127.0.0.1", 0)): pass
print(json.dumps([namespace.may_change_network(), namespace.current(), os.environ.get(namespace.MARK),
                  os.getuid(), sys.argv[1:]]), flush=True)
if "wait" in sys.argv: sys.stdin.read()
"""


def run_again(*words: str) -> "subprocess.Popen[str]":
    environment = {name: value for name, value in os.environ.items() if name != namespace.MARK}
    return subprocess.Popen(
        [*powerless(), sys.executable, "-c", AGAIN, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )


@pytest.fixture
def inside() -> Iterator[list[object]]:
    """A process in a namespace of its own; what it said of it."""
    process = run_again("one", "two words", "wait")
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
    finally:
        process.communicate("", timeout=10)


@needs_namespaces
def test_the_command_is_run_again_once(inside: list[object]):
    """Same words, same user, a network of its own with loopback, and the right to change it (Requirement F3)."""
    may, current, came_from, uid, words = inside
    assert may is True
    assert current != namespace.current()
    assert came_from == namespace.current()
    assert uid == os.getuid()
    assert words == ["one", "two words", "wait"]


@needs_namespaces
def test_it_can_be_reached_from_outside_while_it_lives(inside: list[object]):
    """Whoever settles debts from outside finds the namespace by its name and can look and remove there."""
    there = str(inside[1])
    assert namespace.within(there)
    if shutil.which("nft") is None:
        pytest.skip("needs nftables")
    assert not nftables.exists("inet", "resilience-fault-none", there)
    nftables.remove("inet", "resilience-fault-none", there)


@needs_namespaces
@pytest.mark.skipif(shutil.which("nft") is None, reason="needs nftables")
def test_whoever_made_it_can_join_it(inside: list[object]):
    """Without any right outside, its maker may change the network inside, as `resilience reap` has to."""
    there = str(inside[1]).partition("@")[0]
    pid = next(entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit() and there in network_of(entry))
    join = [sys.executable, "-P", "-m", "resilience.host.namespace", "--join", pid]
    for words in (["add", "table", "inet", "tests"], ["delete", "table", "inet", "tests"]):
        done = commands.run([*join, "nft", *words], timeout_s=20.0)
        assert (done.code, done.err) == (0, "")


def network_of(entry: Path) -> str:
    try:
        return str((entry / "ns" / "net").readlink())
    except OSError:
        return ""


@needs_namespaces
def test_without_processes_it_is_gone():
    """Nothing is owed to a namespace in which no process is left, or to one of another boot."""
    process = run_again()
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    there = out.split('"')[1]
    deadline = time.monotonic() + 5
    while namespace.within(there) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert namespace.within(namespace.current().replace("@", "@another-boot-")) is None
    assert not nftables.exists("inet", "resilience-fault-none", there)
    nftables.remove("inet", "resilience-fault-none", there)


def test_here_is_here():
    """A command for the namespace that we are in needs nothing before it."""
    assert namespace.within(namespace.current()) == ()


def test_who_may_need_not():
    """Whoever may change the network stays where they are; whoever may not is told what would help."""
    problem = namespace.lacking()
    if namespace.may_change_network():
        assert problem is None
        namespace.enter()
    else:
        assert problem is not None
        assert "root" in problem.hint

"""Groups of version 2, by a controller that limits nothing here; version 1 is tried with the faults that use it."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from resilience.errors import FaultError
from resilience.host import cgroups, processes
from resilience.host.cgroups import Tree

CONTROLLERS = ("hugetlb", "pids", "memory", "cpu", "io")


@pytest.fixture
def tree() -> Tree:
    """A tree of version 2 that can be written, with some controller."""
    for controller in CONTROLLERS:
        found = cgroups.find_tree(controller)
        if found and found.version == 2 and os.access(found.mount / "cgroup.subtree_control", os.W_OK):
            return found
    pytest.skip("needs control groups of version 2 that can be written, with a controller")


@pytest.fixture
def home(tree: Tree) -> Iterator[Path]:
    """A group beside which others can be made, in one of its own, with the controller given to both."""
    outer = tree.mount / f"tests-{secrets.token_hex(4)}"
    given = tree.controller in (tree.mount / "cgroup.subtree_control").read_text().split()
    with ExitStack() as undone:
        if not given:
            (tree.mount / "cgroup.subtree_control").write_text(f"+{tree.controller}")
            undone.callback((tree.mount / "cgroup.subtree_control").write_text, f"-{tree.controller}")
        for path in (outer, outer / "home"):
            path.mkdir()
            undone.callback(path.rmdir)
        yield outer / "home"


@pytest.fixture
def sleeping(home: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Two processes in that group."""
    started = [subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) for _ in range(2)]
    try:
        for process in started:
            cgroups.move(process.pid, home)
        yield started
    finally:
        for process in started:
            process.kill()
            process.wait()


def test_beside_and_back(tree: Tree, home: Path, sleeping: list[subprocess.Popen[bytes]]):
    """Ours is made beside the group; the controller is given for it and taken back; the process goes back (F4)."""
    root = processes.identify(sleeping[0].pid)
    assert root is not None
    assert cgroups.lacking(tree.controller, root) is None
    group = cgroups.plan(tree, f"{cgroups.PREFIX}{secrets.token_hex(4)}", root, {})
    assert Path(group.path).parent == home.parent
    assert group.enable == tree.controller
    again = cgroups.group_from(cgroups.as_json(group))
    assert again == group
    again.remove()  # harmless before it is made
    again.make()
    again.enter(root)
    try:
        assert again.pids() == {root.pid}
        assert tree.controller in (home.parent / "cgroup.subtree_control").read_text().split()
        assert Path(group.path) in cgroups.leftovers()
        with pytest.raises(FaultError, match="already"):
            cgroups.plan(tree, "another", root, {})
    finally:
        again.remove()
    assert not again.exists()
    assert tree.group_of(root.pid) == home
    assert tree.controller not in (home.parent / "cgroup.subtree_control").read_text().split()
    again.remove()


def test_the_last_of_a_group_is_not_moved(tree: Tree, sleeping: list[subprocess.Popen[bytes]]):
    """A group that would be empty is left alone: its unit would be taken for ended."""
    root = processes.identify(sleeping[0].pid)
    sleeping[1].kill()
    sleeping[1].wait()
    assert root is not None
    with pytest.raises(FaultError, match="nothing would be left"):
        cgroups.plan(tree, "another", root, {})


def test_a_process_that_is_gone_has_no_group(tree: Tree):
    """Looking for what is not there finds nothing, and does not raise."""
    assert tree.group_of(2**22 + 1) is None
    assert cgroups.move(2**22 + 1, tree.mount) is False


def test_expecting_moves_changes_nothing():
    """Whatever trees there are, and whether or not they may be written: everybody stays where they are."""
    before = Path("/proc/self/cgroup").read_text()
    for controller in CONTROLLERS:
        found = cgroups.find_tree(controller)
        if found is not None:
            cgroups.expect_moves(found)
            missing = Tree(found.controller, found.version, Path("/nowhere"), found.root)
            cgroups.expect_moves(missing)
    assert Path("/proc/self/cgroup").read_text() == before

"""Run folders."""

import os
import pwd
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest

from resilience.errors import EnvironmentNotReady
from resilience.record.folder import LATEST, create, discard, point_latest

AT = datetime(2026, 5, 20, 10, 11, 12, tzinfo=UTC)


def test_folder_is_named_by_time_and_experiment(tmp_path):
    """The name sorts by time and says which experiment it was; only its owner can read it."""
    run = create(tmp_path / "deep" / "runs", "redis-failure", at=AT)
    assert run == tmp_path / "deep" / "runs" / "20260520T101112Z-redis-failure"
    assert run.stat().st_mode & 0o777 == 0o700


def test_time_is_utc(tmp_path):
    """Runs of machines in different time zones sort together."""
    local = AT.astimezone(timezone(timedelta(hours=5)))
    assert create(tmp_path, "x", at=local).name == "20260520T101112Z-x"


def test_runs_of_the_same_second_are_apart(tmp_path):
    """No run writes into the folder of another."""
    names = [create(tmp_path, "x", at=AT).name for _ in range(3)]
    assert names == ["20260520T101112Z-x", "20260520T101112Z-x-2", "20260520T101112Z-x-3"]


def test_name_cannot_leave_the_folder(tmp_path):
    """Whatever the experiment is called, its run is inside the folder of runs."""
    run = create(tmp_path / "runs", "../../etc/pass wd", at=AT)
    assert run.parent == tmp_path / "runs"
    assert run.name == "20260520T101112Z-..-..-etc-pass-wd"


def test_latest_points_at_the_newest(tmp_path):
    """`runs/latest` is the newest run, by a relative link, so the folder of runs can be moved."""
    create(tmp_path, "one", at=AT)
    newest = create(tmp_path, "two", at=AT)
    assert (tmp_path / LATEST).resolve() == newest
    assert not (tmp_path / LATEST).readlink().is_absolute()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "20260520T101112Z-one",
        "20260520T101112Z-two",
        "latest",
    ]


def test_latest_survives_a_leftover(tmp_path):
    """A link left half made by a killed process does not stop the next run."""
    (tmp_path / f".{LATEST}.{os.getpid()}.new").symlink_to("nowhere")
    run = create(tmp_path, "x", at=AT)
    point_latest(tmp_path, run)
    assert (tmp_path / LATEST).resolve() == run


def test_no_space_is_refused_and_nothing_is_left(tmp_path):
    """Too little disk space is said before anything is made, with value, expectation and hint."""
    with pytest.raises(EnvironmentNotReady, match=r"MB are free, at least 1000000000000 MB were expected \(delete old"):
        create(tmp_path / "runs", "x", at=AT, need_bytes=10**18)
    assert list(tmp_path.iterdir()) == []


def test_file_in_the_way_is_refused_and_nothing_is_left(tmp_path):
    """A file where the folder of runs should be is one message, not a traceback."""
    (tmp_path / "runs").write_text("")
    with pytest.raises(EnvironmentNotReady, match="a folder was expected that this user can write"):
        create(tmp_path / "runs", "x", at=AT)
    assert (tmp_path / "runs").read_text() == ""


def test_folder_called_latest_is_refused_and_nothing_is_left(tmp_path):
    """Somebody's own folder named `latest` is neither replaced nor is a run begun that nobody finds."""
    (tmp_path / "runs" / LATEST).mkdir(parents=True)
    with pytest.raises(EnvironmentNotReady, match="run folder cannot be made"):
        create(tmp_path / "runs", "x", at=AT)
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [LATEST]


def test_folder_of_somebody_else_is_refused(tmp_path):
    """A folder that this user cannot write is refused, and nothing is left in it (tried as another user if root)."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    program = (
        "import os, sys, pathlib, datetime\n"
        "from resilience.record.folder import create\n"
        "from resilience.errors import EnvironmentNotReady\n"
        "if os.geteuid() == 0: os.setgroups([]); os.setgid(int(sys.argv[3])); os.setuid(int(sys.argv[2]))\n"
        "try: create(pathlib.Path(sys.argv[1]), 'x', at=datetime.datetime.now(datetime.UTC))\n"
        "except EnvironmentNotReady as error: print(error)\n"
    )
    nobody = pwd.getpwnam("nobody")
    ours = [parent for parent in closed.parents if parent.name.startswith(("test_", "popen-", "pytest-"))]
    for folder in (closed, *ours):
        folder.chmod(folder.stat().st_mode | 0o055)
    arguments = [str(closed / "runs"), str(nobody.pw_uid), str(nobody.pw_gid)]
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    assert "Permission denied" in done.stdout
    assert list(closed.iterdir()) == []


def test_discarded_run_leaves_nothing(tmp_path):
    """A run that never began is gone with everything in it, and no link points at where it was."""
    run = create(tmp_path, "x", at=AT)
    (run / "samples").mkdir()
    (run / "samples" / "part").write_bytes(b"something")
    discard(tmp_path, run)
    assert list(tmp_path.iterdir()) == []


def test_latest_is_the_run_before_the_discarded_one(tmp_path):
    """The record that `latest` was about before is found again, by any name, not the discarded one."""
    create(tmp_path, "zebra", at=AT)
    kept = create(tmp_path, "a", at=AT + timedelta(hours=1))
    discard(tmp_path, create(tmp_path, "m", at=AT + timedelta(hours=2)))
    assert (tmp_path / LATEST).resolve() == kept


def test_discarding_leaves_a_newer_run_alone(tmp_path):
    """Two runs at once: the one that never began does not take `latest` from the other."""
    mine = create(tmp_path, "mine", at=AT)
    theirs = create(tmp_path, "theirs", at=AT + timedelta(seconds=1))
    discard(tmp_path, mine)
    assert (tmp_path / LATEST).resolve() == theirs
    assert theirs.is_dir()


def test_discarding_twice_is_harmless(tmp_path):
    """What is gone already is no error."""
    run = create(tmp_path, "x", at=AT)
    discard(tmp_path, run)
    discard(tmp_path, run)
    assert not (tmp_path / LATEST).is_symlink()

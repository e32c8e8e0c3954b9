import contextlib
import os
import secrets
import shutil
import socket
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from resilience.errors import EnvironmentNotReady
from resilience.host import commands, files, processes
from resilience.model import Service
from resilience.stack import fetch, programs
from resilience.stack.embedded import EmbeddedStack, project_folder
from resilience.stack.loopback import HOST, Reservation, get
from tests.stack.traces import HERE, plain_service, remains

pytestmark = pytest.mark.stack


def sql(place, query):
    """Ask PostgreSQL itself, as the truth is read."""
    with psycopg.connect(place.dsn, passfile=place.passfile) as connection:
        return connection.execute(query).fetchone()


@pytest.fixture(scope="module")
def running():
    """One stack for the tests that only look at it."""
    stack = EmbeddedStack(plain_service(), tag=f"test-{secrets.token_hex(4)}", experiment_folder=HERE)
    stack.start()
    yield stack
    stack.stop()


def test_a_started_stack_is_healthy_and_a_stopped_one_is_gone(make_stack):
    """Every part serves when start returns; afterwards there is no process, no folder and no port."""
    stack = make_stack(plain_service(), bugs="B01")
    stack.start()
    places = stack.places()
    assert set(places) == {"postgres", "redis", "toxiproxy", "service"}
    assert sql(places["postgres"], "SELECT 1") == (1,)
    assert get(places["service"].port, "/ready") == (200, b'{"bugs": "B01"}')
    password = (stack.folder / "redis.password").read_text()
    for port in (places["redis"].port, places["redis"].via_port):
        with redis.Redis(port=port, password=password) as client:
            assert client.ping()
    assert all(processes.alive(place.identity) for place in places.values())
    stack.stop()
    assert remains(stack.debt_data()) == []
    for place in places.values():
        for port in (place.port, place.via_port):
            with socket.socket() as probe:
                assert probe.connect_ex((HOST, port)) != 0
    assert stack.places() == {}
    stack.stop()


def test_the_reference_target_runs_on_it(make_stack):
    """The service of the repository is ready when start returns."""
    stack = make_stack(Service(command=("python", "-m", "fixtures.target")))
    stack.start()
    assert get(stack.places()["service"].port, "/ready")[0] == 200


def test_durability_is_not_weakened(running):
    """A stack that does not fsync would hide lost writes (Requirement J4). The service is no superuser."""
    postgres = running.places()["postgres"]
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        assert sql(postgres, f"SHOW {setting}") == ("on",)
    assert sql(postgres, "SELECT rolsuper FROM pg_roles WHERE rolname = 'shop'") == (False,)
    assert sql(postgres, "SHOW listen_addresses") == (HOST,)


def test_the_stores_let_nobody_in_without_their_password(running):
    """Not even on the loopback address; passwords differ from stack to stack."""
    places = running.places()
    for user in ("postgres", "shop"):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(host=HOST, port=places["postgres"].port, user=user, passfile="/nowhere").close()
    with (
        redis.Redis(port=places["redis"].port, retry=Retry(NoBackoff(), 0)) as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.ping()


def test_no_secret_is_where_others_can_read_it(running):
    """Not in the state file, a command line or an environment; files and folder are ours alone."""
    hidden = [(running.folder / "redis.password").read_bytes()]
    hidden += [path.read_bytes().strip().rpartition(b":")[2] for path in running.folder.glob("*.pgpass")]
    assert len(hidden) == 3
    assert all(len(secret) >= 24 for secret in hidden)
    shown = (running.folder / "stack.json").read_bytes()
    for place in running.places().values():
        shown += b"".join(Path(f"/proc/{place.identity.pid}/{name}").read_bytes() for name in ("cmdline", "environ"))
    shown += b"".join(path.read_bytes() for path in running.folder.glob("*.log"))
    assert not any(secret in shown for secret in hidden)
    for name in ("redis.password", "redis.conf", "admin.pgpass", "shop.pgpass"):
        assert (running.folder / name).stat().st_mode & 0o077 == 0
    assert running.folder.stat().st_mode & 0o007 == 0


def test_the_state_file_tells_how_to_start_a_part_again(make_stack):
    """A server that was killed is started again from its launch, on its port, and its identity is another one."""
    stack = make_stack()
    stack.start()
    before = stack.places()["redis"]
    assert before.state == str(stack.folder / "stack.json")
    processes.end([before.identity])
    again = processes.start(before.launch)
    assert again != before.identity
    password = (stack.folder / "redis.password").read_text()
    for _ in range(100):
        if not (stack.folder / "redis.log").read_text().count("Ready to accept") < 2:
            break
        processes.wait_gone([again], 0.02)
    with redis.Redis(port=before.via_port, password=password) as client:
        assert client.ping()


def test_servers_that_do_not_start_are_all_reported_and_nothing_is_left(make_stack, script, root):
    """PostgreSQL and Redis both fail: two problems, each with the last words of its program."""
    cache = script("redis", '[ "$1" = --version ] && echo "Redis server v=1.2.3" || { echo "no cache today"; exit 1; }')
    real = programs.find("postgres").path
    server = script("postgres", f'[ "$1" = --version ] && exec {real} --version; echo "disk on fire"; exit 1', root)
    script("initdb", f'exec {real.with_name("initdb")} "$@"', root)
    named = {"RESILIENCE_REDIS_SERVER": str(cache), "RESILIENCE_POSTGRES": str(server)}
    stack = make_stack(environment={**os.environ, **named})
    with pytest.raises(EnvironmentNotReady) as caught:
        stack.start()
    said = {problem.where: problem.message for problem in caught.value.problems}
    assert set(said) == {"redis", "postgres"}
    assert "no cache today" in said["redis"]
    assert "disk on fire" in said["postgres"]
    assert remains(stack.debt_data()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only as root does PostgreSQL run as another user")
def test_a_server_that_its_user_cannot_reach_is_said_so(make_stack, script, tmp_path):
    """A program that is not complete in its folder is not copied: the folder may be anybody's home."""
    real = programs.find("postgres").path
    tmp_path.chmod(0o700)
    server = script("postgres", f'exec {real} "$@"')
    script("initdb", f'exec {real.with_name("initdb")} "$@"')
    stack = make_stack(environment={**os.environ, "RESILIENCE_POSTGRES": str(server)})
    with pytest.raises(EnvironmentNotReady, match=f"can run neither {server} nor a copy"):
        stack.start()
    assert remains(stack.debt_data()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only as root does PostgreSQL run as another user")
def test_a_temporary_folder_that_the_server_s_user_cannot_enter_is_said_so(make_stack, tmp_path):
    """Not PostgreSQL's own words, which do not say what to do."""
    tmp_path.chmod(0o700)
    with pytest.raises(EnvironmentNotReady, match=f"who cannot enter {tmp_path} .*TMPDIR"):
        make_stack(folder_root=tmp_path).start()


def test_a_folder_that_cannot_be_used_is_named(make_stack, tmp_path):
    """A file stands where the folder should be; nothing is started."""
    (tmp_path / "file").write_text("")
    stack = make_stack(folder_root=tmp_path / "file")
    with pytest.raises(EnvironmentNotReady, match=str(stack.folder)):
        stack.start()


def test_a_folder_that_is_there_already_is_not_taken_over(make_stack):
    """Whoever made it may be an attacker, or another stack."""
    stack = make_stack()
    stack.folder.mkdir()
    (stack.folder / "theirs").write_text("")
    with pytest.raises(EnvironmentNotReady, match="is there already"):
        stack.start()


def test_a_service_that_exits_at_once_is_reported_with_its_last_words(make_stack):
    """Quickly, not after its time limit; nothing is left."""
    stack = make_stack(plain_service("exit"))
    with pytest.raises(EnvironmentNotReady, match=r"service: ended .* there is no shop today"):
        stack.start()
    assert remains(stack.debt_data()) == []


def test_a_service_that_is_never_ready_is_reported_with_its_answer(make_stack):
    """After its own time limit; nothing is left."""
    stack = make_stack(plain_service("never", start_timeout_s=0.7))
    with pytest.raises(EnvironmentNotReady, match=r"not ready within 0\.7 s: GET /ready was answered 503.*for ever"):
        stack.start()
    assert remains(stack.debt_data()) == []


def test_a_command_that_is_not_there_is_named(make_stack):
    """The program as it was written."""
    stack = make_stack(Service(command=("no-such-shop",)))
    with pytest.raises(EnvironmentNotReady, match="service: no-such-shop cannot be started"):
        stack.start()
    assert remains(stack.debt_data()) == []


class Intruder:
    """Takes ports for a stack, and for the first attempts sits on one of them."""

    def __init__(self, attempts):
        self.attempts = attempts
        self.sockets = []

    def __call__(self, count):
        """Take ports."""
        held = Reservation(count)
        if len(self.sockets) < self.attempts:
            taken = socket.socket()
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind((HOST, held.ports[len(self.sockets)]))
            taken.listen()
            self.sockets.append(taken)
        return held

    def close(self):
        """Get off."""
        for taken in self.sockets:
            taken.close()


def test_a_port_that_somebody_took_meanwhile_is_replaced(make_stack):
    """First PostgreSQL's port, then that of its proxy; the third attempt works."""
    intruder = Intruder(2)
    stack = make_stack(reserve=intruder)
    stack.start()
    assert len(intruder.sockets) == 2
    assert sql(stack.places()["postgres"], "SELECT 1") == (1,)
    intruder.close()


def test_ports_that_are_always_taken_are_an_error_with_the_server_s_words(make_stack):
    """It does not try for ever, and leaves nothing."""
    intruder = Intruder(99)
    stack = make_stack(reserve=intruder)
    with pytest.raises(EnvironmentNotReady, match="ddress already in use"):
        stack.start()
    assert len(intruder.sockets) == 3
    assert remains(stack.debt_data()) == []
    intruder.close()


def test_a_wheel_that_the_server_s_user_may_not_read_works_and_a_cold_cache_too(make_stack, tmp_path, monkeypatch):
    """As root PostgreSQL runs as another user, who cannot enter a checkout below /root. Nothing is in the cache."""
    wheel = programs.find("postgres", environment={**os.environ, "RESILIENCE_PROGRAMS": "wheels"}).path
    package = wheel.parents[2]
    copy = tmp_path / "lib" / package.name / wheel.parents[1].name
    shutil.copytree(wheel.parents[1], copy, ignore=shutil.ignore_patterns("include"))
    shutil.copytree(package.with_name(f"{package.name}.libs"), tmp_path / "lib" / f"{package.name}.libs")
    tmp_path.chmod(0o700)
    proxy = programs.find("toxiproxy-server").path
    monkeypatch.setenv("RESILIENCE_CACHE", str(tmp_path / "cache"))
    named = {
        "RESILIENCE_POSTGRES": str(copy / "bin" / "postgres"),
        "RESILIENCE_TOXIPROXY_SERVER": str(proxy),
    }
    stack = make_stack(environment={**os.environ, **named})
    stack.start()
    postgres = stack.places()["postgres"]
    assert sql(postgres, "SELECT 1") == (1,)
    own = Path(f"/proc/{postgres.identity.pid}").stat().st_uid
    assert own != 0
    if os.geteuid() == 0:
        assert postgres.launch.argv[0].startswith(str(stack.folder))
    assert len(list((tmp_path / "cache" / "templates").iterdir())) == 1


def reachable_python():
    """A Python that an ordinary user can run with our packages, and what that needs in the environment."""
    packages = ":".join(entry for entry in sys.path if entry.startswith("/"))
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/bin/python{version}", f"/usr/local/bin/python{version}"):
        with contextlib.suppress(EnvironmentNotReady):
            done = commands.run(
                [python, "-c", "import resilience.stack.kept"],
                timeout_s=20,
                user="nobody",
                folder=Path("/"),
                environment={"PYTHONPATH": packages, "PATH": os.environ["PATH"]},
            )
            if done.code == 0:
                return python, {"PYTHONPATH": packages}
    pytest.skip(f"an ordinary user cannot run {sys.executable}, and there is no other Python {version}")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become an ordinary user")
def test_an_ordinary_user_can_start_and_stop_it():
    """Without root, with a cache and a temporary folder of its own."""
    python, path = reachable_python()
    home = Path(tempfile.mkdtemp(prefix="stop-"))
    try:
        home.chmod(0o700)
        kept = fetch.cached(home / "cache" / "programs")
        kept.parent.mkdir(parents=True)
        shutil.copy(programs.find("toxiproxy-server").path, kept)
        assert commands.run(["chown", "-R", "nobody", home], timeout_s=10).code == 0
        environment = {"PATH": os.environ["PATH"], "HOME": str(home), "RESILIENCE_CACHE": str(home / "cache"), **path}
        tag = f"test-{secrets.token_hex(4)}"
        script = [python, str(HERE / "starter.py"), tag, str(home)]
        done = commands.run(script, timeout_s=60, environment=environment, folder=home, user="nobody")
        assert (done.code, done.err) == (0, "")
        assert "up ['postgres', 'redis', 'service', 'toxiproxy']" in done.out
        assert remains({"folder": str(home / f"resilience-{tag}"), "tag": tag}) == []
    finally:
        shutil.rmtree(home)


def test_the_project_folder_is_the_nearest_with_a_pyproject(tmp_path):
    """Else the experiment's own folder."""
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    (tmp_path / "a" / "pyproject.toml").write_text("")
    assert project_folder(tmp_path / "a" / "b" / "c") == tmp_path / "a"
    alone = Path(files.cache_folder().root)
    assert project_folder(alone) == alone


def test_a_tag_that_could_be_a_path_is_refused(make_stack):
    """The tag becomes part of the name of a folder that is removed."""
    stack = make_stack()
    for tag in ("", "../../etc", "a b", "x" * 64):
        with pytest.raises(ValueError, match="tag"):
            type(stack)(None, tag=tag, experiment_folder=HERE)

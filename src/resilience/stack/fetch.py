"""Gets toxiproxy-server into our cache: the pinned official release by download, or the same version by `go install`.

Nothing is kept unless it is what was pinned. A download whose SHA-256 is another one is an error that is shown, never a
reason to try the next way: somebody may be tampering. Concurrent callers wait for each other and share the result.
"""

import contextlib
import fcntl
import hashlib
import io
import os
import platform
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import requests

from resilience.errors import EnvironmentNotReady
from resilience.host import commands
from resilience.model import Problem

VERSION = "2.12.0"
MODULE = f"github.com/Shopify/toxiproxy/v2/cmd/server@v{VERSION}"
OFFICIAL = "https://github.com/Shopify/toxiproxy/releases/download"
MEMBER = "toxiproxy-server"
MAX_BYTES = 64 * 1024 * 1024
"""More than this is not the release: it has about 5 MB packed, 12 MB unpacked."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the pinned release: its path below the base address, and the SHA-256 that it must have."""

    path: str
    sha256: str


ASSETS: Mapping[str, Asset] = {
    "x86_64": Asset(
        f"v{VERSION}/toxiproxy_{VERSION}_linux_amd64.tar.gz",
        "65e042d3fc2290c099527bc506446a6fd863a09f113b8944b636ece70221c2b3",
    ),
    "aarch64": Asset(
        f"v{VERSION}/toxiproxy_{VERSION}_linux_arm64.tar.gz",
        "ab417dafc77ae8b54ec8461cc5da5180d0465a61dcbda86c72da72ee4ab843b7",
    ),
}
"""The one place where releases are pinned: machine, as `uname -m` names it, → asset."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a download may take, in seconds: to connect, between two pieces, and in all."""

    connect_s: float = 3.0
    silence_s: float = 10.0
    total_s: float = 120.0


class Unavailable(Exception):  # noqa: N818 - it says that another way must be tried, not that something is wrong
    """This way of getting the program does not work here; the text says why."""


def cached(folder: Path) -> Path:
    """Where the program is once it was fetched; `folder` is our cache's folder of programs."""
    return folder / f"toxiproxy-{VERSION}" / MEMBER


def download(
    folder: Path,
    environment: Mapping[str, str],
    *,
    assets: Mapping[str, Asset] = ASSETS,
    machine: str = "",
    limits: Limits = Limits(),
) -> Path:
    """Download the pinned release into the cache and return the program in it.

    Raises:
        Unavailable: there is no release for this machine, no way to the server, or not the whole file came.
        EnvironmentNotReady: a whole file came and is not the one that was pinned.
    """
    machine = machine or platform.machine()
    if machine not in assets:
        raise Unavailable(f"there is no pinned release for {machine!r} machines, only for {', '.join(sorted(assets))}")
    asset = assets[machine]
    url = f"{environment.get('RESILIENCE_DOWNLOADS') or OFFICIAL}/{asset.path}"
    with _alone(folder):
        program = cached(folder)
        if program.exists():
            return program
        packed = _get(url, limits)
        digest = hashlib.sha256(packed).hexdigest()
        if digest != asset.sha256:
            raise EnvironmentNotReady(
                Problem(
                    where=url,
                    message=f"the file has SHA-256 {digest}, but {asset.sha256} was expected; it was thrown away",
                    hint="find out who changes your downloads, or install toxiproxy-server and name it in "
                    "RESILIENCE_TOXIPROXY_SERVER",
                )
            )
        return _keep(_member(packed, url), program)


def _get(url: str, limits: Limits) -> bytes:
    """The body of a good answer, whole, within the limits."""
    deadline = time.monotonic() + limits.total_s
    body = bytearray()
    try:
        with requests.get(url, timeout=(limits.connect_s, limits.silence_s), stream=True) as answer:
            if answer.status_code != requests.codes.ok:
                raise Unavailable(f"{url} answered {answer.status_code} {answer.reason}")
            for piece in answer.iter_content(64 * 1024):
                body += piece
                if len(body) > MAX_BYTES:
                    raise Unavailable(f"{url} sends more than {MAX_BYTES} bytes; that is not the release")
                if time.monotonic() > deadline:
                    raise Unavailable(f"{url} did not send everything within {limits.total_s:g} s")
    except requests.RequestException as error:
        raise Unavailable(f"{url}: {_innermost(error)}") from error
    return bytes(body)


def _innermost(error: BaseException) -> str:
    """The message of the first cause, which says more than the layers around it."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return str(error) or type(error).__name__


def _member(packed: bytes, url: str) -> bytes:
    """The program in the archive, read in memory: no path of the archive ever reaches the disk."""
    try:
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
            for entry in archive:
                if entry.isreg() and Path(entry.name).name == MEMBER and entry.size <= MAX_BYTES:
                    stream = archive.extractfile(entry)
                    return stream.read() if stream is not None else b""
    except (tarfile.TarError, OSError, EOFError) as error:
        raise Unavailable(f"{url} is not a readable archive: {error}") from error
    raise Unavailable(f"{url} has no {MEMBER} in it")


def _keep(content: bytes, program: Path) -> Path:
    """Put the program into the cache as a whole, or not at all."""
    program.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=program.parent, prefix=".new-")
    beside = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        beside.chmod(0o755)
        beside.replace(program)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    return program


def go_install(folder: Path, environment: Mapping[str, str], *, timeout_s: float = 300.0) -> Path:
    """Build the pinned version with the Go that is on PATH, and keep the program only.

    `go` checks the module against its checksum database. Modules and objects go to a folder that is removed afterwards.

    Raises:
        Unavailable: there is no Go, or the build failed.
    """
    go = shutil.which("go", path=environment.get("PATH", ""))
    if go is None:
        raise Unavailable("there is no `go` on PATH")
    with _alone(folder):
        program = cached(folder)
        if program.exists():
            return program
        work = Path(tempfile.mkdtemp(dir=folder, prefix=".go-"))
        try:
            places = {"GOBIN": "bin", "GOPATH": "path", "GOMODCACHE": "mod", "GOCACHE": "objects"}
            done = commands.run(
                [go, "install", MODULE],
                timeout_s=timeout_s,
                folder=work,
                environment={
                    **environment,
                    **{name: str(work / place) for name, place in places.items()},
                    "CGO_ENABLED": "0",
                    # Without it the modules are read-only and cannot be removed.
                    "GOFLAGS": f"{environment.get('GOFLAGS', '')} -modcacherw".strip(),
                },
            )
            if done.code != 0:
                last = " / ".join(done.err.strip().splitlines()[-3:])
                raise Unavailable(f"`go install {MODULE}` ended with {done.code}: {last}")
            return _keep((work / "bin" / "server").read_bytes(), program)
        except EnvironmentNotReady as error:
            raise Unavailable(str(error)) from error
        finally:
            shutil.rmtree(work, ignore_errors=True)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One fetch at a time per cache; the kernel gives the lock back if its holder dies."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

"""A Docker engine for tests: the one that is there, or one of our own, out of everybody's sight.

Our own runs in mount and network namespaces of its own, so that neither its mounts nor its bridges are seen outside.
Whoever talks to a container's address does so from a thread that has entered the engine's network.
"""

import ctypes
import io
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from resilience.faults.engine import Engine
from resilience.host import commands, processes
from resilience.model import Place

IMAGE = "resilience-tests-tiny"
_CLONE_NEWNET = 0x4000_0000


def missing() -> str:
    """Why this machine cannot run an engine of ours."""
    programs = [
        name for name in ("docker", "dockerd", "containerd", "runc", "unshare", "busybox") if not shutil.which(name)
    ]
    if programs:
        return f"needs the programs {', '.join(programs)} (packages docker.io and busybox-static)"
    if os.geteuid() != 0:
        return "needs root, to start an engine"
    return ""


@dataclass(frozen=True)
class Docker:
    """A running engine."""

    process: int

    def call(self, *words: str) -> str:
        """A command to it."""
        return Engine(Engine.here()).call(*words, limit_s=30)

    def inside(self, act: Callable[[], None]) -> None:
        """Do something in a thread that is in the engine's network."""

        def enter() -> None:
            handle = os.open(f"/proc/{self.process}/ns/net", os.O_RDONLY)
            try:
                if ctypes.CDLL(None, use_errno=True).setns(handle, _CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            finally:
                os.close(handle)
            act()

        with ThreadPoolExecutor(1) as pool:
            pool.submit(enter).result()

    @contextmanager
    def container(self, *options: str, network: str) -> Iterator[Place]:
        """A container with a small web server."""
        name = f"resilience-tests-{time.monotonic_ns()}"
        self.call(
            "run", "--detach", "--name", name, "--network", network, *options, IMAGE, "/bin/httpd", "-f", "-h", "/www"
        )
        try:
            template = f"{{{{(index .NetworkSettings.Networks {network!r}).IPAddress}}}}".replace("'", '"')
            address = self.call("inspect", "--format", template, name)
            yield Place(
                name="web",
                host=address,
                port=80,
                via_port=80,
                url=f"http://{address}",
                ready="/",
                protocol="http",
                container=name,
            )
        finally:
            self.call("rm", "--force", name)


@contextmanager
def engine(folder: Path) -> Iterator[Docker]:
    """Start an engine of ours with one image; the environment must say `DOCKER_HOST=unix://FOLDER/socket`."""
    told = ("--data-root", "data", "--exec-root", "exec", "--pidfile", "pid", "--host", "unix://socket")
    words = [str(folder / word) if word in {"data", "exec", "pid"} else word for word in told]
    words[-1] = f"unix://{folder}/socket"
    bare = ("--bridge=none", "--iptables=false", "--ip-masq=false", "--storage-driver=vfs")
    with (folder / "log").open("wb") as log:
        started = subprocess.Popen(
            [shutil.which("unshare") or "unshare", "--mount", "--net", "dockerd", *words, *bare],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    root = processes.identify(started.pid)
    assert root is not None
    try:
        deadline = time.monotonic() + 30
        while not (folder / "socket").exists():
            assert started.poll() is None, (folder / "log").read_text()[-500:]
            assert time.monotonic() < deadline, (folder / "log").read_text()[-500:]
            time.sleep(0.05)
        docker = Docker(started.pid)
        (folder / "image.tar").write_bytes(_image())
        docker.call("import", str(folder / "image.tar"), IMAGE)
        yield docker
    finally:
        below = processes.descendants(root)
        processes.end([root], patience_s=10.0)
        processes.end(below, patience_s=1.0)
        started.wait(5)
        commands.run(["rm", "-rf", folder / "data", folder / "exec"], timeout_s=30)


def _image() -> bytes:
    """A file system with busybox and one page."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        tar.add(os.path.realpath(shutil.which("busybox") or ""), "bin/busybox")
        for name in ("sh", "httpd", "sleep"):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        page = tarfile.TarInfo("www/index.html")
        page.size = 3
        tar.addfile(page, io.BytesIO(b"up\n"))
    return stream.getvalue()

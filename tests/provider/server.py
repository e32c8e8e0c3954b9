"""A running stand-in, for tests."""

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resilience.host import processes
from resilience.model import Launch, Place
from resilience.stack import loopback
from tests.faults.parts import eventually


@dataclass(frozen=True)
class Running:
    """A stand-in that listens."""

    place: Place

    def ask(self, method: str, path: str, body: Any = None, token: str = "") -> tuple[int, dict[str, str], bytes]:
        """One request: status, headers in lower case, body."""
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.place.port}{path}"
        request = urllib.request.Request(url, content, {"Content-Type": "application/json"}, method=method)
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own
                return answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, {name.lower(): value for name, value in error.headers.items()}, error.read()

    def say(self, **more: Any) -> Any:
        """The answer to a chat."""
        chat = {"model": "stand-in-small", "messages": [{"role": "user", "content": "hello there"}], **more}
        return self.ask("POST", "/v1/chat/completions", chat)

    @property
    def token(self) -> str:
        """The token of the moment."""
        return Path(self.place.passfile).read_text()

    def put(self, name: str, kind: str, ttl_s: float = 30.0, **settings: Any) -> None:
        """Set a fault."""
        document = {"kind": kind, "ttl_s": ttl_s, "settings": settings}
        assert self.ask("PUT", f"/-/faults/{name}", document, self.token)[0] == 204

    def remove(self, name: str) -> None:
        """Remove a fault."""
        assert self.ask("DELETE", f"/-/faults/{name}", token=self.token)[0] == 204


@contextmanager
def provider(folder: Path) -> Iterator[Running]:
    """Start it; end it surely."""
    reserved = loopback.Reservation(1)
    (port,) = reserved.ports
    reserved.close()
    launch = Launch(
        name="provider",
        argv=(sys.executable, "-m", "resilience.provider"),
        environment={
            "PATH": os.environ["PATH"],
            "PORT": str(port),
            "RESILIENCE_PROVIDER_TOKEN_FILE": str(folder / "token"),
        },
        folder=str(folder),
        log=str(folder / "provider.log"),
        tag=f"tests-provider-{os.getpid()}-{port}",
    )
    identity = processes.start(launch)
    try:
        eventually(lambda: loopback.get(port, "/health")[0] == 200, 20.0)
        place = Place(
            name="provider",
            host="127.0.0.1",
            port=port,
            via_port=port,
            identity=identity,
            launch=launch,
            passfile=str(folder / "token"),
            protocol="http",
            ready="/health",
        )
        yield Running(place)
    finally:
        processes.end(processes.tagged(launch.tag), patience_s=2.0)

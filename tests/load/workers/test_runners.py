"""The door of a master: strangers are told nothing, whatever they say, and change nothing. Requirement L5."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import msgpack
import pytest
import zmq

from resilience import __version__
from resilience.load.drivers.locust import LocustDriver
from resilience.load.workers import hello
from resilience.model import Gathering

TOKEN = "said-in-no-file"


class Stranger:
    """Something that speaks Locust's protocol to a port."""

    def __init__(self, port: int, name: str) -> None:
        self._socket = zmq.Context.instance().socket(zmq.DEALER)
        self._socket.setsockopt(zmq.IDENTITY, name.encode())
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.connect(f"tcp://127.0.0.1:{port}")
        self._name = name

    def say(self, kind: str, data: object, name: str | None = None) -> None:
        """Send a message of Locust's."""
        self._socket.send(msgpack.dumps((kind, data, name or self._name)))

    def send(self, content: bytes) -> None:
        """Send what is no message."""
        self._socket.send(content)

    def heard(self, timeout_s: float = 0.5, most: int = 10) -> list[tuple[str, dict]]:
        """What it was told until nothing came for so long, or it was that much."""
        told = []
        while len(told) < most and self._socket.poll(timeout_s * 1000):
            kind, data, _ = msgpack.loads(self._socket.recv())
            told.append((kind, data))
        return told

    def close(self) -> None:
        """Go."""
        self._socket.close()


@pytest.fixture
def listening() -> Iterator[tuple[LocustDriver, int]]:
    """A master that waits for one worker of another host."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    gathering = Gathering(local=0, remote=1, listen=f"127.0.0.1:{port}", wait_s=60.0, token=TOKEN)
    driver = LocustDriver(f"door-{os.getpid()}", gathering=gathering)
    driver.launch()
    yield driver, port
    driver.close()


def join(port: int, token: str) -> subprocess.Popen[bytes]:
    """A real worker, as a person starts it."""
    argv = [sys.executable, "-m", "resilience.cli", "worker", "--connect", f"127.0.0.1:{port}"]
    return subprocess.Popen(argv, env={**os.environ, "RESILIENCE_WORKER_TOKEN": token}, stderr=subprocess.PIPE)


def test_only_who_knows_the_token_joins(listening):
    """Neither Locust's own greeting, nor another's name, nor a wrong proof, nor rubbish; then a real worker does."""
    driver, port = listening
    wrong = join(port, "wrong")
    made = [Stranger(port, name) for name in ("plain", "liar", "old", "noise")]
    plain, liar, old, noise = made
    ours = hello.text()
    liar.say("resilience.hello", {"text": ours, "version": __version__})
    [(kind, answer)] = liar.heard(30.0, most=1)
    assert kind == "resilience.hello"
    assert hello.proven(answer["proof"], TOKEN, "master", ours, answer["text"])
    liar.say("resilience.proof", {"proof": hello.proof("another", "worker", ours, answer["text"])})
    [(kind, refusal)] = liar.heard()
    assert kind == "resilience.refused"
    assert "token" in refusal["reason"]
    liar.say("resilience.proof", {"proof": hello.proof(TOKEN, "worker", ours, answer["text"])})
    assert [kind for kind, _ in liar.heard()] == ["resilience.refused"]  # one try for each exchange
    plain.say("client_ready", -1)
    plain.say("heartbeat", {"state": "ready", "current_cpu_usage": 0})
    plain.say("resilience.say", {"kind": "joined", "pid": 1})
    plain.say("client_ready", -1, name="liar")
    assert plain.heard() == []
    old.say("resilience.hello", {"text": "x", "version": "0.0"})
    assert "version" in old.heard(5.0, most=1)[0][1]["reason"]
    for content in (b"", b"\xc1", b"\x93\x01", msgpack.dumps(7), msgpack.dumps(("resilience.hello", [1], "noise"))):
        noise.send(content)
    assert noise.heard() == []
    _, said = wrong.communicate(timeout=60.0)
    assert wrong.returncode == 4
    assert b"its token is not the one given here" in said
    worker = join(port, TOKEN)
    driver.prepare()
    late = Stranger(port, "late")
    late.say("resilience.hello", {"text": hello.text(), "version": __version__})
    assert "are there" in late.heard(5.0, most=1)[0][1]["reason"]
    driver.close()
    _, said = worker.communicate(timeout=30.0)  # its master is gone: it ends by itself
    assert worker.returncode == 4
    assert TOKEN.encode() not in said
    for stranger in (*made, late):
        stranger.close()

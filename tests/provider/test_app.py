"""The stand-in as a program: what it serves, and who may set faults in it (Requirement F5)."""

import json
import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from resilience.provider import answers
from tests.faults.parts import eventually
from tests.provider.server import Running, provider

pytestmark = pytest.mark.stack

CHAT = {"model": "stand-in-small", "messages": [{"role": "user", "content": "hello there"}]}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with provider(tmp_path_factory.mktemp("provider")) as started:
        yield started


def streamed(running: Running, patience_s: float = 10.0) -> bytes:
    """All that comes of a stream until it ends or is silent for too long, head and all."""
    body = json.dumps({**CHAT, "stream": True}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    said = b""
    with socket.create_connection(("127.0.0.1", running.place.port), timeout=patience_s) as line:
        line.sendall(head.encode() + body)
        try:
            while got := line.recv(65536):
                said += got
        except TimeoutError:
            said += b"(silence)"
    return said


def test_it_answers_as_a_provider_does(running: Running):
    """Chat, embeddings and models over HTTP are what `answers` says; a wrong request is a 400 with a reason."""
    status, _, body = running.say()
    assert (status, json.loads(body)) == (200, json.loads(json.dumps(answers.completion(CHAT))))
    status, _, body = running.ask("POST", "/v1/embeddings", {"model": "m", "input": "x"})
    assert (status, len(json.loads(body)["data"][0]["embedding"])) == (200, answers.DIMENSIONS)
    assert json.loads(running.ask("GET", "/v1/models")[2])["data"][0]["id"] == "stand-in-large"
    status, _, body = running.say(messages=[])
    assert (status, json.loads(body)["error"]["param"]) == (400, "messages")
    assert running.ask("POST", "/v1/embeddings", b"x" * 1_000_001)[0] == 400
    assert running.ask("GET", "/nowhere")[0] == 404


def test_it_streams(running: Running):
    """Server-sent events, a word at a time, with an end."""
    said = streamed(running)
    events = [line[6:] for line in said.decode().splitlines() if line.startswith("data: ")]
    assert events[-1] == "[DONE]"
    assert [json.loads(event) for event in events[:-1]] == json.loads(json.dumps(list(answers.pieces(CHAT))))
    assert said.endswith(b"0\r\n\r\n")


def test_nobody_sets_faults_without_the_token(running: Running):
    """Neither looks, sets nor removes; the file with the token is for its owner alone (Requirement F5)."""
    assert stat.S_IMODE(Path(running.place.passfile).stat().st_mode) == 0o600
    for token in ("", "x", running.token[:-1]):
        assert running.ask("GET", "/-/faults", token=token)[0] == 401
        assert running.ask("PUT", "/-/faults/one", {"kind": "failing", "ttl_s": 1}, token)[0] == 401
        assert running.ask("DELETE", "/-/faults/one", token=token)[0] == 401
    assert json.loads(running.ask("GET", "/-/faults", token=running.token)[2]) == {"faults": []}
    status, _, body = running.ask("PUT", "/-/faults/one", {"kind": "failing"}, running.token)
    assert (status, "a fault must end" in body.decode()) == (400, True)


def test_it_listens_on_loopback_alone(tmp_path: Path):
    """An address that others can reach is refused."""
    done = subprocess.run(
        [sys.executable, "-m", "resilience.provider", "--host", "0.0.0.0", "--port", "1"],  # noqa: S104 - refused
        env={**os.environ, "RESILIENCE_PROVIDER_TOKEN_FILE": str(tmp_path / "token")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "is no loopback address" in done.stderr
    assert not (tmp_path / "token").exists()


def test_throttling_says_when_to_come_again(running: Running):
    """429 with Retry-After and the body that clients look into; health is never touched."""
    running.put("one", "throttled", retry_after_s=7)
    status, headers, body = running.say()
    assert (status, headers["retry-after"]) == (429, "7")
    assert json.loads(body)["error"]["code"] == "rate_limit_exceeded"
    assert running.ask("GET", "/health")[0] == 200
    running.remove("one")
    assert running.say()[0] == 200


@pytest.mark.parametrize("status", ["500", "502", "503"])
def test_failing_has_that_status(running: Running, status: str):
    """What stands before a provider answers 502 in HTML, the provider itself the others in JSON."""
    running.put("one", "failing", status=status)
    found, headers, body = running.say()
    running.remove("one")
    assert found == int(status)
    assert headers["content-type"].startswith("text/html" if status == "502" else "application/json")
    assert (b"Bad Gateway" in body) is (status == "502")


def test_a_stream_that_stops_has_no_end(running: Running):
    """Three words come, then the connection is closed, or silent until the fault is over."""
    running.put("one", "stops", after_words=3)
    said = streamed(running)
    assert said.count(b"data: ") == 4
    assert b"[DONE]" not in said
    assert not said.endswith(b"0\r\n\r\n")
    running.remove("one")
    running.put("one", "stops", after_words=3, how="hang", ttl_s=1.5)
    began = time.monotonic()
    assert streamed(running, 0.5).endswith(b"(silence)")
    said = streamed(running)
    assert b"(silence)" not in said
    assert b"[DONE]" not in said or time.monotonic() - began > 1.5
    eventually(lambda: streamed(running).endswith(b"0\r\n\r\n"))


@pytest.mark.parametrize("how", ["garbage", "schema", "empty"])
def test_nonsense_is_a_200_of_no_use(running: Running, how: str):
    """Status 200, and what a client expects is not there."""
    running.put("one", "nonsense", how=how)
    status, _, body = running.say()
    running.remove("one")
    assert status == 200
    if how == "garbage":
        with pytest.raises(ValueError, match=r"codec|JSON|Expecting"):
            json.loads(body)
    else:
        assert json.loads(body)["choices"] in ("none", [])


def test_two_set_by_two_do_not_clash(running: Running):
    """Each is removed by its own name; the other stays."""
    running.put("one", "failing")
    running.put("two", "failing", status="500")
    running.remove("one")
    assert running.say()[0] == 500
    running.remove("two")
    assert running.say()[0] == 200


def test_what_is_cut_on_purpose_is_no_error_in_its_log(running: Running):
    """The log is for what went wrong."""
    running.put("one", "stops")
    streamed(running)
    running.remove("one")
    assert "Traceback" not in Path(running.place.launch.log).read_text()

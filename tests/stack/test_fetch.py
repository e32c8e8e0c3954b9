import hashlib
import io
import os
import tarfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from resilience.errors import EnvironmentNotReady
from resilience.stack import fetch
from resilience.stack.loopback import Reservation

QUICK = fetch.Limits(connect_s=0.5, silence_s=0.3, total_s=1.0)


def packed(name="toxiproxy-server", content=b"#!/bin/sh\necho toxiproxy-server version 2.12.0\n"):
    """A release as it is published: an archive with the program in it."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for each, body in (("LICENSE", b"text"), (name, content)):
            entry = tarfile.TarInfo(each)
            entry.size = len(body)
            archive.addfile(entry, io.BytesIO(body))
    return stream.getvalue()


class Release:
    """A download server on the loopback address, good unless told otherwise."""

    def __init__(self):
        self.body = packed()
        self.declared = None
        self.status = 200
        self.asked = 0
        self.hang = False
        self.done = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked += 1
                if outer.hang:
                    outer.done.wait(5)
                    return
                self.send_response(outer.status)
                self.send_header("Content-Length", str(outer.declared or len(outer.body)))
                self.end_headers()
                self.wfile.write(outer.body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def environment(self):
        """What a download needs, with this server as its base address."""
        return {"RESILIENCE_DOWNLOADS": f"http://127.0.0.1:{self.server.server_port}/base", "PATH": os.environ["PATH"]}

    def get(self, folder, sha256=None, **settings):
        """Download into a cache."""
        asset = fetch.Asset("v1/file.tar.gz", sha256 or hashlib.sha256(self.body).hexdigest())
        return fetch.download(folder, self.environment, assets={"pdp11": asset}, machine="pdp11", **settings)

    def close(self):
        """End the server."""
        self.done.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def release():
    """A download server."""
    server = Release()
    yield server
    server.close()


def kept(folder):
    """The files that a fetch left in the cache."""
    return [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]


def test_a_release_with_the_pinned_digest_is_kept_and_can_be_run(tmp_path, release):
    """The program of the archive is in the cache, executable, and nothing else is."""
    program = release.get(tmp_path)
    assert program == fetch.cached(tmp_path)
    assert os.access(program, os.X_OK)
    assert kept(tmp_path) == [program]


def test_what_is_in_the_cache_is_not_fetched_again(tmp_path, release):
    """Ten callers at once make one request and get the same program."""
    with ThreadPoolExecutor(10) as pool:
        programs = set(pool.map(lambda _: release.get(tmp_path), range(10)))
    assert programs == {fetch.cached(tmp_path)}
    assert release.asked == 1


def test_another_digest_is_an_error_that_is_shown_and_nothing_is_kept(tmp_path, release):
    """It is not `Unavailable`, at which another way would be tried; both digests are in the message."""
    with pytest.raises(EnvironmentNotReady) as caught:
        release.get(tmp_path, sha256="ab" * 32)
    assert "ab" * 32 in str(caught.value)
    assert hashlib.sha256(release.body).hexdigest() in str(caught.value)
    assert kept(tmp_path) == []


def test_a_truncated_file_is_not_kept(tmp_path, release):
    """The server promises more than it sends."""
    whole = hashlib.sha256(release.body).hexdigest()
    release.declared, release.body = len(release.body), release.body[:-40]
    release.server.RequestHandlerClass.protocol_version = "HTTP/1.0"
    with pytest.raises(fetch.Unavailable):
        release.get(tmp_path, sha256=whole)
    assert kept(tmp_path) == []


def test_a_missing_file_is_said_with_its_address_and_status(tmp_path, release):
    """404 lets the next way be tried."""
    release.status = 404
    with pytest.raises(fetch.Unavailable, match=r"/base/v1/file\.tar\.gz answered 404"):
        release.get(tmp_path)
    assert kept(tmp_path) == []


def test_a_server_that_hangs_is_given_up(tmp_path, release):
    """Silence ends the download after its limit."""
    release.hang = True
    began = time.monotonic()
    with pytest.raises(fetch.Unavailable):
        release.get(tmp_path, limits=QUICK)
    assert time.monotonic() - began < 2


def test_a_server_that_is_not_there_is_given_up_at_once(tmp_path):
    """An offline machine goes on quickly."""
    held = Reservation(1)
    environment = {"RESILIENCE_DOWNLOADS": f"http://127.0.0.1:{held.ports[0]}"}
    with pytest.raises(fetch.Unavailable, match="refused"):
        fetch.download(tmp_path, environment, assets={"pdp11": fetch.Asset("file", "00")}, machine="pdp11")
    held.close()


@pytest.mark.parametrize("body", [packed(name="other"), b"this is no archive"])
def test_an_archive_without_the_program_is_not_kept(tmp_path, release, body):
    """Even with the right digest."""
    release.body = body
    with pytest.raises(fetch.Unavailable):
        release.get(tmp_path)
    assert kept(tmp_path) == []


def test_a_path_in_the_archive_never_reaches_the_disk(tmp_path, release):
    """A member that climbs out of the folder is read as the program, and put where the program belongs."""
    release.body = packed(name="../../../toxiproxy-server")
    folder = tmp_path / "a" / "b" / "c"
    assert release.get(folder) == fetch.cached(folder)
    assert [path for path in tmp_path.rglob("toxiproxy-server") if path.is_file()] == [fetch.cached(folder)]


def test_a_machine_without_a_release_is_named(tmp_path):
    """The message says for which machines there is one."""
    with pytest.raises(fetch.Unavailable, match=r"'vax'.*aarch64, x86_64"):
        fetch.download(tmp_path, {}, machine="vax")


def test_every_pinned_asset_has_a_whole_digest():
    """A digest that is cut or in upper case would never match."""
    for asset in fetch.ASSETS.values():
        assert len(asset.sha256) == 64
        assert asset.sha256 == asset.sha256.lower()
        assert fetch.VERSION in asset.path


def test_a_go_that_fails_is_said_with_its_last_words_and_leaves_nothing(tmp_path, script):
    """The build's folders are removed, read-only modules included."""
    go = script("go", 'mkdir -p "$GOMODCACHE/m"; echo "$GOFLAGS" >&2; echo "no network today" >&2; exit 1')
    environment = {"PATH": f"{go.parent}:{os.environ['PATH']}", "GOFLAGS": "-mod=mod"}
    with pytest.raises(fetch.Unavailable, match=r"ended with 1: -mod=mod -modcacherw / no network today"):
        fetch.go_install(tmp_path / "cache", environment)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_what_go_builds_is_kept_and_nothing_else(tmp_path, script):
    """The program is moved out of the build's folder, which is removed."""
    go = script("go", 'echo "$2" >&2; mkdir -p "$GOBIN" "$GOCACHE"; echo program > "$GOBIN/server"')
    environment = {"PATH": f"{go.parent}:{os.environ['PATH']}"}
    program = fetch.go_install(tmp_path / "cache", environment)
    assert program.read_text() == "program\n"
    assert kept(tmp_path / "cache") == [program]


def test_a_machine_without_go_is_told_so(tmp_path):
    """No error of the system reaches the user."""
    with pytest.raises(fetch.Unavailable, match="no `go`"):
        fetch.go_install(tmp_path, {"PATH": str(tmp_path)})

"""The truth about writes, read from a real HTTP server. Requirement J4."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from resilience.entry import body_of, format_id
from resilience.errors import RecordError
from resilience.model import HttpTruth
from resilience.observe.truth import read_settled
from resilience.observe.truth_http import HttpReader

RUN = "0badcafe"
PAGES = HttpTruth(path="/entries?prefix={prefix}&after={cursor}", items="found.entries", next="found.next")


class Shop(ThreadingHTTPServer):
    """Lists entries in pages of 100; counts what it is asked; does what a test tells it to."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.entries: list[dict] = []
        self.asked: list[str] = []
        self.headers: list[dict] = []
        self.say = None  # (status, content) for every request

    def handle_error(self, *_):
        """A client that went away is no news."""

    @property
    def url(self):
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}"

    def page(self, path) -> object:
        """What is at a path."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
        found = [entry for entry in self.entries if entry["id"].startswith(query.get("prefix", ""))]
        begin = int(query.get("after") or query.get("offset") or 0)
        some = found[begin : begin + 100]
        if path.startswith("/plain"):
            return some
        end = begin + 100
        more = str(end) if end < len(found) else None
        return {"found": {"entries": some, "next": more}, "store": {"primary": "yes", "sync": True}}


class Handler(BaseHTTPRequestHandler):
    """Answers as the server says."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        """One page."""
        self.server.asked.append(self.path)
        self.server.headers.append(dict(self.headers))
        status, content = self.server.say or (200, json.dumps(self.server.page(self.path)).encode())
        if callable(content):
            return content(self)
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        return None

    def log_message(self, *_):
        """Nothing is logged."""


@pytest.fixture
def shop() -> Iterator[Shop]:
    """A running server."""
    with Shop() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def entry(seq, **more):
    entry_id = format_id(RUN, 1, 0, seq)
    return {"id": entry_id, "body": body_of(entry_id), **more}


def settled(shop, source=PAGES, **more):
    return read_settled(HttpReader(shop.url, source, **more), RUN, 0.0, lambda: 7)


@pytest.mark.parametrize(
    "source",
    [
        PAGES,
        HttpTruth(path="/entries?offset={offset}", items="found.entries"),
        HttpTruth(path="/plain?offset={offset}&prefix={prefix}"),
    ],
    ids=["cursor", "offset", "plain"],
)
@pytest.mark.parametrize("count", [0, 1, 100, 250])
def test_every_page_is_read_once(shop, source, count):
    """All entries, those of other runs left out, in the order of the listing, whatever their number."""
    shop.entries = [entry(seq) for seq in range(count)]
    shop.entries[1:1] = [{"id": "ffffffff-000-000-000000", "body": "x"}]
    truth = settled(shop, source)
    assert truth.seq.tolist() == list(range(count))
    assert truth.intact.all()
    assert truth.position.tolist() == list(range(count))
    assert len(shop.asked) == len(set(shop.asked)) * 2, "two looks, each page once in each"


def test_every_entry_is_told_apart(shop):
    """Corrupted, without a body, twice there, foreign: each is seen as such; a position of its own is the order."""
    shop.entries = [
        entry(1, at=30),
        entry(0, at=20),
        entry(2, at=10) | {"body": "torn"},
        {"id": format_id(RUN, 1, 0, 3), "at": 40},
        entry(1, at=50),
        {"id": f"{RUN}-odd", "body": None, "at": 60},
    ]
    source = HttpTruth(path="/entries?prefix={prefix}", items="found.entries", position="at")
    truth = settled(shop, source)
    assert truth.seq.tolist() == [2, 0, 1, 3, 1, -1]
    assert truth.intact.tolist() == [False, True, True, False, True, False]
    assert truth.foreign == (f"{RUN}-odd",)


def test_facts_are_what_the_endpoint_says_of_the_store(shop):
    """They are in the record with the truth."""
    source = HttpTruth(path="/entries", items="found.entries", facts="store")
    assert HttpReader(shop.url, source).facts() == {"store": "http", "primary": "yes", "sync": "true"}
    assert settled(shop, source).facts == {"store": "http", "primary": "yes", "sync": "true"}
    assert HttpReader(shop.url, PAGES).facts() == {"store": "http"}


def test_headers_are_sent_and_never_shown(shop):
    """A token goes to the endpoint and into no message."""
    settled(shop, headers={"Authorization": "Bearer hidden-token"})
    assert {headers["Authorization"] for headers in shop.headers} == {"Bearer hidden-token"}
    shop.say = (403, b"Bearer hidden-token is not allowed")
    with pytest.raises(RecordError, match="answered 403 Forbidden") as caught:
        settled(shop, headers={"Authorization": "Bearer hidden-token"})
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("say", "message"),
    [
        ((500, b"[]"), "answered 500"),
        ((302, b""), "answered 302"),
        ((200, b"<html>"), "no JSON"),
        ((200, b"{}"), "has nothing at found.entries, a list was expected"),
        ((200, b'{"found": {"entries": {"id": "x"}}}'), '{"id": "x"} at found.entries'),
        ((200, b'{"found": {"entries": [], "next": "again"}}'), "cursor 'again' twice"),
    ],
)
def test_an_answer_of_another_kind_is_an_error(shop, say, message):
    """Whatever is not a page of entries is said, and is no empty truth; nothing is asked again."""
    shop.say = say
    with pytest.raises(RecordError) as caught:
        settled(shop)
    assert message in str(caught.value)
    assert f"{shop.url}/entries" in str(caught.value)
    assert len(shop.asked) == (2 if "twice" in message else 1)


def test_a_page_without_end_is_cut_off(shop):
    """More than a page may have is not read."""
    shop.say = (200, b" " * 200_000)
    with pytest.raises(RecordError, match="larger than 100,000 bytes"):
        settled(shop, most_bytes=100_000)


def test_a_server_that_drips_is_cut_off(shop):
    """A server that sends something now and then, for ever, does not hang the run."""

    def drip(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        with suppress(OSError):
            for _ in range(200):
                handler.wfile.write(b"x")
                time.sleep(0.05)

    shop.say = (200, drip)
    began = time.monotonic()
    with pytest.raises(RecordError, match=r"within 0\.5 s"):
        read_settled(HttpReader(shop.url, PAGES, timeout_s=0.5), RUN, 0.0, lambda: 0)
    assert time.monotonic() - began < 5


def test_an_answer_that_breaks_off_is_an_error(shop):
    """Half a page is no page."""

    def half(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b'{"found": {"entries": []')
        handler.close_connection = True

    shop.say = (200, half)
    with pytest.raises(RecordError, match="cannot be read"):
        settled(shop)


@pytest.mark.parametrize("base", ["http://user:hidden-password@127.0.0.1:1", "hidden-password", "http://[hidden"])
def test_errors_show_no_secret(base):
    """An endpoint that is not there, or no address at all: an error that shows no password."""
    with pytest.raises(RecordError) as caught:
        HttpReader(base, PAGES).facts()
    assert "hidden" not in str(caught.value)

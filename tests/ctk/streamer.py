"""A service whose only store is a stream in Redis, for tests of such a truth.

`POST /entries` is acknowledged when the entry is in the stream. With FORGETS=n in its environment it acknowledges every
n-th entry without storing it.
"""

import itertools
import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

FORGETS = int(os.environ.get("FORGETS", "0"))
COUNT = itertools.count(1)
STORE = redis.Redis.from_url(
    os.environ["REDIS_URL"],
    password=Path(os.environ["REDIS_PASSWORD_FILE"]).read_text().strip(),
    socket_timeout=1,
    retry=Retry(NoBackoff(), 0),
)


class Handler(BaseHTTPRequestHandler):
    """The routes."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        """Ready, also without Redis."""
        self.answer(200, {"status": "ready"})

    def do_POST(self):
        """Store an entry."""
        entry = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            if not FORGETS or next(COUNT) % FORGETS:
                STORE.xadd("entries", {"entry": json.dumps(entry)})
        except redis.ConnectionError:
            self.answer(500, {})  # it may be stored or not
            return
        self.answer(201, {"id": entry["id"]})

    def answer(self, status, document):
        """In JSON, in one piece."""
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        """Nothing is logged."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()

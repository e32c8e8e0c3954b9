"""A service of the tests: ready as soon as PostgreSQL's and Redis's addresses accept; MODE makes it misbehave."""

import json
import os
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

if os.environ.get("MODE") == "exit":
    sys.exit("there is no shop today")


class Handler(BaseHTTPRequestHandler):
    """Answers every GET."""

    def do_GET(self):
        """Ready if both stores can be reached."""
        if os.environ.get("MODE") == "never":
            self.reply(503, {"waiting": "for ever"})
            return
        for name in ("DATABASE_URL", "REDIS_URL"):
            address = urlsplit(os.environ[name])
            with socket.create_connection((address.hostname, address.port), 1):
                pass
        self.reply(200, {"bugs": os.environ["TARGET_BUGS"]})

    def reply(self, status, document):
        """Answer with a JSON document."""
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing: the log is shown in messages."""


ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()

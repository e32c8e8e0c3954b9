"""A program of the tests beside the service: it listens if it has a PORT, else it only waits."""

import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

if token := os.environ.get("RESILIENCE_PROVIDER_TOKEN_FILE"):
    Path(token).write_text("a token of the tests' own")


class Handler(BaseHTTPRequestHandler):
    """Answers every GET with its name."""

    def do_GET(self):
        """200, whatever was asked."""
        body = json.dumps({"name": os.environ["RESILIENCE_PART"]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


if "PORT" in os.environ:
    ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
signal.pause()
sys.exit()

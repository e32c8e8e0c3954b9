"""A copy of a service of the tests: says who it is, can say that it is not ready, and can die over a request."""

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STATE = {"ready": True}


class Handler(BaseHTTPRequestHandler):
    """Answers every GET."""

    def do_GET(self):
        """Its name, 200; 503 on /ready while it is told to be unready."""
        if self.path == "/die":
            os._exit(1)
        if self.path in {"/unready", "/recover"}:
            STATE["ready"] = self.path == "/recover"
        status = 200 if self.path != "/ready" or STATE["ready"] else 503
        body = os.environ["RESILIENCE_PART"].encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()

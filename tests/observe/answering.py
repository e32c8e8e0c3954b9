"""A small HTTP server of this machine that answers as it is told."""

import http.server
import threading
from contextlib import contextmanager


@contextmanager
def answering(answers):
    """Serve; `answers` maps a path (without its query) to text, bytes, or a status. Yields address and requests."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, dict(self.headers)))
            answer = answers.get(self.path.partition("?")[0], 404)
            answer = answer(self.path) if callable(answer) else answer
            body = b"" if isinstance(answer, int) else answer if isinstance(answer, bytes) else answer.encode()
            self.send_response(answer if isinstance(answer, int) else 200)
            self.send_header("Content-Type", "application/json" if body[:1] in {b"{", b"["} else "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args):
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

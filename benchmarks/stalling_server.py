"""An HTTP server that stands still for a second every ten, and says when: `python -m benchmarks.stalling_server`.

On standard output first its port, and, when standard input ends, one line of JSON: [begin, end] of every stall, in
nanoseconds of the host's monotonic clock. It answers everything at once otherwise, on kept connections.
"""

import json
import select
import socket
import sys
import time

EVERY_S, STALL_S = 10.0, 1.0
FIRST_S = 5.0
"""When the first stall begins after the server has."""
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def main() -> None:
    """Serve until standard input ends."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    listener.setblocking(False)  # noqa: FBT003 - a socket takes it so
    poller = select.epoll()
    poller.register(listener, select.EPOLLIN)
    poller.register(sys.stdin.fileno(), select.EPOLLIN | select.EPOLLHUP)
    connections: dict[int, socket.socket] = {}
    stalls: list[list[int]] = []
    print(listener.getsockname()[1], flush=True)
    next_s = time.monotonic() + FIRST_S
    while True:
        for descriptor, _ in poller.poll(max(0.0, next_s - time.monotonic())):
            if descriptor == sys.stdin.fileno():
                print(json.dumps(stalls), flush=True)
                return
            if descriptor == listener.fileno():
                connection, _ = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connections[connection.fileno()] = connection
                poller.register(connection, select.EPOLLIN)
                continue
            asked = connections[descriptor].recv(65536)
            if asked:
                connections[descriptor].sendall(ANSWER * asked.count(b"\r\n\r\n"))
            else:
                connections.pop(descriptor).close()
        if time.monotonic() >= next_s:
            begin_ns = time.monotonic_ns()
            time.sleep(STALL_S)
            stalls.append([begin_ns, time.monotonic_ns()])
            next_s += EVERY_S


if __name__ == "__main__":
    main()

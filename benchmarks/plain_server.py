"""An HTTP server that answers every request with the same few bytes, for many connections that are mostly silent.

`python -m benchmarks.plain_server HOST` prints its port, and after that every second how many connections are open. It
ends with its standard input. A connection costs it a socket and an entry of a dictionary, so that a hundred thousand
fit into a few processes beside a generator. It is not meant to be fast.

With `PORT` in its environment it listens there, says nothing and does not look at its standard input: a service.
"""

import os
import select
import socket
import sys
import time

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
_END = b"\r\n\r\n"


def serve(host: str, port: int = 0) -> None:
    """Serve until standard input ends; on a port that was given, for ever."""
    listener = socket.create_server((host, port), backlog=4096)
    listener.settimeout(0)
    poll = select.epoll()
    poll.register(listener, select.EPOLLIN)
    if not port:
        print(listener.getsockname()[1], flush=True)
        poll.register(0, select.EPOLLIN | select.EPOLLHUP)
    clients: dict[int, socket.socket] = {}
    told_s = time.monotonic()
    while True:
        for handle, _ in poll.poll(0.2, 1000):
            if handle == 0:
                return
            if handle == listener.fileno():
                _accept(listener, poll, clients)
            else:
                _answer(handle, poll, clients)
        if not port and time.monotonic() - told_s >= 1:
            told_s = time.monotonic()
            print(len(clients), flush=True)


def _accept(listener: socket.socket, poll: select.epoll, clients: dict[int, socket.socket]) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except BlockingIOError:
            return
        client.settimeout(0)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        clients[client.fileno()] = client
        poll.register(client, select.EPOLLIN)


def _answer(handle: int, poll: select.epoll, clients: dict[int, socket.socket]) -> None:
    """Answer what has come; requests are small and come one at a time, so each is a packet of its own."""
    client = clients[handle]
    try:
        data = client.recv(65536)
        if data:
            client.sendall(ANSWER * data.count(_END))
            return
    except OSError:
        pass
    poll.unregister(handle)
    del clients[handle]
    client.close()


if __name__ == "__main__":
    serve(sys.argv[1], int(os.environ.get("PORT", "0")))

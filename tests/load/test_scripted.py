"""The servers by which clients are tried: each does what it is told, and counts every request."""

import socket

import gevent
import pytest
from gevent import socket as green

from resilience.load.scripted import Answer, Scripted

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\ncontent-length: 4\r\n\r\nbody"
PING = b"*1\r\n$4\r\nPING\r\n"
GREETING = b"*3\r\n$6\r\nCLIENT\r\n$7\r\nSETNAME\r\n$1\r\nx\r\n"


def said(server, *requests, wait_s=5.0):
    """What is answered to requests on one connection; None if it is reset, nothing if it is silent."""
    connection = green.create_connection(("127.0.0.1", server.port))
    try:
        with gevent.Timeout(wait_s, False):  # noqa: FBT003 - gevent takes it so
            answers = []
            for request in requests:
                connection.sendall(request)
                try:
                    answers.append(connection.recv(4096))
                except ConnectionResetError:
                    answers.append(None)
            return answers
        return []
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("protocol", "request_", "well", "later"),
    [("http", POST, b" 200 ", b" 503 "), ("redis", PING, b"+OK", b"-TRYAGAIN")],
)
def test_a_server_answers_well_first_and_then_as_told(protocol, request_, well, later):
    """Put off with what invites to try again; reset with RST; or nothing at all. Every request is counted."""
    with Scripted(protocol, Answer.LATER, well=1) as server:
        first, second = said(server, request_, request_)
        assert well in first
        assert later in second
        assert server.requests == 2
    with Scripted(protocol, Answer.RESET, well=1) as server:
        first, second = said(server, request_, request_)
        assert well in first
        assert second is None
        assert server.requests == 2
    with Scripted(protocol, Answer.SILENCE) as server:
        assert said(server, request_, wait_s=0.3) == []
        assert server.requests == 1


def test_requests_that_come_together_or_in_pieces_are_each_counted_once():
    """Two in one packet are two; one in two packets is one, also where its body comes later."""
    with Scripted("http", Answer.LATER) as server:
        connection = green.create_connection(("127.0.0.1", server.port))
        connection.sendall(GET + POST[:-2])
        gevent.sleep(0.05)
        connection.sendall(POST[-2:])
        while server.requests < 2:
            gevent.sleep(0.01)
        gevent.sleep(0.05)
        assert server.requests == 2
        connection.close()


def test_what_a_client_says_first_is_no_request():
    """A name for the connection, a password, a database: the server answers, and does not count it."""
    with Scripted("redis", Answer.LATER) as server:
        assert said(server, GREETING) == [b"+OK\r\n"]
        assert server.requests == 0


def test_a_server_that_has_ended_listens_no_more():
    """Nothing of it is left behind."""
    with Scripted("http", Answer.SILENCE) as server:
        pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=5)

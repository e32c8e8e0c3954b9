"""What is sent with operations, and read off their answers, besides what they are about: traces, and which copy it was.

A trace begins at the client: a share of the operations, drawn from the seed and the operation's own instant, is sent
with an identity (W3C Trace Context, `traceparent`; or AWS X-Ray's header) under which the target's own traces are found
afterwards. The identity follows from the run, the operation and its instant alone. All others are sent as ever, without
a header, so that what is not traced costs nothing.
"""

import time
from hashlib import blake2b

from resilience.load.classify import Happened, JobEnded, Reply
from resilience.load.flows import Attempt
from resilience.load.operations import Request
from resilience.model import Load, LoadOrder

SERVED, TRACE = "served", "trace"
UNSAID = ("", "")
MOST_COPIES, LONGEST = 256, 80
"""So many names of copies are told apart, and so much of each is kept: a header can hold anything."""
OTHER = "(other)"
_ALL = 1 << 64
W3C, XRAY = "w3c", "xray"


def said_of(load: Load) -> tuple[str, ...]:
    """Which of `served` and `trace` a load's samples have."""
    return ((SERVED,) if load.served_by else ()) + ((TRACE,) if load.tracing is not None else ())


class Said:
    """What is sent and read besides, for one load process.

    Args:
        order: what is to be carried out.
    """

    def __init__(self, order: LoadOrder) -> None:
        load = order.load
        self._header = load.served_by.lower().encode("latin-1")
        self._copies: dict[bytes, str] = {}
        tracing = load.tracing
        self._below = 0 if tracing is None else round(tracing.share * _ALL)
        self._xray = tracing is not None and tracing.header == XRAY
        self._key = f"{order.run}/{order.seed}".encode()
        # X-Ray keeps no trace whose id does not begin with the time; the same of all of a process, nearly.
        self._epoch_s = time.time() - (time.monotonic_ns() - order.zero_ns) / 1e9
        self.traces = self._below > 0

    def send(self, attempt: Attempt, request: object) -> object:
        """The request with a trace's header, if this operation is to have one; its id is noted in the attempt."""
        if not isinstance(request, Request):
            return request
        drawn = blake2b(
            b"%d/%d/%d" % (attempt.arrival_ns, attempt.number, attempt.index), key=self._key, digest_size=32
        )
        name = drawn.hexdigest()
        if int(name[:16], 16) >= self._below:
            return request
        trace, span = name[16:48], name[48:]
        if self._xray:
            trace = f"{round(self._epoch_s + attempt.arrival_ns / 1e9):08x}{trace[8:]}"
            line = f"X-Amzn-Trace-Id: Root=1-{trace[:8]}-{trace[8:]};Parent={span};Sampled=1"
        else:
            line = f"traceparent: 00-{trace}-{span}-01"
        attempt.trace = f"{trace}-{span}"
        head, rest = request.content.split(b"\r\n", 1)
        return Request(b"%s\r\n%s\r\n%s" % (head, line.encode(), rest), request.no_body)

    def told(self, attempt: Attempt, happened: Happened) -> tuple[str, str]:
        """Which copy gave the answer, and the trace; empty where there is none."""
        if not self._header:
            return "", attempt.trace
        reply = happened.accepted if isinstance(happened, JobEnded) else happened
        if not isinstance(reply, Reply):
            return "", attempt.trace
        value = next((value for name, value in reply.headers if name == self._header), None)
        return ("" if value is None else self._copies.get(value) or self._name(value)), attempt.trace

    def _name(self, value: bytes) -> str:
        """The name of a copy that was not seen before."""
        if len(self._copies) >= MOST_COPIES:
            return OTHER
        return self._copies.setdefault(value, value.decode("latin-1")[:LONGEST])

"""Traces sent with a share of the operations, and names of copies read off answers: Requirement M3 and J7."""

import re
import time

import pytest

from resilience.load.classify import Broken, JobEnded, Reply
from resilience.load.engine import Engine
from resilience.load.operations import Request
from resilience.load.said import LONGEST, MOST_COPIES, OTHER, Said, said_of
from resilience.model import OUTCOMES, Load, LoadOrder, Operation, Outcome
from resilience.model.profiles import Tracing
from tests.load.target import answer

READ = Operation(name="read", weight=1, method="GET", path="/items/${key}")
CONSTANT = Operation(name="ready", weight=1, method="GET", path="/ready")
W3C = re.compile(rb"\r\ntraceparent: 00-([0-9a-f]{32})-([0-9a-f]{16})-01\r\n")
XRAY = re.compile(rb"\r\nX-Amzn-Trace-Id: Root=1-([0-9a-f]{8})-([0-9a-f]{24});Parent=([0-9a-f]{16});Sampled=1\r\n")


class Memory:
    """Samples, ledger and reports, of which only what was said is kept."""

    def __init__(self) -> None:
        self.said: list[tuple[Outcome, str, str]] = []

    def add(self, *row, said: tuple[str, str] = ("", ""), **_) -> None:
        """Keep what was said, and of what."""
        self.said.append((OUTCOMES[row[4]], *said))

    def note(self, *_) -> None:
        """No account of writes is kept."""

    def report(self, *_) -> None:
        """Nobody is told."""


def order(load: Load, base_url: str = "http://127.0.0.1:1", seed: int = 1) -> LoadOrder:
    return LoadOrder(
        run="0badcafe", seed=seed, zero_ns=time.monotonic_ns(), base_url=base_url, folder="/", load=load, max_s=0.5
    )


class Attempt:
    """As much of an attempt as matters here."""

    def __init__(self, index: int) -> None:
        self.arrival_ns, self.number, self.index, self.trace = index * 1_000_000, 0, index, ""


REQUEST = Request(b"GET /items/1 HTTP/1.1\r\nHost: x\r\n\r\n")


def sent(tracing: Tracing, count: int = 2000, seed: int = 1) -> list[tuple[Attempt, bytes]]:
    said = Said(order(Load(rate=1.0, operations=(READ,), tracing=tracing), seed=seed))
    made = []
    for index in range(count):
        attempt = Attempt(index)
        made.append((attempt, said.send(attempt, REQUEST).content))  # type: ignore[arg-type]
    return made


def test_a_share_of_the_operations_begins_a_trace_and_all_others_are_sent_as_ever():
    """Requirement M3: W3C's header, sampled, with an id of its own; the rest of the request stays byte for byte."""
    made = sent(Tracing(share=0.1))
    traced = [(attempt, content) for attempt, content in made if attempt.trace]
    assert 150 < len(traced) < 250
    assert len({attempt.trace for attempt, _ in traced}) == len(traced)
    for attempt, content in made:
        found = W3C.search(content)
        assert bool(found) is bool(attempt.trace)
        assert W3C.sub(b"\r\n", content) == REQUEST.content
        if found:
            assert attempt.trace == f"{found[1].decode()}-{found[2].decode()}"
            assert int(found[1], 16) > 0
            assert int(found[2], 16) > 0


def test_the_same_seed_traces_the_same_operations_and_another_seed_others():
    """Whatever process sends them."""
    ids = [[attempt.trace for attempt, _ in sent(Tracing(share=0.1), 300, seed)] for seed in (1, 1, 2)]
    assert ids[0] == ids[1]
    assert ids[0] != ids[2]


def test_x_ray_s_header_begins_with_the_time():
    """Its service keeps no other ids."""
    made = [(attempt, XRAY.search(content)) for attempt, content in sent(Tracing(share=1.0, header="xray"), 50)]
    for attempt, found in made:
        assert found is not None
        assert abs(int(found[1], 16) - time.time()) < 3600
        assert attempt.trace == f"{(found[1] + found[2]).decode()}-{found[3].decode()}"


def test_what_is_no_plain_request_is_left_alone():
    """Jobs, streams and stores have requests of their own kind."""
    said = Said(order(Load(rate=1.0, operations=(READ,), tracing=Tracing(share=1.0))))
    attempt, other = Attempt(1), ("anything",)
    assert said.send(attempt, other) is other  # type: ignore[arg-type]
    assert attempt.trace == ""


def test_the_name_of_a_copy_is_read_from_its_header_whatever_its_case():
    """Of every answer, also one that accepts a job; of none where there is none."""
    load = Load(rate=1.0, operations=(READ,), served_by="X-Served-By")
    said = Said(order(load))
    reply = Reply(200, ((b"content-length", b"0"), (b"x-served-by", b"service-2")))
    attempt = Attempt(1)
    assert said_of(load) == ("served",)
    assert said.told(attempt, reply) == ("service-2", "")  # type: ignore[arg-type]
    assert said.told(attempt, JobEnded(reply, Outcome.OK)) == ("service-2", "")  # type: ignore[arg-type]
    assert said.told(attempt, Reply(200)) == ("", "")  # type: ignore[arg-type]
    assert said.told(attempt, Broken("reset")) == ("", "")  # type: ignore[arg-type]


def test_a_header_that_says_something_else_each_time_is_bounded():
    """A target may put anything there; the record must not grow with it."""
    said = Said(order(Load(rate=1.0, operations=(READ,), served_by="X-Served-By")))
    names = {
        said.told(Attempt(1), Reply(200, ((b"x-served-by", b"%d" % number + b"x" * 200),)))[0]  # type: ignore[arg-type]
        for number in range(3 * MOST_COPIES)
    }
    assert len(names) == MOST_COPIES + 1
    assert OTHER in names
    assert max(map(len, names)) == LONGEST


@pytest.mark.parametrize("operation", [READ, CONSTANT], ids=["varies", "constant"])
def test_the_engine_sends_it_and_writes_it_down(make_target, operation: Operation):
    """What arrives at the target is what stands in the samples, and the copy that answered stands beside it."""
    target = make_target(lambda _: answer(200, {}, headers="X-Served-By: service-2\r\n"))
    load = Load(
        rate=100.0,
        operations=(operation,),
        served_by="X-Served-By",
        tracing=Tracing(share=0.5),
        max_in_flight=4,
    )
    memory = Memory()
    engine = Engine(order(load, target.url), memory, memory, memory.report)
    engine.walk()
    engine.finish(1.0)
    arrived = {asked.headers["traceparent"][3:-3] for asked in target.asked if "traceparent" in asked.headers}
    answered = [said for said in memory.said if said[0] is Outcome.OK]
    assert answered
    assert {copy for _, copy, _ in answered} == {"service-2"}
    assert {trace for *_, trace in answered if trace} <= arrived <= {trace for *_, trace in memory.said}
    assert {copy for outcome, copy, _ in memory.said if outcome is Outcome.DROPPED} <= {""}

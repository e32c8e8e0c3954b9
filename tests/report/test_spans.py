"""A run as spans, taken by a real receiver that decodes what OpenTelemetry's exporter sends: Requirement M3."""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from resilience.errors import EnvironmentNotReady, RecordError
from resilience.judge.verdict import judge
from resilience.model import Event, EventKind
from resilience.model.profiles import Tracing
from resilience.report.html import render
from resilience.report.material import Material
from resilience.report.otlp import send
from resilience.report.sections import traces
from resilience.report.spans import slowest, spans_of
from tests.judge.builder import Scene

proto = pytest.importorskip(
    "opentelemetry.proto.collector.trace.v1.trace_service_pb2", reason="needs the extra 'tracing'"
)

WALL = "2026-01-01T00:00:00.000+00:00"
WALL_NS = 1_767_225_600_000_000_000


def record(link: str = "http://traces/${trace_id}"):
    """A run with a fault, of which every hundredth operation was sent with a trace."""
    scene = Scene()
    made = scene.record()
    count = len(made.samples)
    traced = np.zeros(count, np.int32)
    traced[::100] = np.arange(1, len(traced[::100]) + 1)
    names = ("", *(f"{number:032x}-{number:016x}" for number in range(1, traced.max() + 1)))
    load = replace(made.experiment.load, tracing=Tracing(share=0.01, link=link))
    events = tuple(
        Event(-2.0, EventKind.HEADER, "", {"wall_clock": WALL}) if event.kind is EventKind.HEADER else event
        for event in made.events
    )
    return replace(
        made,
        samples=replace(made.samples, trace=traced, traces=names),
        experiment=replace(made.experiment, load=load),
        events=events,
    )


def spans():
    made = record()
    return list(spans_of(made, judge(made).document))


def test_the_run_its_phases_and_its_faults_are_one_trace():
    """In real time: the run's zero is two seconds after the header was written."""
    found = spans()
    run = found[0]
    assert run.start_ns == WALL_NS + 2 * 10**9
    assert run.attributes["resilience.answer"] in {"pass", "unknown", "fail"}
    inside = [span for span in found if span.trace == run.trace and span is not run]
    assert [span.name for span in inside] == [
        *(
            "phase warm-up",
            "phase baseline",
            "phase fault(redis-down)",
            "phase recovery(redis-down)",
            "fault redis-down",
        )
    ]
    assert {span.parent for span in inside} == {run.span}
    assert all(run.start_ns <= span.start_ns <= span.end_ns <= run.end_ns for span in inside)
    assert [name for _, name in inside[-1].events] == ["confirmed", "reverted", "clear"]
    assert len({span.span for span in found}) == len(found)


def test_each_traced_operation_is_a_client_s_span_with_the_identity_that_was_sent():
    """Linked to the run, as long as it took; the others are no spans."""
    made = record()
    found = [span for span in spans() if span.client]
    assert len(found) == len(made.samples.traces) - 1
    assert {f"{span.trace}-{span.span}" for span in found} == set(made.samples.traces[1:])
    first = next(span for span in found if span.trace == f"{1:032x}")
    assert first.end_ns - first.start_ns == int(made.samples.end_ns[0] - made.samples.start_ns[0])
    assert first.links == ((spans()[0].trace, spans()[0].span),)
    assert {bool(span.bad) for span in found if span.attributes["resilience.outcome"] == "ok"} == {False}


def test_the_slowest_come_first_with_their_links():
    """As many as are asked for; without a template there is no link."""
    found = slowest(record(), 5)
    assert len(found) == 5
    assert [one.response_s for one in found] == sorted((one.response_s for one in found), reverse=True)
    assert found[0].link == f"http://traces/{found[0].trace}"
    assert slowest(record(link=""), 1)[0].link == ""
    assert slowest(Scene().record()) == ()


def test_the_report_links_to_traces_and_to_nothing_else():
    """A link that is no web address is shown, never followed; the page as a whole stays without network."""
    made = record()
    assert b"http://traces/" in render(made, judge(made))
    evil = record(link="javascript:alert(1)//${trace_id}")
    section = traces.section(Material(evil, judge(evil)))
    assert section is not None
    assert "href" not in str(section.body)
    plain = Scene().record()
    assert traces.section(Material(plain, judge(plain))) is None


def test_a_record_that_does_not_say_when_it_began_has_no_spans():
    """Spans need real time; none is invented."""
    made = Scene().record()
    with pytest.raises(RecordError, match="does not say when it began"):
        list(spans_of(made, judge(made).document))


@contextmanager
def receiver(status: int = 200) -> Iterator[tuple[str, list]]:
    """A collector: takes OTLP by HTTP and keeps what it decoded."""
    taken: list = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
            taken.append((self.path, self.headers, proto.ExportTraceServiceRequest.FromString(body)))
            answer = proto.ExportTraceServiceResponse().SerializeToString()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/traces", taken
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_collector_is_sent_every_span_once_as_it_is():
    """Requirement M3: OTLP in protobuf: identities, times, status, attributes, events and links arrive."""
    sent = spans()
    with receiver() as (url, taken):
        assert send(iter(sent), url, headers={"Authorization": "Bearer secret"}) == len(sent)
    assert {path for path, _, _ in taken} == {"/v1/traces"}
    assert {headers["Authorization"] for _, headers, _ in taken} == {"Bearer secret"}
    arrived = [
        span
        for _, _, request in taken
        for one in request.resource_spans
        for scope in one.scope_spans
        for span in scope.spans
    ]
    assert len(arrived) == len(sent)
    by_id = {span.span_id.hex(): span for span in arrived}
    for one in sent:
        span = by_id[one.span]
        assert (span.trace_id.hex(), span.name) == (one.trace, one.name)
        assert (span.start_time_unix_nano, span.end_time_unix_nano) == (one.start_ns, one.end_ns)
        assert span.parent_span_id.hex() == one.parent
        assert bool(span.status.code == span.status.STATUS_CODE_ERROR) is bool(one.bad)
        assert {pair.key for pair in span.attributes} == set(one.attributes)
        assert [event.name for event in span.events] == [name for _, name in one.events]
        assert [link.span_id.hex() for link in span.links] == [other for _, other in one.links]


def test_many_spans_are_sent_in_several_requests():
    """A day's run has more than any collector takes at once."""
    (first, *_) = spans()
    many = [replace(first, span=f"{number:016x}") for number in range(1, 1301)]
    with receiver() as (url, taken):
        assert send(iter(many), url) == 1300
    assert len(taken) == 3


def test_a_collector_that_refuses_is_told():
    """Not an answer of success: an error, never silence."""
    with receiver(400) as (url, _), pytest.raises(EnvironmentNotReady, match="did not take"):
        send(iter(spans()), url)


def test_identities_are_whole_and_not_zero():
    """W3C allows neither."""
    for span in spans():
        assert (len(span.trace), len(span.span)) == (32, 16)
        assert int(span.trace, 16) > 0
        assert int(span.span, 16) > 0
    assert json.dumps([span.name for span in spans()])

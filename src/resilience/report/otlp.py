"""Sends spans to a collector of OpenTelemetry: OTLP by HTTP, with the SDK's own exporter.

Needs the extra `tracing`, which is imported only here and only when something is sent.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING

from resilience import __version__
from resilience.errors import EnvironmentNotReady
from resilience.report.spans import Span

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

BATCH = 512
"""Spans of one request."""


def send(
    spans: Iterable[Span], endpoint: str, *, headers: Mapping[str, str] | None = None, timeout_s: float = 10.0
) -> int:
    """Send all spans; returns how many.

    Args:
        spans: what is sent.
        endpoint: the address that takes them, whole: `http://127.0.0.1:4318/v1/traces`.
        headers: of each request, such as a token.
        timeout_s: for one request, with the exporter's own repetitions.

    Raises:
        EnvironmentNotReady: the library is not installed, or the collector did not take them.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http import Compression  # noqa: PLC0415 - see above
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - see above
        from opentelemetry.sdk.trace.export import SpanExportResult  # noqa: PLC0415 - see above
    except ModuleNotFoundError as error:
        msg = f"sending traces needs the Python module {error.name!r}: pip install 'resilience[tracing]'"
        raise EnvironmentNotReady(msg) from error
    exporter = OTLPSpanExporter(
        endpoint=endpoint, headers=dict(headers or {}), timeout=timeout_s, compression=Compression.Gzip
    )
    count, waiting = 0, _readable(spans)
    try:
        while batch := list(islice(waiting, BATCH)):
            if exporter.export(batch) is not SpanExportResult.SUCCESS:
                msg = f"{endpoint} did not take {len(batch)} spans ({count} before them were taken)"
                raise EnvironmentNotReady(msg)
            count += len(batch)
    finally:
        exporter.shutdown()  # type: ignore[no-untyped-call]  # of the library
    return count


def _readable(spans: Iterable[Span]) -> "Iterator[ReadableSpan]":
    """Spans as the SDK has them."""
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - see above
    from opentelemetry.sdk.trace import Event, ReadableSpan  # noqa: PLC0415 - see above
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: PLC0415 - see above
    from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags  # noqa: PLC0415 - see above

    resource = Resource.create({"service.name": "resilience", "service.version": __version__})
    scope = InstrumentationScope("resilience", __version__)
    flags = TraceFlags(TraceFlags.SAMPLED)

    def context(trace: str, span: str) -> SpanContext:
        return SpanContext(int(trace, 16), int(span, 16), is_remote=False, trace_flags=flags)

    for span in spans:
        yield ReadableSpan(
            span.name,
            context=context(span.trace, span.span),
            parent=context(span.trace, span.parent) if span.parent else None,
            resource=resource,
            attributes=dict(span.attributes),
            events=[Event(name, timestamp=at_ns) for at_ns, name in span.events],
            links=[Link(context(*other)) for other in span.links],
            kind=SpanKind.CLIENT if span.client else SpanKind.INTERNAL,
            status=Status(StatusCode.ERROR, span.bad) if span.bad else Status(StatusCode.OK),
            start_time=span.start_ns,
            end_time=span.end_ns,
            instrumentation_scope=scope,
        )

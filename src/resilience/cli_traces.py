"""The command `resilience traces`."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from resilience.report.spans import Traced


@click.command()
@click.argument("folder", metavar="RUN", type=click.Path(file_okay=False, path_type=Path))
@click.option("--to", "endpoint", metavar="URL", help="Send all spans there by OTLP: http://127.0.0.1:4318/v1/traces.")
@click.option(
    "--most", type=click.IntRange(1), default=20, show_default=True, help="How many of the slowest are shown."
)
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON and nothing else.")
def traces(folder: Path, endpoint: str | None, most: int, as_json: bool) -> None:
    """Show the slowest operations that were sent with a trace; or send a run as spans to a collector.

    \b
    Example: resilience traces runs/latest --to http://127.0.0.1:4318/v1/traces
    """  # noqa: D301 - \b is click's mark for a paragraph that is not wrapped
    from resilience.judge.verdict import judge
    from resilience.record.folder import recorded
    from resilience.record.reader import read_record
    from resilience.report.spans import slowest, spans_of

    record = read_record(recorded(folder))
    found, sent = slowest(record, most), None
    if endpoint is not None:
        from resilience.report.otlp import send

        sent = send(spans_of(record, judge(record).document), endpoint)
    if as_json:
        click.echo(json.dumps({"sent": sent, "slowest": [asdict(one) for one in found]}, indent=2, ensure_ascii=False))
        return
    if sent is not None:
        click.echo(f"{sent} spans were sent to {endpoint}")
        return
    _print(found)


def _print(found: "Sequence[Traced]") -> None:
    from rich.console import Console
    from rich.table import Column, Table

    from resilience.text import instant, milliseconds, printable

    if not found:
        click.echo("no operation was sent with a trace: add tracing: {share: 0.01} to the load")
        return
    table = Table("response time", "operation", "at", "outcome", Column("trace", overflow="fold"))
    for one in found:
        table.add_row(
            milliseconds(one.response_s * 1000),
            printable(one.operation),
            instant(one.arrival_s),
            one.outcome,
            printable(one.link or one.trace),
        )
    Console().print(table)


COMMANDS = (traces,)

"""The command `resilience bottlenecks`."""

import json
from pathlib import Path

import click

RUN = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.argument("folder", metavar="RUN", type=RUN)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON and nothing else.")
def bottlenecks(folder: Path, as_json: bool) -> None:
    """Say what was the limit while the target of RUN was saturated, with evidence, and what was unusual.

    \b
    Example: resilience bottlenecks runs/latest
    """  # noqa: D301 - \b is click's mark for a paragraph that is not wrapped
    from rich.console import Console

    from resilience.judge.case import prepare
    from resilience.judge.insights import insights
    from resilience.record.folder import recorded
    from resilience.record.reader import read_record
    from resilience.report.bottlenecks import print_bottlenecks

    told = insights(prepare(read_record(recorded(folder))))
    if as_json:
        click.echo(json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        print_bottlenecks(told, Console())


COMMANDS = (bottlenecks,)

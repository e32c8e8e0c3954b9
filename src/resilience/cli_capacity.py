"""The command `resilience capacity`."""

import json
import sys
from pathlib import Path
from typing import Any

import click

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=FILE)
@click.option("--seed", type=int, help="Seed of everything random; drawn and recorded if not given.")
@click.option("--stack", envvar="RESILIENCE_STACK", help="Run on this stack instead of the file's.")
@click.option(
    "--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Folder for records."
)
@click.option("--plan", "only_plan", is_flag=True, help="Say what would be done and how long it takes; touch nothing.")
@click.option("--settle", is_flag=True, help="Settle what dead runs still owe, without asking.")
@click.option("--consent", multiple=True, metavar="NAME", help="Touch this, although it looks like production.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON and nothing else.")
def capacity(file: Path, runs: Path, only_plan: bool, as_json: bool, **told: Any) -> None:  # noqa: ANN401 - options
    """Measure how throughput grows with users and copies, and plan for a demand; exit 0 pass, 1 fail, 2 unknown.

    \b
    Example: resilience capacity experiments/search/capacity.yaml --seed 7
    """  # noqa: D301 - \b is click's mark for a paragraph that is not wrapped
    from resilience.ctk.capacity import capacity_file, outline
    from resilience.ctk.steered import Options, load_for

    if not only_plan:
        sys.exit(capacity_file(file, Options(runs=runs, as_json=as_json, **told)))
    document, lines = outline(load_for(file, "capacity"))
    click.echo(json.dumps(document, indent=2, ensure_ascii=False) if as_json else "\n".join(lines))


COMMANDS = (capacity,)

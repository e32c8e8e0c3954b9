"""The command `resilience search`."""

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
@click.option(
    "--plan", "only_plan", is_flag=True, help="Say what would be done and how long it may take; touch nothing."
)
@click.option("--settle", is_flag=True, help="Settle what dead runs still owe, without asking.")
@click.option("--consent", multiple=True, metavar="NAME", help="Touch this, although it looks like production.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON and nothing else.")
def search(file: Path, runs: Path, only_plan: bool, as_json: bool, **told: Any) -> None:  # noqa: ANN401 - options
    """Find the load, or the strength of a fault, at which objectives break; exit 0 pass, 1 fail, 2 unknown.

    \b
    Example: resilience search experiments/search/break-point.yaml --seed 7
    """  # noqa: D301 - \b is click's mark for a paragraph that is not wrapped
    from resilience.ctk.searching import outline, prepare, search_file
    from resilience.ctk.steered import Options, load_for

    if not only_plan:
        sys.exit(search_file(file, Options(runs=runs, as_json=as_json, **told)))
    document, lines = outline(prepare(load_for(file, "search")))
    click.echo(json.dumps(document, indent=2, ensure_ascii=False) if as_json else "\n".join(lines))


COMMANDS = (search,)

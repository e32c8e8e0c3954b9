"""The commands of `resilience` about what is in place, owed or left: `debts`, `reap`, `abort`, `clean`."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path

import click

from resilience.errors import SpecError
from resilience.model import Problem

RUN = click.Path(file_okay=False, path_type=Path)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON and nothing else.")


@click.command()
@json_option
def debts(as_json: bool) -> None:
    """List what is still owed to targets; exit 5 if there is anything."""
    from resilience import reaper
    from resilience.host.files import state_folder

    owed = reaper.list_debts(state_folder())
    _show_problems(owed, as_json=as_json, nothing="nothing is owed to any target")


@click.command()
@click.option("--scan", is_flag=True, help="Show what carries our marks and is in no debt book; settle nothing.")
@click.option("--remove", multiple=True, metavar="NAME", help="With --scan: remove that; repeatable.")
@json_option
def reap(scan: bool, remove: tuple[str, ...], as_json: bool) -> None:
    """Settle what dead runs still owe; exit 5 if something remains."""
    from resilience import reaper
    from resilience import scan as scanning
    from resilience.host.files import state_folder

    if remove and not scan:
        raise SpecError(Problem("--remove", "removes what --scan finds", "add --scan"))
    if scan:
        scanning.remove(state_folder(), remove)
        found = [stray.problem() for stray in scanning.strays(state_folder())]
        _show_problems(found, as_json=as_json, nothing="nothing of ours is about that is in no debt book")
    done = reaper.settle_all(state_folder())
    if not as_json:
        for line in done.settled:
            click.echo(f"settled: {line}")
    _show_problems(done.problems, as_json=as_json, nothing="nothing is owed to any target")


def _show_problems(problems: Iterable[Problem], *, as_json: bool, nothing: str) -> None:
    problems = tuple(problems)
    if as_json:
        document = [{"where": one.where, "message": one.message, "hint": one.hint} for one in problems]
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        for problem in problems:
            click.echo(str(problem))
        if not problems:
            click.echo(nothing)
    sys.exit(5 if problems else 0)


@click.command()
@click.argument("folder", metavar="[RUN]", required=False, default=Path("runs/latest"), type=RUN)
@click.option("--wait", "wait", default="10s", show_default=True, help="Until it has stopped; 0s only asks.")
def abort(folder: Path, wait: str) -> None:
    """Stop a run: its faults are reverted, its verdict cannot pass. The newest run, unless one is named.

    \b
    Exit: 0 stopped, or over already, and nothing is in place · 2 it has not reacted yet
          3 not the folder of a run · 5 something is still in place or owed
    """  # noqa: D301 - \b is click's mark for a paragraph that is not wrapped
    from resilience.host.files import state_folder
    from resilience.runtime import stopping
    from resilience.spec.durations import parse_duration

    patience_s = parse_duration(wait)
    answer = stopping.stop(folder, state_folder(), patience_s)
    click.echo(answer.text, err=answer.code != 0)
    sys.exit(answer.code)


@click.command()
@click.argument("folder", metavar="[RUN]", required=False, default=Path("runs/latest"), type=RUN)
@click.option("--dry-run", is_flag=True, help="Only show what would be removed.")
@click.option("--consent", multiple=True, metavar="NAME", help="Remove from this, although it looks like production.")
@click.option(
    "--declared-in",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Take the removals that this experiment file declares, not those of the record.",
)
@json_option
def clean(folder: Path, dry_run: bool, consent: tuple[str, ...], declared_in: Path | None, as_json: bool) -> None:
    """Remove from the target what a run wrote, and look that it is gone. The newest run, unless one is named.

    \b
    Exit: 0 nothing of it is left (or it was only looked) · 1 something is left · 2 it could not be removed
          3 not the folder of a run, or nothing is declared · 4 not ready; with 3 and 4 nothing was touched
    """  # noqa: D301 - \b is click's mark for a paragraph that is not wrapped
    from resilience.codec import encode
    from resilience.ctk.clean import clean as remove
    from resilience.errors import RecordError

    if not folder.exists() and len(folder.parts) == 1:
        folder = Path("runs") / folder
    try:
        done = remove(folder, dry_run=dry_run, consent=consent, declared_in=declared_in)
    except RecordError as error:
        for problem in error.problems:
            click.echo(str(problem), err=True)
        sys.exit(2)
    if as_json:
        click.echo(json.dumps({**encode(done), "exit": done.exit_code}, indent=2, ensure_ascii=False))  # type: ignore[dict-item]
        sys.exit(done.exit_code)
    for place in done.places:
        told = f"{place.found:,} would be removed" if place.removed is None else f"{place.removed:,} removed"
        click.echo(f"{place.where}: {told}")
    if done.left is not None:
        click.echo(f"run {done.run}: {'nothing is left' if not done.left else f'{done.left:,} are left'}")
    sys.exit(done.exit_code)


COMMANDS: tuple[click.Command, ...] = (debts, reap, abort, clean)
"""What the program takes from here."""

"""What dead runs left behind, found before a run begins and offered for settling.

On a terminal whoever starts the run is asked; without one the run is refused with the command that settles. Nothing is
settled unasked: what is owed may be somebody's evidence, and the target may be in use by now.
"""

import sys
import time
from pathlib import Path

import click

from resilience import reaper
from resilience.errors import DebtsOutstanding
from resilience.host.files import state_folder
from resilience.model import Problem
from resilience.runtime import debts
from resilience.runtime.debts import Page

REAPER_S = 3.0
"""A run that died just now has a reaper that is still at work: so long it is waited for."""


def settle_leftovers(*, settle: bool) -> None:
    """Return once nothing is owed by dead runs. What living runs owe is their own business.

    Args:
        settle: without asking.

    Raises:
        DebtsOutstanding: something is owed, and was not to be settled, or could not be.
    """
    folder = state_folder()
    pages = _left(folder)
    if not pages:
        return
    problems = tuple(problem for page in pages for problem in debts.problems_of(page))
    if not settle and not _agreed(problems):
        hint = "settle it with `resilience reap`, or start the run with --settle"
        raise DebtsOutstanding(Problem(problem.where, problem.message, hint) for problem in problems)
    report = reaper.settle_all(folder)
    for line in report.settled:
        click.echo(f"settled: {line}", err=True)
    if report.problems:
        raise DebtsOutstanding(report.problems)


def _left(folder: Path) -> tuple[Page, ...]:
    """The books of dead runs in which something is owed, once their reapers had their time."""
    deadline = time.monotonic() + REAPER_S
    while True:
        pages = tuple(page for page in debts.outstanding(folder) if not page.owner_alive)
        if not pages or time.monotonic() > deadline:
            return pages
        time.sleep(0.05)


def _agreed(problems: tuple[Problem, ...]) -> bool:
    """Ask on the terminal; no, if there is none."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    click.echo("earlier runs died and left something behind:", err=True)
    for problem in problems:
        click.echo(f"  {problem.where}: {problem.message}", err=True)
    return click.confirm("settle it now?", default=True, err=True)

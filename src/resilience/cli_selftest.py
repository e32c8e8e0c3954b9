"""The command `resilience selftest`: what can be said to it, and what it shows while it goes on and in the end."""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import click

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from resilience.drill.selftest.keeping import Done, Kept
    from resilience.drill.selftest.rows import Matrix
    from resilience.drill.selftest.trials import Choice, Trial

FILE = click.Path(dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)
PAGE = "docs/reference/selftest-matrix.md"
MARK = "<!-- the matrix -->"
"""In the page, what follows this is written by the command."""
_SHOWN = 160
_WIDE = 200
"""So many characters a line has where there is no terminal."""


@click.command()
@click.option("--bug", "names", multiple=True, metavar="NAME", help="Only this row, B02 or H3; repeatable.")
@click.option("--only", type=click.Choice(["healthy", "bugs", "harness"]), help="Only runs of this kind.")
@click.option(
    "--experiment",
    "experiments",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Only this experiment; one that no row names is run on the healthy target. Repeatable.",
)
@click.option("--times", type=click.IntRange(1, 10_000), default=1, show_default=True, help="How often each.")
@click.option("--healthy", type=click.IntRange(1, 10_000), help="How often each experiment on the healthy target.")
@click.option("--without", type=click.IntRange(1, 10_000), help="How often each bug without its fault.")
@click.option("--jobs", type=click.IntRange(1, 256), help="How many runs at once; by cores and load if not given.")
@click.option("--matrix", "folder", type=FOLDER, help="Folder of the rows.  [default: fixtures/selftest]")
@click.option("--out", type=FOLDER, default=Path("selftest-runs"), show_default=True, help="Folder for records.")
@click.option("--list", "listing", is_flag=True, help="Show what would be run, and how long it takes; run nothing.")
@click.option("--resume", is_flag=True, help="Go on with the newest in --out, with what it was asked for.")
@click.option("--again", is_flag=True, help="Go on, and run what could not tell once more; both are shown.")
@click.option(
    "--write-docs", "page", type=FILE, is_flag=False, flag_value=PAGE, help=f"Write the tables to a page.  [{PAGE}]"
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON and nothing else.")
@click.pass_context
def selftest(
    context: click.Context,
    /,
    *,
    out: Path,
    jobs: int | None,
    listing: bool,
    resume: bool,
    again: bool,
    page: Path | None,
    as_json: bool,
    **wanted: Any,  # noqa: ANN401 - what is chosen, and where
) -> None:
    """Show that planted bugs are told for the right reason, and that defects of the tool itself never pass.

    \b
    Example: resilience selftest --bug B02 --times 3
             resilience selftest --healthy 59 --experiment experiments/redis-failure.yaml
    """  # noqa: D301 - \b is click's mark for a paragraph that is not wrapped
    from rich.console import Console

    from resilience.drill.selftest import keeping, machine, rows, tables, trials
    from resilience.drill.selftest.conduct import conduct, missing
    from resilience.drill.selftest.programs import run as run_program
    from resilience.drill.selftest.trials import AROUND_S
    from resilience.host import namespace

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    matrix = rows.read_matrix((wanted["folder"] or rows.DEFAULT).absolute())
    resumed = keeping.read(out) if resume or again else None
    choice = _choice(wanted) if resumed is None else resumed.choice
    experiments = trials.experiments_of(matrix, choice)
    own_network = not namespace.may_change_network()
    stories = {path: trials.look(path, own_network=own_network) for path in experiments}
    every = trials.lay_out(matrix, choice, stories)
    at_once = jobs or machine.jobs()
    if resumed is not None:
        resumed = resumed.of(every)
        if resumed.outdated:
            count = len(resumed.outdated)
            console.print(f"{count} results are of rows or experiments that have changed since, and do not count")
    if listing:
        left = every if resumed is None else missing(every, resumed, again=again)
        _list(left, at_once, AROUND_S if resumed is None else resumed.around_s(every), as_json=as_json)
        if page is not None and resumed is not None:
            _write(page, tables.markdown(matrix, resumed))
        return
    kept = resumed or keeping.begin(out, choice, machine.describe(at_once))
    left = missing(every, kept, again=again)
    around_s = kept.around_s(every)
    console.print(_announced(left, at_once, around_s) if left else "nothing is left to run", markup=False)
    run = context.obj or run_program  # whoever calls this from Python may run trials in another way
    with Screen(console, left, at_once, around_s) as screen:
        kept = conduct(left, kept, run, jobs=at_once, watcher=screen.watcher())
    if page is not None:
        _write(page, tables.markdown(matrix, kept))
    _show(matrix, kept, every, as_json=as_json)
    sys.exit(tables.code_for(every, kept))


def _choice(wanted: Mapping[str, Any]) -> "Choice":
    from resilience.drill.selftest.trials import Choice

    return Choice(
        names=wanted["names"],
        only=wanted["only"] or "",
        experiments=tuple(path.resolve() for path in wanted["experiments"]),
        times=wanted["times"],
        healthy=wanted["healthy"] or 0,
        without=wanted["without"] or 0,
    )


def _announced(every: Sequence["Trial"], jobs: int, around_s: float) -> str:
    """How much it is and how long it will take, before it begins."""
    from resilience.drill.selftest.trials import estimate_s

    experiments = len({trial.experiment for trial in every})
    alone = sum(trial.alone for trial in every)
    said = f"{len(every)} runs of {experiments} experiments, {jobs} at once"
    said += f", {alone} of them alone" if alone else ""
    return f"{said}: about {_minutes(estimate_s(every, jobs, around_s))}"


def _minutes(length_s: float) -> str:
    return f"{length_s:.0f} s" if length_s < 120 else f"{length_s / 60:.0f} min"  # noqa: PLR2004 - two minutes


def _list(every: Sequence["Trial"], jobs: int, around_s: float, *, as_json: bool) -> None:
    from resilience.drill.selftest.trials import estimate_s

    if as_json:
        listed = [
            {
                "name": trial.name,
                "kind": trial.kind.value,
                "about": trial.about,
                "experiment": str(trial.experiment),
                "planned_s": trial.planned_s,
                "alone": trial.alone,
            }
            for trial in every
        ]
        _print({"runs": listed, "jobs": jobs, "estimate_s": estimate_s(every, jobs, around_s)})
        return
    for trial in every:
        alone = ", alone" if trial.alone else ""
        click.echo(f"{trial.name}: {trial.kind.value}, {trial.experiment.name}, {trial.planned_s:.0f} s{alone}")
    click.echo(_announced(every, jobs, around_s))


def _print(document: object) -> None:
    click.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))


def _write(page: Path, tables: str) -> None:
    head, mark, _ = (page.read_text(encoding="utf-8") if page.is_file() else "").partition(MARK)
    page.write_text(f"{head}{mark}\n\n{tables}" if mark else tables, encoding="utf-8")


def _show(matrix: "Matrix", kept: "Kept", every: Sequence["Trial"], *, as_json: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    from resilience.drill.selftest import tables
    from resilience.text import printable

    if as_json:
        _print(tables.document(matrix, kept, every))
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDE)
    table = Table("row", "kind", "must be", "told", "as it must", "outcome")
    found = [line for line in tables.lines(matrix, kept) if line.tried]
    for line in found:
        again = f", {line.again} again" if line.again else ""
        outcome = "" if line.outcome is None else line.outcome.value
        table.add_row(line.name, line.kind.value, line.must, ", ".join(line.told), f"{line.seen}{again}", outcome)
    console.print(table)
    for line in found:
        for sentence in line.odd:
            console.print(printable(sentence), markup=False, soft_wrap=True)
    console.print(f"records: {kept.folder}", markup=False, soft_wrap=True)


class Screen:
    """What is shown while it goes on: a table that moves in a terminal, a line for each run without one.

    Args:
        console: where.
        trials: what is to be run.
        jobs: how many at once.
        around_s: how much longer than planned a run takes.
    """

    def __init__(self, console: "Console", trials: Sequence["Trial"], jobs: int, around_s: float) -> None:
        """Nothing is shown yet."""
        from rich.live import Live

        self._console, self._jobs, self._around_s = console, jobs, around_s
        self._longer: list[float] = []
        self._left = {trial.name: trial for trial in trials}
        self._running: dict[str, float] = {}
        self._over: dict[str, int] = {}
        moving = console.is_terminal and not console.is_dumb_terminal
        self._live = Live(get_renderable=self._render, console=console, refresh_per_second=2) if moving else None

    def __enter__(self) -> Self:
        """Begin to show."""
        if self._live is not None and self._left:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """What was shown last stays."""
        if self._live is not None:
            self._live.stop()

    def watcher(self) -> Any:  # noqa: ANN401 - a Watcher, which is imported when it is needed
        """Who is told."""
        from resilience.drill.selftest.conduct import Watcher

        return Watcher(begun=self._begun, ended=self._ended)

    def _begun(self, trial: "Trial") -> None:
        self._running[trial.name] = time.monotonic()

    def _ended(self, done: "Done") -> None:
        from resilience.drill.selftest.answers import Outcome
        from resilience.text import printable

        self._running.pop(done.trial, None)
        trial = self._left.pop(done.trial, None)
        if trial is not None:  # what runs really take is known the better the longer it goes on
            self._longer.append(done.took_s - trial.planned_s)
            self._around_s = max(0.0, sum(self._longer) / len(self._longer))
        self._over[done.outcome.value] = self._over.get(done.outcome.value, 0) + 1
        told = f" ({', '.join(done.classes)})" if done.classes else ""
        line = f"{done.trial}: {done.outcome.value}{told}, {done.took_s:.0f} s"
        if done.outcome is not Outcome.RIGHT:
            line += f": {done.because}"
        self._console.print(printable(line), markup=False)

    def _render(self) -> "RenderableType":
        from rich.table import Table

        from resilience.drill.selftest.trials import estimate_s

        table = Table("runs", "for", "of about")
        for name, since in list(self._running.items()):
            trial = self._left.get(name)
            if trial is not None:
                table.add_row(name, f"{time.monotonic() - since:.0f} s", f"{trial.planned_s:.0f} s")
        over = ", ".join(f"{count} {name}" for name, count in self._over.items()) or "none yet"
        left = list(self._left.values())
        table.caption = (
            f"{len(left)} left, about {_minutes(estimate_s(left, self._jobs, self._around_s))}; over: {over}"[:_SHOWN]
        )
        return table


COMMANDS = (selftest,)

"""The program `resilience`. Commands import what they need when they run, so that `--help` is quick.

Exit codes: 0 pass · 1 fail · 2 unknown · 3 the file is wrong, nothing was touched · 4 the environment is not ready,
nothing was touched · 5 debts outstanding.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from resilience import (
    __version__,
    cli_bottlenecks,
    cli_capacity,
    cli_compare,
    cli_performance,
    cli_report,
    cli_safety,
    cli_search,
    cli_selftest,
    cli_shorten,
    cli_stack,
    cli_traces,
    cli_workers,
)
from resilience.errors import ResilienceError, SpecError
from resilience.model import Problem

if TYPE_CHECKING:
    from resilience.ctk.run import Options

FILE = click.Path(dir_okay=False, path_type=Path)
RUN = click.Path(file_okay=False, path_type=Path)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON and nothing else.")


class _Group(click.Group):
    """Shows our errors as their problems and ends with their exit code; a wrong command line is 3, like a bad file."""

    def main(self, *words: Any, **options: Any) -> NoReturn:  # noqa: ANN401 - click's own signature
        try:
            code = super().main(*words, **{**options, "standalone_mode": False})
        except click.ClickException as error:
            error.show()
            code = SpecError.exit_code if isinstance(error, click.UsageError) else error.exit_code
        except click.Abort:
            code = 2
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own signature
        try:
            return super().invoke(ctx)
        except ResilienceError as error:
            for problem in error.problems:
                click.echo(str(problem), err=True)
            ctx.exit(error.exit_code)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Chaos and load experiments with a verdict that can be trusted."""


def _print(document: object) -> None:
    click.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))


@main.command()
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.option("--seed", type=int, help="Seed of everything random; drawn and recorded if not given.")
@click.option("--stack", envvar="RESILIENCE_STACK", help="Run on this stack instead of the file's.")
@click.option(
    "--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Folder for records."
)
@click.option("--settle", is_flag=True, help="Settle what dead runs still owe, without asking.")
@click.option("--consent", multiple=True, metavar="NAME", help="Touch this, although it looks like production.")
@click.option("--baseline", type=FILE, help="Compare with these earlier runs; worse by more than the margin fails.")
@click.option("--repeat", type=click.IntRange(1, 1000), help="Run one file so often, and judge all of it together.")
@json_option
def run(files: tuple[Path, ...], runs: Path, as_json: bool, repeat: int | None, **told: Any) -> None:  # noqa: ANN401 - options of a run
    """Run experiments, one after the other, and end with the worst verdict.

    \b
    Example: resilience run experiments/redis-failure.yaml --seed 7
    """  # noqa: D301 - \b is click's mark for a paragraph that is not wrapped
    from resilience.ctk.run import Options, load_file, run_file

    options = Options(runs=runs, as_json=as_json, **told)
    if repeat is not None:
        sys.exit(_repeated(files, options, repeat))
    if len(files) == 1:
        sys.exit(run_file(files[0], options))
    problems = []
    for file in files:
        try:
            load_file(file)
        except ResilienceError as error:
            problems += [
                Problem(f"{file}: {problem.where}", problem.message, problem.hint) for problem in error.problems
            ]
    if problems:
        raise SpecError(problems)
    # chaostoolkit keeps its state in module globals: one run per process.
    sys.exit(_worst([_run_apart(file, options) for file in files]))


def _repeated(files: tuple[Path, ...], options: "Options", count: int) -> int:
    """Run one file several times, from seeds that follow each other, and show what that comes to."""
    import secrets
    from dataclasses import replace

    from rich.console import Console

    from resilience.ctk.run import load_file
    from resilience.drill.repeat import conduct, print_repeats

    if len(files) != 1:
        raise SpecError(Problem("--repeat", f"{len(files)} files were given", "give one"))
    load_file(files[0])
    first = secrets.randbits(31) if options.seed is None else options.seed
    quiet = replace(options, as_json=False)
    code, made = conduct(
        lambda seed: _run_apart(files[0], replace(quiet, seed=seed), quiet=options.as_json),
        options.runs,
        list(range(first, first + count)),
    )
    if made is not None and options.as_json:
        _print(made.json())
    elif made is not None:
        print_repeats(made, Console())
    return code


def _worst(codes: Iterable[int]) -> int:
    """The code that matters most: debts, environment, file, fail, unknown, pass."""
    order = [0, 2, 1, 3, 4, 5]
    return max(codes, key=lambda code: order.index(code) if code in order else len(order))


def _run_apart(file: Path, options: "Options", *, quiet: bool = False) -> int:
    """Run one file in a process of its own; whatever signal ends us is handed to it, and it reverts.

    What it prints goes to standard error if it is to be `quiet`.
    """
    import signal
    import subprocess

    argv = [sys.executable, "-m", "resilience.cli", "run", str(file), "--runs", str(options.runs)]
    argv += ["--seed", str(options.seed)] if options.seed is not None else []
    argv += ["--stack", options.stack] if options.stack else []
    argv += ["--settle"] if options.settle else []
    argv += [word for name in options.consent for word in ("--consent", name)]
    argv += ["--baseline", str(options.baseline)] if options.baseline else []
    argv += ["--json"] if options.as_json else []
    process = subprocess.Popen(argv, start_new_session=True, stdout=sys.stderr if quiet else None)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: process.send_signal(number))
    return process.wait()


@main.command()
@click.argument("files", nargs=-1, required=True, type=FILE)
@json_option
def validate(files: tuple[Path, ...], as_json: bool) -> None:
    """Check experiment files without touching anything; list every problem."""
    from resilience.ctk.run import load_file

    found: dict[str, list[Problem]] = {}
    for file in files:
        try:
            load_file(file)
        except ResilienceError as error:
            found[str(file)] = list(error.problems)
    if as_json:
        _print(
            {
                str(file): [
                    {"where": problem.where, "message": problem.message, "hint": problem.hint}
                    for problem in found.get(str(file), [])
                ]
                for file in files
            }
        )
    else:
        for file in files:
            for problem in found.get(str(file), []):
                click.echo(f"{file}: {problem}", err=True)
            if str(file) not in found:
                click.echo(f"{file}: valid")
    sys.exit(3 if found else 0)


@main.command()
@click.argument("file", type=FILE)
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of everything random.")
@json_option
def plan(file: Path, seed: int, as_json: bool) -> None:
    """Show what would be done, and how it would be undone, without touching anything."""
    from resilience.ctk.outline import as_document, print_outline
    from resilience.ctk.run import load_file, plan_for
    from resilience.spec.resolve import resolve

    experiment = resolve(load_file(file), seed)
    planned = plan_for(experiment, seed)
    if as_json:
        _print(as_document(experiment, planned))
    else:
        print_outline(experiment, planned)


@main.command()
def schema() -> None:
    """Print the JSON Schema of experiment files, for editors."""
    from resilience.spec.schema import schema as document

    _print(document())


@main.command()
@click.argument("folder", metavar="RUN", type=RUN)
@click.option("--baseline", type=FILE, help="Compare with these earlier runs instead of those that it was run with.")
@json_option
def check(folder: Path, baseline: Path | None, as_json: bool) -> None:
    """Judge a record again; the record itself is not changed."""
    from rich.console import Console

    from resilience.ctk.baselines import against
    from resilience.judge.verdict import judge
    from resilience.record.folder import recorded
    from resilience.record.reader import read_record
    from resilience.report.summary import print_summary

    verdict = judge(against(read_record(recorded(folder)), baseline))
    if as_json:
        _print(verdict.document)
    else:
        print_summary(verdict, str(folder), Console())
    sys.exit(verdict.answer.exit_code)


for command in (
    *cli_bottlenecks.COMMANDS,
    *cli_capacity.COMMANDS,
    *cli_compare.COMMANDS,
    *cli_performance.COMMANDS,
    *cli_report.COMMANDS,
    *cli_safety.COMMANDS,
    *cli_search.COMMANDS,
    *cli_selftest.COMMANDS,
    *cli_shorten.COMMANDS,
    *cli_stack.COMMANDS,
    *cli_traces.COMMANDS,
    *cli_workers.COMMANDS,
):
    main.add_command(command)


@main.command("kill-matrix")
@click.argument("file", type=FILE, required=False)
@click.option("--kinds", help="Only these kinds of fault, with commas.")
@click.option("--moments", help="Only these moments of a lease, with commas.")
@click.option("--signals", help="Only these signals, with commas: INT, TERM, HUP, KILL, STOP.")
@click.option("--scope", type=click.Choice(["quick", "full"]), default="quick", show_default=True, help="How much.")
@click.option("--markdown", "page", type=FILE, help="Write the table to this file, too.")
@json_option
def kill_matrix(
    file: Path | None,
    kinds: str | None,
    moments: str | None,
    signals: str | None,
    scope: str,
    page: Path | None,
    as_json: bool,
) -> None:
    """Kill a runner at every moment of every fault, and look for what is left; exit 1 if anything is.

    With FILE the faults of that experiment are tried on its stack; without it every kind, on servers of our own.
    """
    from resilience.ctk.leftovers import settle_leftovers
    from resilience.drill.killing import TABLE, Wanted, kill

    settle_leftovers(settle=False)
    wanted = Wanted.of(kinds=kinds, moments=moments, signals=signals, scope=scope)
    done = kill(file, wanted, say=lambda line: click.echo(line, err=True))
    if page is not None:
        head, mark, _ = (page.read_text() if page.is_file() else "").partition(TABLE)
        page.write_text(f"{head}{mark}\n\n{done.markdown()}" if mark else done.markdown())
    if as_json:
        _print(done.json())
    else:
        click.echo(done.markdown())
    sys.exit(0 if done.passed else 1)


@main.command()
@json_option
def doctor(as_json: bool) -> None:
    """Find, or fetch, the server programs of the embedded stack; say what else this machine can do, and what not.

    What is missing of the embedded stack ends with exit 4; further abilities are for those who ask for them.
    """
    from resilience.abilities import abilities
    from resilience.codec import encode
    from resilience.stack import programs

    found: list[programs.Program] = []
    problems: list[Problem] = []
    for name in programs.NAMES:
        try:
            found.append(programs.find(name, notify=lambda text: click.echo(text, err=True)))
        except ResilienceError as error:
            problems += error.problems
    able = abilities()
    if as_json:
        listed = [
            {"name": one.name, "path": str(one.path), "version": one.version, "origin": one.origin} for one in found
        ]
        _print(
            {
                "programs": listed,
                "problems": [encode(problem) for problem in problems],
                "abilities": [encode(ability) for ability in able],
            }
        )
    else:
        for one in found:
            click.echo(f"{one.name} {one.version} ({one.origin}: {one.path})")
        for ability in able:
            click.echo(f"{ability.what}: {ability.means or f'not here: {ability.lacking}'}")
        for problem in problems:
            click.echo(str(problem), err=True)
    sys.exit(4 if problems else 0)


if __name__ == "__main__":
    main()

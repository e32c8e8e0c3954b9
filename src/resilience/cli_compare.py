"""The commands `resilience compare`, `baseline` and `history`."""

import json
import sys
from pathlib import Path

import click

FILE = click.Path(dir_okay=False, path_type=Path)
SIDE = click.Path(path_type=Path)
RUN = click.Path(file_okay=False, path_type=Path)
MARGIN = click.option(
    "--margin", type=click.FloatRange(0, 10, min_open=True), default=0.2, show_default=True, help="Harmless share."
)


@click.command()
@click.argument("before", metavar="BEFORE", type=SIDE)
@click.argument("after", metavar="AFTER", type=SIDE)
@MARGIN
@click.option("--anyway", is_flag=True, help="Compare although conditions differ; what differs is told.")
@click.option("--all", "everything", is_flag=True, help="Show every row.")
@click.option("--markdown", "page", type=FILE, help="Write it to this file as Markdown, too.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON and nothing else.")
def compare(
    before: Path, after: Path, margin: float, anyway: bool, everything: bool, page: Path | None, as_json: bool
) -> None:
    """Say what is better, worse or the same in AFTER; each is the folder of a run, or a file with a baseline.

    \b
    Example: resilience compare runs/20260101T120000Z-redis-failure runs/latest
    """  # noqa: D301 - \b is click's mark for a paragraph that is not wrapped
    from rich.console import Console

    from resilience.ctk.baselines import side
    from resilience.judge.regression.compare import compare as compared
    from resilience.judge.regression.part import document
    from resilience.model import Regression
    from resilience.report.compared import markdown
    from resilience.report.comparison import print_comparison

    with _analysis():
        made = document(compared(side(before), side(after).runs, Regression(margin=margin), anyway=anyway))
    if page is not None:
        page.write_text(markdown(made), encoding="utf-8")
    if as_json:
        click.echo(json.dumps(made, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        print_comparison(made, Console(), everything=everything)


@click.command()
@click.argument("runs", metavar="RUN…", nargs=-1, required=True, type=RUN)
@click.option("--out", type=FILE, required=True, help="File to write to; it belongs in git.")
@click.option("--add", is_flag=True, help="Keep the runs that the file holds already.")
@click.option("--anyway", is_flag=True, help="Also runs that were not fit to be judged, or whose conditions differ.")
def baseline(runs: tuple[Path, ...], out: Path, add: bool, anyway: bool) -> None:
    """Write what was measured of runs into a small file that later runs are compared with.

    Several runs tell how much runs differ by themselves; with one that is assumed.

    \b
    Example: resilience baseline runs/latest --out baselines/redis-failure.json
    """  # noqa: D301 - as above
    from resilience.ctk.baselines import measure
    from resilience.errors import SpecError
    from resilience.judge.regression.conditions import differences
    from resilience.judge.regression.part import baseline_of
    from resilience.model import Problem
    from resilience.record.baseline import load_baseline, save_baseline

    kept = load_baseline(out).runs if add and out.is_file() else ()
    made = {run.run: run for run in (*kept, *map(measure, runs))}
    first = next(iter(made.values()))
    problems = []
    for run in made.values():
        if run.unfit:
            problems.append(Problem(run.run, f"was not fit to be judged: {run.unfit}", "leave it out, or --anyway"))
        problems += [
            Problem(run.run, f"{one} differs", "a baseline is of runs under like conditions")
            for one in differences(first.conditions, run.conditions)
            if one.refused
        ]
    if problems and not anyway:
        raise SpecError(problems)
    save_baseline(out, baseline_of(str(first.conditions["experiment"]), list(made.values())))
    click.echo(f"{out}: {len(made)} run{'s' if len(made) > 1 else ''} of {first.conditions['experiment']}")


@click.command()
@click.argument("folder", metavar="[DIR]", default="runs", type=RUN)
@MARGIN
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON and nothing else.")
def history(folder: Path, margin: float, as_json: bool) -> None:
    """Say how the figures of each experiment changed over all runs in a folder; exit 1 if one is worse for good.

    \b
    Example: resilience history runs
    """  # noqa: D301 - as above
    from rich.console import Console

    from resilience.drill.history import histories
    from resilience.report.trends import print_history

    with _analysis():
        found = histories(folder, margin)
    if as_json:
        click.echo(json.dumps([one.json() for one in found], indent=2, ensure_ascii=False, allow_nan=False))
    else:
        print_history(found, Console())
    sys.exit(1 if any(one.alerts for one in found) else 0)


class _analysis:  # noqa: N801 - reads as a statement
    """Says which extra is missing, where it is."""

    def __enter__(self) -> None:
        """Nothing to begin."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """A library that is missing is an environment that is not ready."""
        if isinstance(error, ImportError) and error.name in {"scipy", "scipy.special", "ruptures"}:
            from resilience.errors import EnvironmentNotReady
            from resilience.model import Problem

            hint = "pip install 'resilience[analysis]'"
            raise EnvironmentNotReady(Problem(str(error.name), "is not installed", hint)) from error


COMMANDS = (compare, baseline, history)

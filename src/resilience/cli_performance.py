"""The command `resilience performance`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from resilience.model import Json

FILE = click.Path(dir_okay=False, path_type=Path)
RUN = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.argument("runs", metavar="RUN…", nargs=-1, type=RUN)
@click.option("--before", type=RUN, help="A run before an optimisation.")
@click.option("--after", type=RUN, help="The same after it.")
@click.option("--baseline", "baselines", multiple=True, type=FILE, help="A baseline to list; several times.")
@click.option(
    "--out",
    type=RUN,
    default=Path("docs/performance"),
    show_default=True,
    help="Folder to write to; the pages in it are replaced.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was written and what is missing as JSON.")
def performance(
    runs: tuple[Path, ...],
    before: Path | None,
    after: Path | None,
    baselines: tuple[Path, ...],
    out: Path,
    as_json: bool,
) -> None:
    """Write pages about performance from runs: results, baselines, capacity plan, before and after.

    Each RUN is of a load (normal, peak, stress, soak or any other), a search, or a capacity run. What no run was given
    for is told as missing on its page.

    \b
    Example: resilience performance runs/2026* --before runs/BEFORE --after runs/AFTER \\
                 --baseline baselines/normal.json --out docs/performance
    """  # noqa: D301 - \b is click's mark for a paragraph that is not wrapped
    from resilience.errors import SpecError
    from resilience.host.files import write_durably
    from resilience.model import Problem
    from resilience.record.baseline import load_baseline
    from resilience.report.performance.inputs import Inputs, in_order, take
    from resilience.report.performance.pages import lacking, written

    if (before is None) != (after is None):
        raise SpecError(Problem("--before, --after", "one of them is missing", "give both, or neither"))
    if not (runs or before or baselines):
        raise SpecError(Problem("RUN…", "nothing was given to write of", "name runs, such as runs/2026*"))
    inputs = Inputs(
        runs=in_order([take(run) for run in runs]),
        baselines={_shown(path, out): load_baseline(path) for path in sorted(baselines)},
        before=None if before is None else take(before),
        after=None if after is None else take(after),
        compared={} if before is None or after is None else _compared(before, after),
    )
    out.mkdir(parents=True, exist_ok=True)
    for name, page in written(inputs).items():
        write_durably(out / name, page.encode(), 0o644)
    absent = lacking(inputs)
    if as_json:
        files = [str(out / name) for name in written(inputs)]
        click.echo(json.dumps({"files": files, "missing": absent}, indent=2, ensure_ascii=False))
        return
    for name in written(inputs):
        click.echo(str(out / name))
    for one in absent:
        click.echo(f"missing: {one}", err=True)


def _shown(path: Path, out: Path) -> str:
    """How a baseline is named on a page: as it lies from where the page is, or by its name alone."""
    try:
        return path.resolve().relative_to(out.resolve()).as_posix()
    except ValueError:
        return path.name


def _compared(before: Path, after: Path) -> "dict[str, Json]":
    """As `resilience compare --json` has it; what differs is told, and refused is refused."""
    from resilience.ctk.baselines import side
    from resilience.judge.regression.compare import compare
    from resilience.judge.regression.part import document
    from resilience.model import Regression

    return document(compare(side(before), side(after).runs, Regression()))


COMMANDS = (performance,)

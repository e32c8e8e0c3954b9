"""The command `resilience report`."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from resilience.errors import SpecError
from resilience.model import Problem

if TYPE_CHECKING:
    from resilience.report.material import Material
    from resilience.report.selection import Selection

FILE = click.Path(dir_okay=False, path_type=Path)
RUN = click.Path(file_okay=False, path_type=Path)

FILES = {
    "html": "report.html",
    "pdf": "report.pdf",
    "md": "report.md",
    "csv": "report.csv",
    "json": "report.json",
    "junit": "report.junit.xml",
}
"""Format → name of the file."""


@click.command()
@click.argument("folders", metavar="RUN…", nargs=-1, required=True, type=RUN)
@click.option(
    "--format",
    "formats",
    default="html",
    show_default=True,
    help=f"{', '.join(FILES)}; several with commas.",
)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Folder to write to; the run's own if not given."
)
@click.option("--baseline", type=FILE, help="Compare with these earlier runs instead of those that it was run with.")
@click.option("--from", "from_s", type=float, metavar="S", help="csv, json: only arrivals from this second on.")
@click.option("--to", "to_s", type=float, metavar="S", help="csv, json: only arrivals before this second.")
@click.option("--phase", "phases", multiple=True, metavar="NAME", help="csv, json: only this phase, or this kind.")
@click.option("--operation", "operations", multiple=True, metavar="NAME", help="csv, json: only this operation.")
@click.option("--columns", default="", metavar="A,B,…", help="csv: only these columns.")
def report(
    folders: tuple[Path, ...],
    formats: str,
    out: Path | None,
    baseline: Path | None,
    columns: str,
    **told: Any,  # noqa: ANN401 - what is to be exported
) -> None:
    """Write reports of a record, or one report of several.

    \b
    Examples: resilience report runs/latest --format md,junit
              resilience report runs/2026* --out suite --format html
              resilience report runs/latest --format csv --phase fault --columns arrival_s,operation,response_ms
    """  # noqa: D301 - \b is click's mark for a paragraph that is not wrapped
    from resilience.record.folder import recorded
    from resilience.report.export import write_csv
    from resilience.report.selection import Selection

    wanted = list(dict.fromkeys(formats.split(",")))
    unknown = [
        Problem("--format", f"{name!r} is not one of {', '.join(FILES)}") for name in wanted if name not in FILES
    ]
    selection = Selection(**told)
    if not selection.everything and not {"csv", "json"} & set(wanted):
        unknown.append(Problem("--from, --to, --phase, --operation", "no format that is asked for can be of a part"))
    if columns and "csv" not in wanted:
        unknown.append(Problem("--columns", "no format that is asked for has columns", "--format csv"))
    if len(folders) > 1 and out is None:
        unknown.append(Problem("--out", "several runs have no folder in common", "name a folder with --out"))
    if unknown:
        raise SpecError(unknown)
    for folder in folders:
        recorded(folder)
    target = out or folders[0]
    target.mkdir(parents=True, exist_ok=True)
    read = _Reader(folders, baseline)
    for name in wanted:
        path = target / FILES[name]
        if name == "csv":
            for problem in write_csv(folders, path, selection, tuple(filter(None, columns.split(",")))):
                click.echo(f"{path}: not all is in it: {problem}", err=True)
        else:
            _replace(path, render(name, read.runs, selection))
        click.echo(str(path))


class _Reader:
    """Reads and judges the runs once, when the first report asks for them; an export of samples never does."""

    def __init__(self, folders: Sequence[Path], baseline: Path | None) -> None:
        self._folders, self._baseline = folders, baseline

    @cached_property
    def runs(self) -> "Sequence[Material]":
        """All of them."""
        from resilience.ctk.baselines import against
        from resilience.judge.verdict import judge
        from resilience.record.reader import read_record
        from resilience.report.material import Material

        records = [against(read_record(folder), self._baseline) for folder in self._folders]
        return [Material(record, judge(record)) for record in records]


def _replace(path: Path, content: bytes) -> None:
    """Write a file that is there whole, or as it was before."""
    beside = path.with_name(f".{path.name}.part")
    beside.write_bytes(content)
    beside.replace(path)


def render(name: str, runs: Sequence["Material"], selection: "Selection") -> bytes:
    """A report of these runs in a format other than CSV; the selection is for the series of JSON."""
    from resilience.report import documents, html, junit, markdown, paper

    if name == "json":
        return documents.render(runs, selection)
    if name == "md":
        return markdown.render(*runs)
    if name == "junit":
        return junit.render(*runs)
    return paper.render(runs) if name == "pdf" else html.page(runs)


COMMANDS = (report,)

"""The command `resilience shorten`."""

from pathlib import Path

import click

from resilience.errors import SpecError
from resilience.model import Problem

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=FILE)
@click.option("--times", type=float, default=0.02, show_default=True, help="Factor of all lengths.")
@click.option("--load", type=float, default=1.0, show_default=True, help="Factor of rates and numbers of users.")
@click.option("--out", type=FILE, help="File to write to, ending in .json; standard output if not given.")
def shorten(file: Path, times: float, load: float, out: Path | None) -> None:
    """Write a short variant of an experiment, to try a story of hours in a minute.

    \b
    Example: resilience shorten experiments/load/soak.yaml --times 0.002 --out experiments/load/soak-short.json

    Files that it names are found relative to where the variant lies.
    """  # noqa: D301 - \b is click's mark for a paragraph that is not wrapped
    import json

    from resilience.ctk.run import load_file
    from resilience.spec.parse import parse
    from resilience.spec.shorten import shortened

    problems = [
        Problem(name, f"{factor:g} is no factor", "write a number above 0, such as 0.02")
        for name, factor in (("--times", times), ("--load", load))
        if not 0 < factor < float("inf")
    ]
    if out is not None and out.suffix != ".json":
        problems.append(Problem("--out", f"{str(out)!r} does not end in .json", "the variant is written as JSON"))
    if problems:
        raise SpecError(problems)
    variant = shortened(load_file(file).chaos, times, load)
    text = json.dumps(variant, indent=2, ensure_ascii=False) + "\n"
    target = out or Path("variant.json")
    parse(text.encode(), target.name, str(target.resolve().parent))  # what was right may be wrong when it is short
    if out is None:
        click.echo(text, nl=False)
    else:
        out.write_text(text)


COMMANDS = (shorten,)

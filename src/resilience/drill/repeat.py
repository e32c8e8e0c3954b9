"""The same experiment several times, each time from another seed, judged together."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from resilience.judge.repeats import Repeats, Repetition, repeats, repetition
from resilience.model import Answer, Json
from resilience.record.folder import PLAN, VERDICT
from resilience.text import printable, seconds

STOP = {3, 4, 5}
"""Exit codes after which going on makes no sense: a wrong file, an environment that is not ready, debts outstanding."""


def conduct(run: Callable[[int], int], runs: Path, seeds: list[int]) -> tuple[int, Repeats | None]:
    """Run an experiment once for each seed.

    Args:
        run: runs it with a seed, as a program of its own; returns its exit code.
        runs: the folder of records.
        seeds: one for each repetition.

    Returns:
        The exit code that matters, and what the runs come to; None if they were not gone through with.
    """
    done: list[Repetition] = []
    for seed in seeds:
        before = _folders(runs)
        code = run(seed)
        if code in STOP:
            return code, None
        found = [folder for folder in sorted(_folders(runs) - before) if _seed(folder) == seed]
        document = _document(found[-1] / VERDICT) if found else {}
        done.append(repetition(document, str(found[-1]) if found else "", seed))
    made = repeats(done)
    return made.answer.exit_code, made


def print_repeats(made: Repeats, console: Console) -> None:
    """Print what several runs come to, and a line for each."""
    style = {Answer.PASS: "bold green", Answer.UNKNOWN: "bold yellow", Answer.FAIL: "bold red"}
    console.print()
    console.print(Text(f"{made.answer.value.upper()}  {printable(made.because)}", style[made.answer]), soft_wrap=True)
    if made.recovery_s is not None:
        between = f"{seconds(made.recovery_low_s)} to {seconds(made.recovery_high_s)}"
        console.print(f"recovery: mean {seconds(made.recovery_s)}, {between}", markup=False)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for head in ("run", "seed", "answer", "recovery"):
        table.add_column(head, overflow="fold")
    for one in made.runs:
        answer = Text(one.answer.value, style[one.answer])
        table.add_row(printable(Path(one.folder).name) or "–", str(one.seed), answer, seconds(one.recovery_s))
    console.print(table)
    for one in made.runs:
        if one.answer is not Answer.PASS:
            name = printable(Path(one.folder).name) or f"seed {one.seed}"
            console.print(Text(f"- {name}: {printable(one.because, 300)}", "dim"))


def _folders(runs: Path) -> set[Path]:
    return {one for one in runs.iterdir() if one.is_dir() and not one.is_symlink()} if runs.is_dir() else set()


def _seed(folder: Path) -> object:
    return _document(folder / PLAN).get("seed")


def _document(path: Path) -> Mapping[str, Json]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}

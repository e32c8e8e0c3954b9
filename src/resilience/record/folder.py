"""What is called what in a run folder, and how a new one is made."""

import os
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

from resilience.errors import EnvironmentNotReady, SpecError
from resilience.model import Problem

EXPERIMENT = "experiment.json"
PLAN = "plan.json"
EVENTS = "events.jsonl"
SAMPLES = "samples"
WRITES = "writes"
ACCOUNTS = "accounts"
RESOURCES = "resources"
JOURNAL = "journal.json"
VERDICT = "verdict.json"
BASELINE = "baseline.json"
REPORT = "report.html"
LATEST = "latest"

NEED_BYTES = 200_000_000
"""Free space asked for before a run begins: many times what a run of minutes writes."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def writes_of(folder: Path, account: str = "") -> Path:
    """Where the ledger and the truth of an account are; without a name, of `ledger` itself."""
    return folder / WRITES / ACCOUNTS / account if account else folder / WRITES


def recorded(folder: Path) -> Path:
    """The folder, if a run was recorded in it.

    Raises:
        SpecError: it is no run folder.
    """
    if not (folder / EVENTS).is_file():
        raise SpecError(Problem(str(folder), "this is not the folder of a run that began", "name one of runs/*"))
    return folder


def create(root: Path, name: str, *, at: datetime, need_bytes: int = NEED_BYTES) -> Path:
    """Make the folder of a new run and point `latest` at it.

    Args:
        root: the folder of all runs, ordinarily `runs`; made if it is not there.
        name: of the experiment.
        at: when the run begins, with a time zone.
        need_bytes: free space that must be there.

    Returns:
        `<root>/<UTC time>-<name>`, readable by its owner only. A second run of the same second gets a number.

    Raises:
        EnvironmentNotReady: no space, or the folder cannot be written. Nothing is left behind.
    """
    base = _existing(root)
    _check_space(base, need_bytes)
    made: list[Path] = []
    try:
        _make_parents(root, made)
        run = _make_run(root, f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}-{_UNSAFE.sub('-', name)}")
        made.append(run)
        point_latest(root, run)
    except OSError as error:
        for folder in reversed(made):
            folder.rmdir()
        raise EnvironmentNotReady(
            Problem(
                where=str(root),
                message=f"a run folder cannot be made here: {error}; a folder was expected that this user can write",
                hint="change its owner or mode, or choose another folder for runs",
            )
        ) from error
    return run


def point_latest(root: Path, run: Path) -> None:
    """Make `latest` point at a run, in one step: it is never missing in between."""
    beside = root / f".{LATEST}.{os.getpid()}.new"
    beside.unlink(missing_ok=True)
    beside.symlink_to(run.name)
    try:
        beside.replace(root / LATEST)
    except OSError:
        beside.unlink()
        raise


def _existing(path: Path) -> Path:
    """The path itself or its nearest ancestor that is there."""
    path = path.absolute()
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def _check_space(base: Path, need_bytes: int) -> None:
    free = shutil.disk_usage(base).free
    if free < need_bytes:
        raise EnvironmentNotReady(
            Problem(
                where=str(base),
                message=f"{free / 1e6:.0f} MB are free, at least {need_bytes / 1e6:.0f} MB were expected",
                hint="delete old runs or choose another folder for runs",
            )
        )


def _make_parents(root: Path, made: list[Path]) -> None:
    missing = [folder for folder in (root, *root.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        made.append(folder)


def _make_run(root: Path, wanted: str) -> Path:
    number = 1
    while True:
        run = root / (wanted if number == 1 else f"{wanted}-{number}")
        try:
            run.mkdir(mode=0o700)
        except FileExistsError:
            number += 1
        else:
            return run


def discard(root: Path, run: Path) -> None:
    """Remove the folder of a run that never began; `latest` points at the run before it, if there is one."""
    shutil.rmtree(run, ignore_errors=True)
    link = root / LATEST
    if link.is_symlink() and not link.exists():
        earlier = sorted(folder for folder in root.iterdir() if folder.is_dir() and not folder.is_symlink())
        if earlier:
            point_latest(root, earlier[-1])
        else:
            link.unlink()

"""What is kept of a self-test: one folder, with a folder for each run in it, and an index of what came of them.

    selftest-runs/2026-05-01T120000Z/index.json     what was asked for, on which machine, and every result
    selftest-runs/2026-05-01T120000Z/B02-1/…        the record of a run, its verdict and what it said
    selftest-runs/latest                            points at the newest

The index is replaced as a whole after each run, so a self-test that was interrupted or killed can go on with what is
missing. Nothing that was kept is ever changed: a run that is done again has a number of its own.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from resilience.drill.selftest.answers import Ended, Outcome, Result
from resilience.drill.selftest.trials import AROUND_S, Choice, Kind, Trial
from resilience.errors import SpecError
from resilience.host import files
from resilience.model import Json, Problem

INDEX: Final = "index.json"
LATEST: Final = "latest"
FORMAT: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """One result, as it is kept.

    Attributes:
        trial: its name; `about` the row or experiment; `attempt` from 1.
        exit: of the run; `answer` of its verdict.
        load: mean number of processes that ran or waited on the machine when it was over.
        folder: of the run, in the folder of the self-test.
        digest: of row and experiment: a result of other ones is a result of something else.
    """

    trial: str
    kind: Kind
    about: str
    experiment: str
    number: int
    attempt: int
    outcome: Outcome
    answer: str
    exit: int
    because: str
    classes: Mapping[str, Sequence[str]]
    took_s: float
    at: str
    load: float
    folder: str
    digest: str

    def json(self) -> dict[str, Json]:
        """As in the index."""
        return {**asdict(self), "kind": self.kind.value, "outcome": self.outcome.value}

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """From the index."""
        return cls(**{**row, "kind": Kind(row["kind"]), "outcome": Outcome(row["outcome"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The index.

    Attributes:
        machine: where it was done, in words by name.
        outdated: results of rows or experiments that have changed since; they do not count.
    """

    folder: Path
    begun: str
    choice: Choice
    machine: Mapping[str, str]
    results: tuple[Done, ...] = ()
    outdated: tuple[Done, ...] = ()

    def of(self, trials: Iterable[Trial]) -> Self:
        """The index as far as it is of these trials, as rows and experiments stand now."""
        now_ = {trial.name: digest(trial) for trial in trials}
        valid = tuple(done for done in self.results if now_.get(done.trial) == done.digest)
        gone = tuple(done for done in self.results if done not in valid)
        return replace(self, results=valid, outdated=(*self.outdated, *gone))

    def last(self) -> dict[str, Done]:
        """The last result of each trial."""
        return {done.trial: done for done in self.results}

    def every(self, trial: str) -> tuple[Done, ...]:
        """All results of a trial, in the order in which they came."""
        return tuple(done for done in self.results if done.trial == trial)

    def around_s(self, trials: Iterable[Trial]) -> float:
        """How much longer than planned their runs took on average; what is usual if nothing is known yet."""
        planned = {trial.name: trial.planned_s for trial in trials}
        known = [done.took_s - planned[done.trial] for done in self.results if done.trial in planned]
        return max(0.0, sum(known) / len(known)) if known else AROUND_S

    def place(self, trial: Trial) -> Path:
        """A folder for its next run, not made yet."""
        folder, number = self.folder / trial.name, 1
        while folder.exists():
            number += 1
            folder = self.folder / f"{trial.name}.{number}"
        return folder

    def add(self, trial: Trial, ended: Ended, result: Result, *, folder: Path, load: float) -> "tuple[Kept, Done]":
        """The index with one more result, which is on disk then; and that result."""
        done = Done(
            trial=trial.name,
            kind=trial.kind,
            about=trial.about,
            experiment=trial.experiment.name,
            number=trial.number,
            attempt=len(self.every(trial.name)) + 1,
            outcome=result.outcome,
            answer=result.answer,
            exit=ended.code,
            because=result.because,
            classes={name: list(said) for name, said in result.classes.items()},
            took_s=round(ended.took_s, 1),
            at=now(),
            load=round(load, 2),
            folder=folder.name,
            digest=digest(trial),
        )
        more = replace(self, results=(*self.results, done))
        more.write()
        return more, done

    def write(self) -> None:
        """Put it on disk."""
        choice = {**asdict(self.choice), "experiments": [str(path) for path in self.choice.experiments]}
        document = {
            "format": FORMAT,
            "begun": self.begun,
            "choice": choice,
            "machine": dict(self.machine),
            "results": [done.json() for done in self.results],
            "outdated": [done.json() for done in self.outdated],
        }
        files.write_json(self.folder / INDEX, document, mode=0o644)


def begin(out: Path, choice: Choice, machine: Mapping[str, str]) -> Kept:
    """A new folder, named by the time in UTC."""
    at = datetime.now(UTC)
    out = out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    folder, number = out / at.strftime("%Y-%m-%dT%H%M%SZ"), 1
    while True:
        try:
            folder.mkdir(mode=0o755)
            break
        except FileExistsError:
            number += 1
            folder = out / f"{at:%Y-%m-%dT%H%M%SZ}-{number}"
    folder.chmod(0o755)  # a server's own user must be able to enter it, whatever the umask
    kept = Kept(folder=folder, begun=now(), choice=choice, machine=dict(machine))
    kept.write()
    beside = out / f".{LATEST}.new"
    beside.unlink(missing_ok=True)
    beside.symlink_to(folder.name)
    beside.replace(out / LATEST)
    return kept


def read(out: Path) -> Kept:
    """The newest index.

    Raises:
        SpecError: there is none, or it is not one of ours.
    """
    folder = (out / LATEST).resolve()
    path = folder / INDEX
    try:
        document = json.loads(path.read_bytes())
        choice = document["choice"]
        return Kept(
            folder=folder,
            begun=document["begun"],
            choice=Choice(
                names=tuple(choice["names"]),
                only=choice["only"],
                experiments=tuple(Path(one) for one in choice["experiments"]),
                times=choice["times"],
                healthy=choice["healthy"],
                without=choice.get("without", 0),
            ),
            machine=document["machine"],
            results=tuple(Done.of(row) for row in document["results"]),
            outdated=tuple(Done.of(row) for row in document["outdated"]),
        )
    except FileNotFoundError as error:
        hint = "begin one without --resume, or name its folder with --out"
        raise SpecError(Problem(str(out), "there is no self-test to go on with", hint)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise SpecError(Problem(str(path), f"is not the index of a self-test: {error!r}")) from error


def digest(trial: Trial) -> str:
    """SHA-256 of what is run and what must come of it: the row, the experiment as it stands on disk, the launcher."""
    told = repr((trial.kind, trial.row, trial.words, sorted(trial.environment.items()), sorted(trial.without)))
    return hashlib.sha256(told.encode() + trial.experiment.read_bytes()).hexdigest()


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

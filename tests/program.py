"""Runs the outward programs `chaos` and `resilience` as users do: another process, a folder of its own, a time limit.

The stack's programs are found as the user's are (`RESILIENCE_CACHE` is left alone), so nothing is fetched per test.
"""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from resilience import reaper
from resilience.host import processes
from resilience.model import Identity
from resilience.runtime import debts
from resilience.runtime.debts import Page
from tests.stack.traces import remains

ROOT = Path(__file__).parent.parent
SHIPPED = ROOT / "experiments" / "redis-failure.yaml"

CHAOS = (sys.executable, "-m", "chaostoolkit")
RESILIENCE = (sys.executable, "-m", "resilience.cli")

LENGTHS = {"redis-down": 2, "redis-hung": 2, "service-killed": 1}
"""Faults of the shipped experiment → seconds in the short one."""
RECOVERY_S, AFTER_S, HOLD_S, WARM_UP_S, BASELINE_S = 4, 3, 2, 2, 4

CHANGES_A_RUN = frozenset({"TARGET_BUGS", "TARGET_SLOW", "RESILIENCE_STACK", "RESILIENCE_STATE"})


def clean(environment: Mapping[str, str], **more: str) -> dict[str, str]:
    """An environment without what would change a run, and with what is given."""
    return {name: value for name, value in environment.items() if name not in CHANGES_A_RUN} | more


def short(*faults: str) -> dict[str, Any]:
    """The shipped experiment, shortened, with these of its faults (all, if none is named), as plain data."""
    document = yaml.safe_load(SHIPPED.read_text())
    kept = faults or tuple(LENGTHS)
    method, fault = [], ""
    for step in document["method"]:
        arguments = step["provider"]["arguments"]
        fault = arguments.get("name", fault)
        recovery = arguments.get("phase") == "recovery"
        length = LENGTHS[fault] if "name" in arguments else RECOVERY_S if recovery else AFTER_S
        arguments["duration"] = f"{length}s"
        if fault in kept or arguments.get("phase") == "after":
            method.append(step)
    document["method"] = method
    own = own_block(document)
    own["load"] |= {"warm_up": f"{WARM_UP_S}s", "baseline": f"{BASELINE_S}s"}
    own["recovery"]["hold"] = f"{HOLD_S}s"
    own["stack"]["service"]["environment"] = {"PYTHONPATH": str(ROOT)}  # the experiment is outside the checkout
    left_out = [f"fault({name})" for name in LENGTHS if name not in kept]
    own["objectives"] = [one for one in own["objectives"] if not any(name in one["expression"] for name in left_out)]
    # The machine may be busy with other tests; what must fail here fails by its error rate.
    for one in own["objectives"]:
        one["expression"] = one["expression"].replace("p(95)<100 ", "p(95)<1000 ")
    own["recovery"]["latency_floor"] = "1s"
    return document


def own_block(document: Mapping[str, Any]) -> dict[str, Any]:
    """Our extension in an experiment."""
    own: dict[str, Any] = document["extensions"][0]
    return own


@dataclass(frozen=True)
class Done:
    """What a program did."""

    code: int
    out: str
    err: str


class Started:
    """A program that was started, and what is known of its run from outside: its record and its debts."""

    def __init__(self, words: tuple[str, ...], folder: Path, env: Mapping[str, str], number: int) -> None:
        self.folder = folder
        self.state = Path(env["RESILIENCE_STATE"])
        self._out, self._err = (folder.parent / f"{name}-{number}" for name in ("stdout", "stderr"))
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                words, cwd=folder, env=dict(env), stdin=subprocess.DEVNULL, stdout=out, stderr=err
            )

    def done(self, within_s: float) -> Done:
        """Wait for its end."""
        try:
            code = self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"did not end within {within_s} s: {self.said()}") from None
        return Done(code, self._out.read_text(), self._err.read_text())

    def said(self) -> str:
        """Both outputs so far."""
        return self._out.read_text() + self._err.read_text()

    def until(self, true: Callable[[], object], within_s: float) -> None:
        """Wait until something is true while it runs."""
        deadline = time.monotonic() + within_s
        while not true():
            assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.said()}"
            assert time.monotonic() < deadline, f"not within {within_s} s: {self.said()}"
            time.sleep(0.02)

    def until_event(self, kind: str, name: str = "", within_s: float = 60.0) -> None:
        """Wait until an event is in the record."""
        self.until(lambda: self.event(kind, name), within_s)

    def event(self, kind: str, name: str = "") -> dict[str, Any] | None:
        """The first event of that kind and name; None if there is none yet."""
        return next((one for one in self.events() if one["kind"] == kind and name in ("", one.get("name"))), None)

    def events(self) -> Iterator[dict[str, Any]]:
        """The events so far; a line that is being written is left out."""
        with contextlib.suppress(FileNotFoundError):
            for line in (self.record / "events.jsonl").read_text().splitlines(keepends=True):
                if line.endswith("\n"):
                    yield json.loads(line)

    @property
    def record(self) -> Path:
        """The folder of its run."""
        return (self.folder / "runs" / "latest").resolve()

    def owed(self) -> dict[str, Mapping[str, Any]]:
        """Kind of debt → its data, of everything that was ever written in its book."""
        pages: tuple[Page, ...] = debts.outstanding(self.state)
        return {debt.undo.kind: debt.undo.data for page in pages for debt in page.debts}

    def reaper(self) -> Identity:
        """Its reaper."""
        children = processes.descendants(processes.identify(self.process.pid))
        return next(one for one in children if b"resilience.reaper" in words_of(one))

    def load(self) -> tuple[Identity, ...]:
        """Its load process."""
        return processes.tagged(str(self.owed()["load.process"]["tag"]))


def words_of(identity: Identity) -> bytes:
    """The command line of a process; empty if it is gone."""
    try:
        return Path(f"/proc/{identity.pid}/cmdline").read_bytes()
    except OSError:
        return b""


class Program:
    """The outward programs, in a folder. Remembers the debts of all runs, to find what they left."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self.folder = folder
        self.env = dict(env)
        self._started: list[Started] = []

    @property
    def state(self) -> Path:
        """Where debts and kept stacks are."""
        return Path(self.env["RESILIENCE_STATE"])

    @property
    def runs(self) -> Path:
        """The folder of all records."""
        return self.folder / "runs"

    def write(self, document: Mapping[str, Any], name: str = "short.yaml") -> str:
        """Write an experiment; its name."""
        (self.folder / name).write_text(yaml.safe_dump(dict(document), sort_keys=False))
        return name

    def chaos(self, *words: str, within_s: float = 60.0, **env: str) -> Done:
        """Run `chaos` to its end."""
        return self.start(*CHAOS, *words, **env).done(within_s)

    def resilience(self, *words: str, within_s: float = 60.0, **env: str) -> Done:
        """Run `resilience` to its end."""
        return self.start(*RESILIENCE, *words, **env).done(within_s)

    def start(self, *words: str, **env: str) -> Started:
        """Start a program."""
        started = Started(words, self.folder, self.env | env, len(self._started))
        self._started.append(started)
        return started

    def watch(self, started: Started) -> None:
        """Take care of a program that was started otherwise: it is ended with the others."""
        self._started.append(started)

    def run(self, document: Mapping[str, Any], **env: str) -> Started:
        """Start `chaos run` with an experiment; always the same seed."""
        return self.start(*CHAOS, "run", self.write(document), "--seed", "7", **env)

    def end(self) -> None:
        """End what still runs; reapers settle what it owes, and what is left then is settled here."""
        deadline = time.monotonic()
        for started in self._started:
            if started.process.poll() is None:
                started.process.kill()
                started.process.wait()
                deadline = time.monotonic() + 5.0
        while debts.outstanding(self.state) and time.monotonic() < deadline:
            time.sleep(0.05)
        reaper.settle_all(self.state)


def left_of(owed: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What is left on this machine of the stack and the load of a run, given its debts."""
    found = remains(owed["stack.embedded"]) if "stack.embedded" in owed else []
    load = owed.get("load.process", {}).get("tag", "")
    return found + [f"process {one.pid}" for one in processes.tagged(str(load)) if load]

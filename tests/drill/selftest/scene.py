"""A small matrix in a folder, and a runner that only says what would have come of each run."""

import threading
from pathlib import Path

from resilience.drill.selftest.answers import Ended
from resilience.drill.selftest.trials import Kind
from tests.program import SHIPPED

BUGS = """
bug: {name}
exposed_by: Redis goes away
experiment: ../story.yaml
reported: [lost]
"""
HARNESS = """
mutant: H1
wrong: nothing is injected
experiment: ../story.yaml
exits: [2]
says: never seen
"""
MATRIX = """
environment: {TARGET_BUGS: "${bug}"}
launcher: [python, -m, my.harness, "${mutant}", --]
without_fault: H1
"""


def write_matrix(folder: Path, *names: str, more: str = "", harness: str = HARNESS, matrix: str = MATRIX) -> Path:
    """A matrix with a row for each name; `more` is added to each."""
    (folder / "bugs").mkdir(parents=True)
    (folder / "harness").mkdir()
    (folder / "story.yaml").write_text(SHIPPED.read_text())
    for name in names:
        (folder / "bugs" / f"{name}.yaml").write_text(BUGS.format(name=name) + more)
    if harness:
        (folder / "harness" / "H01.yaml").write_text(harness)
    if matrix:
        (folder / "matrix.yaml").write_text(matrix)
    return folder


def passed(**more) -> Ended:
    return Ended(code=0, document={"answer": "pass", "because": "all is well"}, **more)


def unknown(because="too busy") -> Ended:
    return Ended(code=2, document={"answer": "unknown", "because": because, "parts": []})


def failed(*broken) -> Ended:
    parts = [{"name": "writes", "answer": "fail", "because": "bad"}]
    return Ended(
        code=1,
        document={"answer": "fail", "because": "bad", "parts": parts, "writes": {"broken": list(broken)}},
    )


class Runner:
    """Instead of the program: every run comes to what it must, unless its trial's name is in `instead`."""

    def __init__(self, **instead) -> None:
        self.instead = {name.replace("_", "-"): list(ended) for name, ended in instead.items()}
        self.ran = []
        self.at_once = self.most = 0
        self.company = {}
        self._lock = threading.Lock()

    def __call__(self, trial, folder, stopped) -> Ended:
        """As `programs.run`; its folder is there, and empty."""
        with self._lock:
            assert folder.is_dir()
            assert list(folder.iterdir()) == []
            self.ran.append(trial.name)
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        try:
            return self.comes_to(trial, stopped)
        finally:
            with self._lock:
                self.at_once -= 1

    def comes_to(self, trial, _stopped) -> Ended:
        """What comes of it."""
        given = self.instead.get(trial.name)
        if given:
            return given.pop(0)
        honest = {
            Kind.HEALTHY: passed(),
            Kind.BUG: failed("lost"),
            Kind.WITHOUT: unknown("never seen"),
            Kind.MUTANT: unknown("never seen"),
        }
        return honest[trial.kind]

"""One run of the tests that is many: once with every line noted, then forked for each mutant, with tests that see it.

Everything is imported and collected once. A fork has the mistake made in what is imported (`patched.py`) and runs only
tests that ran the mistake's line, until one of them fails: first those of the module's own name, then those of whole
verdicts, then the quick ones.
"""

import contextlib
import enum
import itertools
import os
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType

import coverage
import pytest
from _pytest.runner import runtestprotocol
from hypothesis import HealthCheck, Phase, settings

from mutation.mistakes import Mutant, mutants
from mutation.patched import Living, Mutated, change, forget

QUIET = (
    *("-qq", "--no-header", "--tb=no", "-W", "ignore::pytest.PytestAssertRewriteWarning"),
    *("-p", "no:cacheprovider", "-p", "no:xdist", "-o", "timeout=0"),
)
WHOLE = ("test_frozen", "test_histories")
"""Tests of whole verdicts: tried after those of a module's own."""
DRAWS = "10"
SLOWER, GRACE_S = 10, 5
"""A mutant that needs so many times the processor time that its tests need without it, and so much more, hangs."""
WAITS = 30
"""So many times that, by the clock, until it is ended. It may wait for something, or for a machine that is busy with
something else: so that counts as survived."""


def prepare(folder: Path) -> None:
    """Make this process one that imports the copy's modules, and whose drawn tests look for no smallest example."""
    os.chdir(folder)
    sys.path[:0] = [str(folder / "src"), str(folder)]
    os.environ |= {"RESILIENCE_DRAWS": DRAWS, "PYTHONPATH": f"{folder / 'src'}:{folder}"}
    import tests.conftest  # noqa: F401, PLC0415 - its profile is replaced

    settings.register_profile(
        "mutants",
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("mutants")


@dataclass(frozen=True)
class Module:
    """A module that is tried: `judge/writes`."""

    folder: Path
    name: str

    @property
    def path(self) -> Path:
        """The file in the copy."""
        return self.folder / "src" / "resilience" / f"{self.name}.py"

    @property
    def imported(self) -> str:
        """Its name when it is imported."""
        return f"resilience.{self.name.replace('/', '.')}"

    def is_own(self, test: pytest.Item) -> bool:
        """Whether a test stands in the module's own file, or in one named after it."""
        own = self.folder / "tests" / self.name
        return test.path.parent == own.parent and test.path.stem.startswith(f"test_{own.name}")


@dataclass
class Tests:
    """What all tests did without a mistake.

    Attributes:
        needed_s: processor time of each.
        seen: by file and line, the tests that ran it.
    """

    items: Sequence[pytest.Item]
    needed_s: dict[pytest.Item, float] = field(default_factory=dict)
    seen: dict[str, dict[int, list[pytest.Item]]] = field(default_factory=dict)

    def run(self, paths: Iterable[Path]) -> None:
        """Run each once, with the lines of some files noted.

        One that fails is left out, and named: nothing could be learned from it.
        """
        noted = coverage.Coverage(data_file=None, include=[str(path) for path in paths], config_file=False)
        noted.start()
        for item, after in zip(self.items, [*self.items[1:], None], strict=True):
            noted.switch_context(item.nodeid)
            begin_s = time.process_time()
            if passes(item, after):
                self.needed_s[item] = time.process_time() - begin_s
            else:
                print(f"left out, for it fails without any mutant: {item.nodeid}", flush=True)
        noted.stop()
        by_id = {item.nodeid: item for item in self.needed_s}
        data = noted.get_data()
        for name in data.measured_files():
            lines = data.contexts_by_lineno(name)
            self.seen[name] = {line: [by_id[one] for one in ids if one in by_id] for line, ids in lines.items()}

    def of(self, module: Module, lines: Iterable[int]) -> list[pytest.Item]:
        """The tests that ran one of the lines, the module's own first, then the quick ones."""
        seen = self.seen.get(str(module.path), {})
        found = {item for line in lines for item in seen.get(line, ())}
        return sorted(found, key=lambda item: (_order(module, item), self.needed_s[item], item.nodeid))


def _order(module: Module, item: pytest.Item) -> int:
    if module.is_own(item):
        return 0
    return 1 if item.path.stem in WHOLE else 2


def passes(item: pytest.Item, after: pytest.Item | None) -> bool:
    """Run a test with its fixtures."""
    return not any(report.failed for report in runtestprotocol(item, log=False, nextitem=after))


class Ended(enum.Enum):
    """How it ended in the fork."""

    SURVIVED = 0
    NOTICED = 1
    NOT_MADE = 2


def forked(attempt: Callable[[], Ended], limit_s: float) -> Ended:
    """Whether tests in a fork of this process notice something.

    Args:
        attempt: what is done in the fork.
        limit_s: processor time after which it is taken to hang, which is noticed too.
    """
    pid = os.fork()
    if pid == 0:
        code = Ended.NOTICED
        with contextlib.suppress(BaseException):
            os.setpgid(0, 0)
            resource.setrlimit(resource.RLIMIT_CPU, (int(limit_s) + 1, int(limit_s) + 2))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, WAITS * limit_s)
            quiet = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(quiet, descriptor)
            code = attempt()
        os._exit(code.value)
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)  # what its tests may have left
    ended = os.waitstatus_to_exitcode(status)
    if ended == -signal.SIGALRM:
        return Ended.SURVIVED
    return Ended(ended) if ended in {Ended.SURVIVED.value, Ended.NOT_MADE.value} else Ended.NOTICED


def failed_by(tests: Sequence[pytest.Item]) -> Ended:
    """Run tests until one fails."""
    alright = all(passes(item, after) for item, after in zip(tests, [*tests[1:], None], strict=True))
    return Ended.SURVIVED if alright else Ended.NOTICED


class Trial:
    """All mutants of one module, tried one by one."""

    def __init__(self, module: Module, tests: Tests, basetemp: Path, seconds: float) -> None:
        """Read the module, and find what there is of it in this process."""
        self._module, self._tests, self._basetemp, self._seconds = module, tests, basetemp, seconds
        self.source = module.path.read_text()
        self._living = Living(module.imported, str(module.path), self.source)
        self._all = tests.of(module, tests.seen.get(str(module.path), {}))

    def mutants(self) -> list[Mutant]:
        """Every mistake that can be made in it."""
        return list(mutants(self.source, str(self._module.path)))

    def notices(self, mutant: Mutant) -> bool:
        """Whether a test fails with the mistake."""
        found = change(self._living.code, mutant.code)
        if not found.functions and not found.outside:
            return False  # the compiler makes the same of both
        statement = mutant.statement
        ended = Ended.NOT_MADE
        if self._living.knows(found):
            ended = self._patched(lambda: self._living.patch(found), self._tests.of(self._module, mutant.lines))
        elif statement is not None and self._patched(lambda: self._living.run(statement), self._all) is Ended.NOTICED:
            ended = Ended.NOTICED  # but what survives may have been used while modules were imported
        return (self._imported(mutant.code) if ended is Ended.NOT_MADE else ended) is Ended.NOTICED

    def check(self) -> None:
        """Make no mistake, in each way.

        Raises:
            SystemExit: if tests fail then: every mutant would seem to be noticed.
        """
        ways = self._patched(lambda: None, self._all), self._imported(self._living.code)
        if self._all and ways != (Ended.SURVIVED, Ended.SURVIVED):
            sys.exit(f"{self._module.name}: its tests fail once more without any mutant: {ways}")

    def _patched(self, patch: Callable[[], None], tests: Sequence[pytest.Item]) -> Ended:
        chosen = self._chosen(tests)

        def attempt() -> Ended:
            forget()
            try:
                patch()
            except ValueError:
                return Ended.NOT_MADE
            return failed_by(chosen)

        return self._forked(attempt, chosen)

    def _imported(self, code: CodeType) -> Ended:
        chosen = self._chosen(self._all)
        ids = [item.nodeid for item in chosen]

        def attempt() -> Ended:
            Mutated(self._module.imported, str(self._module.path), code).install()
            passed = pytest.main([*QUIET, "-x", f"--basetemp={self._basetemp / 'again'}", *ids]) == pytest.ExitCode.OK
            return Ended.SURVIVED if passed else Ended.NOTICED

        return self._forked(attempt, chosen, GRACE_S)

    def _chosen(self, tests: Sequence[pytest.Item]) -> list[pytest.Item]:
        """The first of the tests that together need no more than the given processor time; one at least."""
        totals = itertools.accumulate(self._tests.needed_s[item] for item in tests)
        return [item for item, total in zip(tests, totals, strict=True) if total <= self._seconds or item is tests[0]]

    def _forked(self, attempt: Callable[[], Ended], tests: Sequence[pytest.Item], more_s: float = 0) -> Ended:
        if not tests:
            return Ended.SURVIVED
        needed_s = more_s + sum(self._tests.needed_s[item] for item in tests)
        ended = forked(attempt, SLOWER * needed_s + GRACE_S)
        for path in self._basetemp.iterdir():
            path.unlink() if path.is_symlink() else shutil.rmtree(path, ignore_errors=True)
        return ended

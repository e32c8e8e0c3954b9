"""Mutation testing of the judge and the ledger: small mistakes are made, one at a time, and the tests must notice each.

    python scripts/mutants.py [MODULE …] [--sample N] [--jobs N] [--only LINE-LINE] [--results FILE]

A module is a file below `src/resilience` (`judge/taxonomy`, `record/ledger`); all that decide are tried if none is
given. The checkout is copied to a temporary folder first, and nothing else is touched. What is changed is told in
`mutation/mistakes.py`; why this is no foreign tool, in `docs/adr/0032-mutants-of-our-own.md`.

Exit 0 if in each module at least `GOAL` of the mutants are killed. Left out of account are those that change nothing
anybody could see: they stand in `scripts/mutants-argued.txt`, one a line, with the reason.
"""

import argparse
import functools
import json
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "src" / "resilience"
LEDGER = ("entry", "columns", "record/ledger", "record/lines", "record/sealed")
JUDGE = (path for path in SOURCES.glob("judge/**/*.py") if path.stem != "__init__")
MODULES = (*sorted(str(path.relative_to(SOURCES).with_suffix("")) for path in JUDGE), *LEDGER)
TESTS = ("tests/judge", "tests/record", "tests/test_entry.py")
COPIED = ("src", "fixtures", "tests", "benchmarks", "experiments", "probes", "pyproject.toml")
ARGUED = ROOT / "scripts" / "mutants-argued.txt"
GOAL = 0.95


@dataclass
class Result:
    """What became of the mutants of a module."""

    module: str
    mutants: int = 0
    killed: int = 0
    argued: int = 0
    survivors: list[str] = field(default_factory=list)
    seconds: float = 0

    @property
    def score(self) -> float:
        """The share that was killed of those that change something."""
        return self.killed / max(1, self.mutants - self.argued)

    def row(self) -> str:
        """A row of the table."""
        return f"| `{self.module}` | {self.mutants} | {self.killed} | {self.argued} | {self.score:.1%} |"


@functools.cache
def argued() -> frozenset[str]:
    """Survivors that are no mistake: each a line of `ARGUED`, with the reason after two spaces and `# `."""
    lines = ARGUED.read_text().splitlines() if ARGUED.exists() else []
    return frozenset(line.rpartition("  # ")[0].strip() for line in lines if line and not line.startswith("#"))


class Session:
    """The plugin that makes one run of the tests the trial of all mutants."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        """Take the copy that is tried, and what the command line says."""
        self._folder, self._options = folder, options
        self.results: list[Result] = []

    def pytest_runtestloop(self, session) -> bool:  # noqa: ANN001 - pytest is imported from the copy's folder on
        """Instead of running the tests."""
        from mutation.trying import Module, Tests, Trial  # noqa: PLC0415 - after the path is set

        modules = [Module(self._folder, name) for name in self._options.modules]
        tests = Tests(session.items)
        begin_s = time.monotonic()
        tests.run([module.path for module in modules])
        print(f"{len(session.items)} tests, {time.monotonic() - begin_s:.0f} s", flush=True)
        factory = session.config._tmp_path_factory  # noqa: SLF001 - no other way to it outside of a test
        base = factory.getbasetemp()

        def part(number: int) -> Iterator[Result]:
            factory._basetemp = base / str(number)  # noqa: SLF001 - each process tidies its own
            factory.getbasetemp().mkdir()
            for module in modules[number :: self._options.jobs]:
                yield self._try(Trial(module, tests, factory.getbasetemp(), self._options.seconds), module.name)

        self.results = side_by_side(part, self._options.jobs)
        return True

    def _try(self, trial, name: str) -> Result:  # noqa: ANN001 - see above
        trial.check()
        begin_s = time.monotonic()
        first, last = self._options.only
        made = [one for one in trial.mutants() if first <= one.line <= last]
        if 0 < self._options.sample < len(made):
            made = random.Random(self._options.seed).sample(made, self._options.sample)  # noqa: S311 - no secret
        result, lines = Result(name), trial.source.splitlines()
        for mutant in sorted(made, key=lambda one: one.line):
            result.mutants += 1
            line = lines[mutant.line - 1].strip()
            if trial.notices(mutant):
                result.killed += 1
            elif f"{name}: {mutant.what}: {line}" in argued():
                result.argued += 1
            else:
                result.survivors.append(f"{name}.py:{mutant.line}: {mutant.what}: {line}")
                print(f"survived  {result.survivors[-1]}", flush=True)
        result.seconds = round(time.monotonic() - begin_s, 1)
        print(f"{result.row()} {result.seconds:.0f} s", flush=True)
        if self._options.results:
            with self._options.results.open("a") as file:
                file.write(json.dumps(asdict(result), ensure_ascii=False) + "\n")
        return result


def side_by_side(part: Callable[[int], Iterator[Result]], count: int) -> list[Result]:
    """The results of several parts, each tried by a fork of this process; what one could not tell is missing."""
    pipes = []
    for number in range(count):
        read, write = os.pipe()
        if os.fork() == 0:
            code = 1
            try:
                with os.fdopen(write, "w") as pipe:
                    for result in part(number):
                        print(json.dumps(asdict(result)), file=pipe, flush=True)
                code = 0
            except BaseException:  # noqa: BLE001 - shown here, because the fork ends without ceremony
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                os._exit(code)
        os.close(write)
        pipes.append(read)
    found = []
    for read in pipes:
        with os.fdopen(read) as lines:
            found += [Result(**json.loads(line)) for line in lines]
        os.wait()
    return found


def options_of(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", default=MODULES)
    parser.add_argument("--sample", type=int, default=0, help="only so many of each module, drawn by --seed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="1-100000", help="lines of the module")
    parser.add_argument("--jobs", type=int, default=1, help="processes that try modules side by side")
    parser.add_argument("--seconds", type=float, default=8, help="of processor time for the tests of one mutant")
    parser.add_argument("--tests", nargs="+", default=TESTS, help="files and folders of tests")
    parser.add_argument("--results", type=Path, help="a line of JSON is added for each module")
    found = parser.parse_args(arguments)
    found.only = tuple(int(one) for one in found.only.split("-"))
    for name in found.modules:
        if not (SOURCES / f"{name}.py").is_file():
            parser.error(f"no module {name!r}: it is a file below src/resilience, such as judge/writes")
    return found


def main() -> int:
    """Try the mutants of every module that was asked for, and print the scores."""
    options = options_of(sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="mutants-") as base:
        folder = Path(base).resolve()
        folder.chmod(0o755)  # tests give things to other users
        for part in COPIED:
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
            elif (ROOT / part).exists():
                shutil.copy(ROOT / part, folder / part)
        from mutation.trying import QUIET, prepare  # noqa: PLC0415 - it wants what only tests need

        prepare(folder)
        import pytest  # noqa: PLC0415 - as above

        session = Session(folder, options)
        pytest.main([*QUIET, f"--basetemp={folder / 'temporary'}", *options.tests], plugins=[session])
        os.chdir("/")
    if len(session.results) < len(options.modules):
        print(f"only {len(session.results)} of {len(options.modules)} modules could be tried")
        return 2
    return 0 if all(result.score >= GOAL for result in session.results) else 1


if __name__ == "__main__":
    sys.exit(main())

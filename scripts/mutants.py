"""Mutation testing of the judge: small mistakes are made in a module, one at a time, and the tests must notice each.

    python scripts/mutants.py [MODULE …] [--sample N] [--jobs N] [--minutes N] [--only LINE-LINE]

A module is a name in `judge/` (`taxonomy`, `effects/counter`; all of them if none is given). The checkout is copied to
a temporary folder first, and nothing else is touched. Exit 0 if at least `GOAL` of the mutants are killed, or argued: a
survivor that changes nothing anybody could see stands in `scripts/mutants-argued.txt`, one a line, with the reason.

The well-kept tools were tried before this was written. mutmut 3 works here, but changes neither module-level tables
nor conditions as a whole, and half of its mutants are letters in messages; one run of the tests takes it minutes.
Here a process that has everything imported is forked for each mutant, and only what depends on the judge is imported
anew, so that most mutants take less than a second.

What is changed: comparisons, arithmetic, `and`/`or`, `not`, conditions, numbers, booleans, names without spaces (keys,
settings), answers and marks, `min`/`max`, `any`/`all`, statements and members of tables left out. Not changed: texts
for people, annotations, docstrings, and `raise`.
"""

import argparse
import ast
import contextlib
import copy
import functools
import importlib
import importlib.abc
import importlib.util
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
JUDGE = ROOT / "src" / "resilience" / "judge"
MODULES = tuple(
    sorted(str(path.relative_to(JUDGE).with_suffix("")) for path in JUDGE.rglob("*.py") if path.stem != "__init__")
)
ARGUED = ROOT / "scripts" / "mutants-argued.txt"
GOAL = 0.95
TIMEOUT = 6
"""A mutant that takes so many times as long as the tests do without it hangs: it is killed."""

FIRST = {"taxonomy": ("taxonomy", "writes"), "writes": ("writes", "taxonomy")}
LAST = ("verdict", "oracle", "histories")
"""Tests for all modules, after those of their own."""

QUIET = ("-qq", "-p", "no:cacheprovider", "-p", "no:xdist", "-W", "ignore::pytest.PytestAssertRewriteWarning")

SWAPPED_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
SWAPPED_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mod,
    ast.Mod: ast.FloorDiv,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
SWAPPED_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "minimum": "maximum", "maximum": "minimum"}
SWAPPED_MEMBERS = {
    ("Answer", "PASS"): ("UNKNOWN",),
    ("Answer", "UNKNOWN"): ("PASS", "FAIL"),
    ("Answer", "FAIL"): ("UNKNOWN",),
    ("Mark", "ACKNOWLEDGED"): ("INDETERMINATE",),
    ("Mark", "REJECTED"): ("ACKNOWLEDGED",),
    ("Mark", "MISSED"): ("WRONG",),
    ("Mark", "WRONG"): ("SEEN",),
}


@dataclass(frozen=True)
class Mutant:
    """One mistake: where it is, what it is, and the module with it."""

    line: int
    what: str
    source: str


Variants = Iterator[tuple[str, ast.AST | None]]
"""What it is, and what is put in a node's place; None leaves it out."""


def variants(node: ast.AST) -> Variants:
    """Every mistake that can be made at a node."""
    yield from operators(node)
    yield from conditions(node)
    yield from values(node)
    yield from omissions(node)


def operators(node: ast.AST) -> Variants:
    """Other comparisons and arithmetic."""
    match node:
        case ast.Compare(ops=ops):
            for place, op in enumerate(ops):
                changed = copy.deepcopy(node)
                changed.ops[place] = SWAPPED_COMPARISONS[type(op)]()
                yield f"{type(op).__name__} → {type(changed.ops[place]).__name__}", changed
        case ast.BinOp(op=op) if type(op) in SWAPPED_OPERATORS:
            other = SWAPPED_OPERATORS[type(op)]()
            yield f"{type(op).__name__} → {type(other).__name__}", ast.BinOp(node.left, other, node.right)
        case ast.UnaryOp(op=ast.Not() | ast.Invert() | ast.USub(), operand=operand):
            yield f"without {type(node.op).__name__}", operand


def conditions(node: ast.AST) -> Variants:
    """Conditions without a term, with `and` for `or`, or not asked at all."""
    match node:
        case ast.BoolOp(values=terms):
            for place in range(len(terms)):
                rest = [term for number, term in enumerate(terms) if number != place]
                yield f"without term {place + 1}", rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
            other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield f"{type(node.op).__name__} → {type(other).__name__}", ast.BoolOp(other, terms)
        case ast.IfExp():
            yield "always the first", node.body
            yield "always the second", node.orelse
        case ast.If(test=test):
            for value in (True, False):
                changed = copy.copy(node)
                changed.test = ast.copy_location(ast.Constant(value), test)
                yield f"if {value}", changed


def values(node: ast.AST) -> Variants:
    """Other numbers, keys, answers and marks."""
    match node:
        case ast.Constant(value=bool() as value):
            yield f"{value} → {not value}", ast.Constant(not value)
        case ast.Constant(value=int() | float() as value):
            yield f"{value} → {value + 1}", ast.Constant(value + 1)
        case ast.Constant(value=str() as value) if " " not in value and len(value) > 1:
            yield f"{value!r} → 'XX…'", ast.Constant("XX" + value)
        case ast.Name(id=name) if name in SWAPPED_NAMES:
            yield f"{name} → {SWAPPED_NAMES[name]}", ast.Name(SWAPPED_NAMES[name], node.ctx)
        case ast.Attribute(value=ast.Name(id=owner), attr=member):
            swapped = (SWAPPED_NAMES[member],) if member in SWAPPED_NAMES else SWAPPED_MEMBERS.get((owner, member), ())
            for other in swapped:
                yield f"{member} → {other}", ast.Attribute(node.value, other, node.ctx)


def omissions(node: ast.AST) -> Variants:
    """Without a statement, or without a member of a table."""
    match node:
        case ast.Tuple(elts=members, ctx=ast.Load()) | ast.List(elts=members) | ast.Set(elts=members):
            for place in range(len(members) if len(members) > 1 else 0):
                shorter = copy.copy(node)
                shorter.elts = [one for number, one in enumerate(members) if number != place]
                yield f"without member {place + 1}", shorter
        case ast.Assign() | ast.AugAssign() | ast.Expr(value=ast.Call() | ast.Yield() | ast.YieldFrom()):
            yield "left out", None
        case ast.Continue():
            yield "continue → break", ast.Break()


def skipped(node: ast.AST, field: str) -> bool:
    """What is for people or for type checkers, and imports."""
    if isinstance(node, ast.Import | ast.ImportFrom | ast.Raise | ast.JoinedStr):
        return True
    return field in {"annotation", "returns", "decorator_list"}


def mutants(source: str) -> Iterator[Mutant]:
    """Every mistake that can be made in a module."""
    tree = ast.parse(source)
    for node, put, top in places(tree):
        for what, other in variants(node):
            if top and other is None:  # a name of the module that is not there breaks the import: nothing is learned
                continue
            put(ast.Pass() if other is None else other)
            yield Mutant(getattr(node, "lineno", 0), what, ast.unparse(ast.fix_missing_locations(tree)))
            put(node)


Put = Callable[[ast.AST], None]


def places(node: ast.AST, *, top: bool = True) -> Iterator[tuple[ast.AST, Put, bool]]:
    """Every node below one, how something else is put in its place, and whether it is a statement of the module."""
    for field, value in ast.iter_fields(node):
        if skipped(node, field):
            continue
        if isinstance(value, ast.AST):
            yield value, functools.partial(setattr, node, field), False
            yield from places(value, top=False)
        elif isinstance(value, list):
            for place, one in enumerate(list(value)):
                if isinstance(one, ast.AST) and not (isinstance(one, ast.Expr) and _is_text(one.value)):
                    yield one, functools.partial(value.__setitem__, place), top
                    yield from places(one, top=False)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


class Mutated(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from a text instead of its file."""

    def __init__(self, name: str, path: Path, source: str) -> None:
        self._name, self._path, self._source = name, path, source

    def find_spec(self, name: str, path: object = None, target: object = None) -> object:  # noqa: ARG002 - the protocol
        """Answer for the one module only."""
        return importlib.util.spec_from_loader(name, self, origin=str(self._path)) if name == self._name else None

    def exec_module(self, module: object) -> None:
        """Run the text as the module."""
        code = compile(self._source, str(self._path), "exec", dont_inherit=True)
        exec(code, module.__dict__)  # noqa: S102 - that is what importing is


def depends_on_judge() -> list[str]:
    """The imported modules that hold something of the judge, directly or through each other."""
    ours = {
        name: module
        for name, module in sys.modules.items()
        if name.partition(".")[0] in {"resilience", "tests", "fixtures", "benchmarks"} or name.startswith("test_")
    }
    found = {name for name in ours if name.startswith(("resilience.judge", "tests.judge", "test_"))}
    while True:
        more = {
            name
            for name, module in ours.items()
            if name not in found
            and any(getattr(value, "__module__", None) in found for value in list(vars(module).values()))
        }
        if not more:
            return sorted(found)
        found |= more


def run_tests(paths: list[str]) -> bool:
    """Run tests in this process, quietly.

    Returns:
        Whether all passed.
    """
    import pytest  # noqa: PLC0415 - from the copy's folder on

    # One after the other: the nearest test first, without collecting the others.
    return all(pytest.main([*QUIET, "-x", path]) == pytest.ExitCode.OK for path in paths)


def judged(name: str, path: Path, source: str, tests: list[str], limit_s: float) -> str:
    """Fork, run the tests with the text in the module's place, and tell what became of it."""
    pid = os.fork()
    if pid == 0:
        code = 2
        with contextlib.suppress(BaseException):
            os.setpgid(0, 0)
            quiet = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(quiet, descriptor)
            for module in depends_on_judge():
                del sys.modules[module]
            sys.meta_path.insert(0, Mutated(name, path, source))
            code = 0 if run_tests(tests) else 1
        os._exit(code)
    end_s = time.monotonic() + limit_s
    while time.monotonic() < end_s:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return "survived" if os.waitstatus_to_exitcode(status) == 0 else "killed"
        time.sleep(0.02)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return "killed (too slow)"


def prepare(folder: Path, tests: list[str]) -> None:
    """Make this process one that has the copy's tests, and all that they need, imported already."""
    os.chdir(folder)
    sys.path[:0] = [str(folder / "src"), str(folder)]
    os.environ |= {"RESILIENCE_DRAWS": "10", "PYTHONPATH": f"{folder / 'src'}:{folder}"}
    sys.dont_write_bytecode = False
    import pytest  # noqa: PLC0415 - after the path is set
    from hypothesis import Phase, settings  # noqa: PLC0415

    importlib.import_module("tests.conftest")  # its profile is replaced: a killed mutant needs no smallest example
    settings.register_profile(
        "mutants", deadline=None, derandomize=True, database=None, phases=(Phase.explicit, Phase.generate)
    )
    settings.load_profile("mutants")
    pytest.main([*QUIET, "--collect-only", *tests])


def tests_for(folder: Path, module: str) -> list[str]:
    """The tests of a module, nearest first."""
    names = dict.fromkeys((*FIRST.get(module, (module,)), *LAST))
    tests = folder / "tests" / "judge"
    paths = [(tests / name).with_name(f"test_{Path(name).name}.py") for name in names]
    return [str(path.relative_to(folder)) for path in paths if path.exists()]


@functools.cache
def argued() -> frozenset[str]:
    """Survivors that are no mistake: each a line of `ARGUED`, with the reason after ` # `."""
    lines = ARGUED.read_text().splitlines() if ARGUED.exists() else []
    return frozenset(line.partition("  # ")[0].strip() for line in lines if line and not line.startswith("#"))


def try_module(folder: Path, module: str, options: argparse.Namespace) -> tuple[int, list[str]]:
    """Try the mutants of one module.

    Returns:
        How many there were, and those that survived.
    """
    name = f"resilience.judge.{module.replace('/', '.')}"
    path = folder / "src" / "resilience" / "judge" / f"{module}.py"
    tests, source = tests_for(folder, module), path.read_text()
    prepare(folder, tests)
    begin_s = time.monotonic()
    if judged(name, path, source, tests, 1200) != "survived":
        sys.exit(f"the tests of {module} fail without any mutant: {' '.join(tests)}")
    limit_s = TIMEOUT * (time.monotonic() - begin_s) + 10
    first, last = options.only
    made = [one for one in mutants(source) if first <= one.line <= last]
    if options.sample and options.sample < len(made):
        made = sorted(random.Random(options.seed).sample(made, options.sample), key=lambda one: one.line)  # noqa: S311
    survived, tried, until_s = [], 0, time.monotonic() + 60 * options.minutes
    for number, mutant in enumerate(made):
        if number % options.jobs != options.part or time.monotonic() > until_s:
            continue
        tried += 1
        if judged(name, path, mutant.source, tests, limit_s) == "survived":
            line = source.splitlines()[mutant.line - 1].strip()
            if f"{module}: {mutant.what}: {line}" in argued():
                continue
            survived.append(f"{module}.py:{mutant.line}: {mutant.what}: {line}")
            print(f"survived  {survived[-1]}", flush=True)
    return tried, survived


def options_of(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", default=MODULES)
    parser.add_argument("--sample", type=int, default=0, help="only so many of each module, drawn by --seed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=240, help="for each module")
    parser.add_argument("--only", default="1-100000", help="lines of the module")
    parser.add_argument("--jobs", type=int, default=1)
    found = parser.parse_args(arguments)
    found.only = tuple(int(one) for one in found.only.split("-"))
    return found


def in_parts(folder: Path, module: str, options: argparse.Namespace) -> tuple[int, int]:
    """Try the mutants of a module in several processes side by side: each module and part needs imports of its own.

    Returns:
        How many were tried, and how many survived.
    """
    pipes = []
    for part in range(options.jobs):
        options.part = part
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                tried, survived = try_module(folder, module, options)
                os.write(write, f"{tried} {len(survived)}".encode())
                code = 0
            except BaseException:  # noqa: BLE001 - shown here, because the fork ends without ceremony
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                os._exit(code)
        os.close(write)
        pipes.append((pid, read))
    counts = []
    for pid, read in pipes:
        told = os.read(read, 100).split()
        os.waitpid(pid, 0)
        if len(told) != 2:  # noqa: PLR2004 - the two numbers
            sys.exit(f"{module}: the mutants could not be tried")
        counts.append((int(told[0]), int(told[1])))
    return sum(tried for tried, _ in counts), sum(survived for _, survived in counts)


def main() -> int:
    """Try the mutants of every module that was asked for, and print the shares."""
    options = options_of(sys.argv[1:])
    reached = True
    with tempfile.TemporaryDirectory(prefix="mutants-") as base:
        folder = Path(base)
        for part in ("src", "fixtures", "tests", "benchmarks", "experiments", "probes", "pyproject.toml"):
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
            elif (ROOT / part).exists():
                shutil.copy(ROOT / part, folder / part)
        for module in options.modules:
            tried, survived = in_parts(folder, module, options)
            share = 1 - survived / max(1, tried)
            reached &= share >= GOAL
            print(f"{module}: {tried - survived} of {tried} mutants killed ({share:.1%})", flush=True)
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())

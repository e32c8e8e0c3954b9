"""Makes a mistake in a module that is imported already: its functions get other code, its tables other values.

So nothing is imported anew and no test is collected again. What cannot be done that way (classes, defaults of
parameters, what other modules made of a table) is done by importing: `Mutated`, with all that depends on it.
"""

import functools
import gc
import importlib.abc
import importlib.util
import inspect
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from types import CodeType, FunctionType, ModuleType

OURS = ("resilience", "tests", "fixtures", "benchmarks", "test_")
INLINE = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")
"""Code that runs where it stands: of the statement, not of a function."""


@dataclass(frozen=True)
class Change:
    """What a mistake makes of the code of a module.

    Attributes:
        functions: the code of functions that is another one: as it was, and as it is.
        outside: whether statements of the module or of a class are other ones.
    """

    functions: tuple[tuple[CodeType, CodeType], ...]
    outside: bool


def change(old: CodeType, new: CodeType) -> Change:
    """Compare the code of a module with the code of a mutant."""
    before, after = _functions(old), _functions(new)
    pairs = tuple((before[key], code) for key, code in after.items() if key in before and before[key] != code)
    return Change(pairs, _statements(old) != _statements(new))


def _functions(code: CodeType) -> dict[tuple[str, int, int], CodeType]:
    """All functions by qualified name and first line, those of one line being numbered."""
    found: dict[tuple[str, int, int], CodeType] = {}
    for one in _walk(code):
        number = 0
        while (key := (one.co_qualname, one.co_firstlineno, number)) in found:
            number += 1
        found[key] = one
    return found


def _walk(code: CodeType) -> Iterator[CodeType]:
    for one in code.co_consts:
        if isinstance(one, CodeType):
            if _is_function(one):
                yield one
            yield from _walk(one)


def _is_function(code: CodeType) -> bool:
    return bool(code.co_flags & inspect.CO_OPTIMIZED) and code.co_name not in INLINE  # a class's body is not optimized


def _statements(code: CodeType) -> CodeType:
    """The code without what stands in functions."""
    consts = tuple(
        (one.co_qualname if _is_function(one) else _statements(one)) if isinstance(one, CodeType) else one
        for one in code.co_consts
    )
    return code.replace(co_consts=consts)


class Living:
    """The functions of a module that are there, and the caches of ours, as they were found before any test."""

    def __init__(self, name: str, path: str, source: str) -> None:
        """Find the functions of the module that was imported from a path."""
        self.code = compile(source, path, "exec", dont_inherit=True)
        self._module = sys.modules[name]
        self._functions: dict[CodeType, list[FunctionType]] = {}
        for one in gc.get_objects():
            if isinstance(one, FunctionType) and one.__code__.co_filename == path:
                self._functions.setdefault(one.__code__, []).append(one)

    def knows(self, found: Change) -> bool:
        """Whether the mistake can be made here: all of it is in functions that are there, or in functions of those."""
        return not found.outside and any(old in self._functions for old, _ in found.functions)

    def patch(self, found: Change) -> None:
        """Give the functions their other code.

        Raises:
            ValueError: if a function's code uses other variables of the functions around it.
        """
        for old, code in found.functions:
            for function in self._functions.get(old, ()):
                function.__code__ = code

    def run(self, statement: CodeType) -> None:
        """Run another statement of the module, and tell the modules that imported what it made."""
        before = dict(vars(self._module))
        exec(statement, vars(self._module))  # noqa: S102 - as importing does
        for name, value in before.items():
            now = vars(self._module).get(name)
            if now is not value:
                for module in _ours():
                    if vars(module).get(name) is value:
                        setattr(module, name, now)


def forget() -> None:
    """Empty the caches of functions of ours."""
    for one in gc.get_objects():
        if isinstance(one, functools._lru_cache_wrapper) and str(one.__module__).startswith(OURS):  # noqa: SLF001
            one.cache_clear()


def _ours() -> Iterator[ModuleType]:
    for name, module in list(sys.modules.items()):
        if name.startswith(OURS) and module is not None:
            yield module


class Mutated(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from a mutant's code instead of its file."""

    def __init__(self, name: str, path: str, code: CodeType) -> None:
        """Take what is imported, and as what."""
        self._name, self._path, self._code = name, path, code

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 - the protocol
        target: ModuleType | None = None,  # noqa: ARG002 - as above
    ) -> ModuleSpec | None:
        """Answer for the one module only."""
        return importlib.util.spec_from_loader(fullname, self, origin=self._path) if fullname == self._name else None

    def exec_module(self, module: ModuleType) -> None:
        """Run the code as the module."""
        exec(self._code, module.__dict__)  # noqa: S102 - that is what importing is

    def install(self) -> None:
        """Import the module, and all that holds something of it, anew from now on."""
        for module in _dependents(self._name):
            del sys.modules[module]
        sys.meta_path.insert(0, self)


def _dependents(name: str) -> list[str]:
    """The imported modules of ours that hold something of a module, directly or through each other; and all tests."""
    ours = {one.__name__: one for one in _ours()}
    found = {name, *(one for one in ours if one.startswith(("tests", "test_")))}
    while True:
        more = {
            one
            for one, module in ours.items()
            if one not in found
            and any(
                getattr(value, "__module__", None) in found or getattr(value, "__name__", None) in found
                for value in list(vars(module).values())
            )
        }
        if not more:
            return sorted(one for one in found if one in sys.modules)
        found |= more

"""Each figure that the project claims, as a command that measures it: `python -m benchmarks NAME [--json]`.

A benchmark is a module of this package with `GOAL` (what must hold, in words, by figure) and
`measure(options) -> Result`. It measures real runs of the real program, never a mock.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Figure = float | int | str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What can be said about any benchmark: how often, with which seed, how many at once."""

    count: int | None
    seed: int
    parallel: int
    say: Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Figures with their unit in the key, the goals, and whether every one of them was met."""

    figures: Mapping[str, Figure]
    goal: Mapping[str, str]
    met: bool

"""How often a known bottleneck of the reference target is named first: planted in seven places, on real runs.

Each file in `fixtures/bottlenecks` makes one thing scarce (by a setting, or by a fault that is in place while the load
rises) and loads the shop beyond it. What is judged never sees which one it was: attribution reads samples and resources
alone. The database is planted in two ways: no processor time, and locks.
"""

from pathlib import Path
from typing import Any

from benchmarks import Figure, Options, Result
from benchmarks.experiments import run_once

FOLDER = Path(__file__).parent.parent / "fixtures" / "bottlenecks"
PLACES = ("cache", "cpu", "database", "disk", "network", "pool", "provider")
LEAST_SHARE, LEAST_RUNS = 0.9, 10
GOAL = {f"{place}_first_share": f"at least {LEAST_SHARE:g} of at least {LEAST_RUNS} runs" for place in PLACES} | {
    "first_share": f"at least {LEAST_SHARE:g}"
}


def measure(options: Options) -> Result:
    """Each place `count` times, ten if not said, each time with another seed; the ways to plant it take turns."""
    count = options.count or LEAST_RUNS
    first: dict[str, list[bool]] = {place: [] for place in PLACES}
    among: list[bool] = []
    for number in range(count):
        for place in PLACES:
            files = sorted(FOLDER.glob(f"{place}*.yaml"))
            file = files[number % len(files)]
            code, document, seconds = run_once(file, options.seed + number)
            places = named(document)
            first[place].append(places[:1] == [place])
            among.append(place in places)
            told = (document.get("bottlenecks") or {}).get("because") or document.get("because")
            options.say(f"{file.stem}: exit {code}, {seconds:.0f} s, {', '.join(places) or 'nothing'}: {told}")
    figures: dict[str, Figure] = {"runs": len(among)}
    figures |= {f"{place}_first_share": share(found) for place, found in first.items()}
    figures["first_share"] = share([one for found in first.values() for one in found])
    figures["among_three_share"] = share(among)
    enough = all(len(found) >= LEAST_RUNS and share(found) >= LEAST_SHARE for found in first.values())
    return Result(figures=figures, goal=GOAL, met=enough)


def named(document: dict[str, Any]) -> list[str]:
    """The places that a verdict names for its longest window, best first."""
    windows = (document.get("bottlenecks") or {}).get("windows") or []
    some = [window for window in windows if window["ranked"]]
    if not some:
        return []
    longest = max(some, key=lambda window: window["end_s"] - window["start_s"])
    return [one["place"] for one in longest["ranked"]]


def share(found: list[bool]) -> float:
    """The share of those that are true, to three digits; 0 of none."""
    return round(sum(found) / len(found), 3) if found else 0.0

"""Signs that a resource was what everybody waited for in a window, each with its numbers.

Three kinds count, after Gregg's USE method ("Systems Performance", 2nd edition, 2020, chapter 2) and Little's law: a
resource *at its limit* that was not there in the baseline; a queue in front of it (*saturation*); and *where operations
were*: of those under way more than in the baseline, how many were in calls of a dependency.

A resource that is at its limit because what it waits for is slow is a symptom: a pool is full if statements take
longer. What was seen where the waiting really is (a lock, a disk, a processor, the way in between) counts more than
what it looks like from a queue before it: see `find_signs`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from resilience.judge.bottlenecks.evidence import BEFORE_S, Evidence, find_evidence
from resilience.judge.bottlenecks.places import Place
from resilience.judge.bottlenecks.roles import Calls
from resilience.judge.bottlenecks.windows import Course, Window
from resilience.model.resources import Resources, Series
from resilience.text import seconds

SLOWER = 1.5
"""Calls that take so many times as long as in the baseline are slow, which explains that more are under way."""

PART = 0.25
"""Of the operations that are under way more than in the baseline, so many are a part worth telling."""

AT_LEAST = 0.5
"""Fewer calls, sessions or waiting requests than that, on average, are nobody's bottleneck."""

DIRECT = 0.6
"""A sign of that strength of what lies behind makes the queue before it a symptom."""

PROCESSOR = frozenset({"process.cpu", "cgroup.throttled"})
"""Series that tell of processor time."""

BEHIND = frozenset({Place.DATABASE, Place.DISK, Place.NETWORK})
"""What lies behind a pool of connections to a database, and behind its statements."""


@dataclass(frozen=True, slots=True)
class Sign:
    """One thing that was seen.

    Attributes:
        of: the part or thing it is of.
        strength: from 0 to 1, how directly it says that this is what was waited for.
        words: what was seen, with its numbers and times.
        evidence: of the series behind it.
        symptom: whether it is only to be expected if what lies behind is slow.
    """

    place: Place
    of: str
    strength: float
    words: str
    evidence: Evidence
    symptom: bool = False


@dataclass(frozen=True)
class View:
    """A window with all that was read."""

    resources: Resources
    baseline: tuple[float, float]
    window: Window
    course: Course

    def seen(self, series: Series | None, absent: float | None = None) -> Evidence | None:
        """What a series says of the window; `absent` is what it was if there was nothing to read in the baseline."""
        if series is None:
            return None
        return find_evidence(series, self.baseline, (self.window.start_s, self.window.end_s), self.course, absent)

    def named(self, name: str, absent: float | None = None) -> Iterator[tuple[Series, Evidence]]:
        """The series of a name, of whatever they are, with what they say."""
        for series in self.resources.named(name):
            evidence = self.seen(series, absent)
            if evidence is not None:
                yield series, evidence

    def get(self, name: str, of: str) -> Evidence | None:
        """What one series says."""
        return self.seen(self.resources.get(name, of))

    @cached_property
    def more_under_way(self) -> float:
        """How many more operations were under way than in the baseline, on average; 0 if there were not more."""
        usual = self.course.between(*self.baseline).under_way
        now = self.course.between(self.window.start_s, self.window.end_s).under_way
        return max(0.0, float(now.mean() - usual.mean())) if len(usual) and len(now) else 0.0

    def slower(self, calls: Calls | None) -> float | None:
        """How many times as long a call took as in the baseline; None if that is not known."""
        if calls is None or calls.each_s is None:
            return None
        usual = calls.each_s.between(*self.baseline).value
        now = calls.each_s.between(self.window.start_s, self.window.end_s).value
        if not len(usual) or not len(now) or float(np.median(usual)) <= 0:
            return None
        return float(np.median(now) / np.median(usual))

    def since(self, evidence: Evidence) -> str:
        """When it was first seen so, beside when service suffered; no closer than readings and bins allow."""
        at_s = evidence.begun_s
        if at_s is None:
            return ""
        if at_s <= max(self.baseline[0], self.window.start_s - BEFORE_S) + evidence.period_s:
            return ", all the while"
        lead_s = self.window.start_s - at_s
        about_s = evidence.period_s + self.window.resolution_s
        if abs(lead_s) <= about_s:
            return f", from {at_s:.1f} s on, when service suffered (within {seconds(about_s)})"
        when = "before" if lead_s > 0 else "after"
        return f", from {at_s:.1f} s on, {seconds(abs(lead_s))} {when} service suffered"


def weighed(found: list[Sign]) -> list[Sign]:
    """The signs, symptoms with half of their strength where something was seen that explains them.

    A service without processor time sees every call take longer; a pool and statements are slow if what lies behind
    them is. Sessions of a database without processor time are seen to wait for the disk because they are stopped
    there, and its answers seem to be on the way.
    """
    starved = any(sign.place is Place.CPU and sign.strength >= 1 for sign in found)
    stopped = any(
        sign.place is Place.DATABASE and sign.evidence.series.name in PROCESSOR and sign.strength >= DIRECT
        for sign in found
    )
    behind = any(sign.place in BEHIND and not sign.symptom and sign.strength >= DIRECT for sign in found)

    def explained(sign: Sign) -> bool:
        if stopped and sign.place in {Place.DISK, Place.NETWORK}:
            return True
        return sign.symptom and (starved or (behind and sign.place in {Place.POOL, Place.DATABASE}))

    return [replace(sign, strength=sign.strength / 2) if explained(sign) else sign for sign in found]

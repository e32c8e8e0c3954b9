"""The search: what to try next, given what was seen; and what has been found. Two pure functions of the history.

    climb    from the start, twice as hard each time, until a step breaks or the limit holds
    narrow   by bisection between the hardest step that held and the mildest that broke
    confirm  the hardest that held, for longer
    again    the mildest that broke, once more: a step may have broken for a reason that is gone
    down     right after that, a tenth below the level that held: does it hold once more? If not: further and further
    rest     after every other step that broke, at the start, so that no step is judged by what the one before it left

A step holds or breaks with certainty (`judge.search.step`); one that does neither, although it was extended, is
*unsure*, and the answer's interval then reaches from the hardest that held to the mildest that broke around it. A step
in which the generator was the limit is *spoiled*: it is tried once more and then ends the search, with no answer.

A level that does not hold on the way down although a harder one was confirmed on the way up, in the same search, is
hysteresis: the target was pushed into a state that it does not leave by itself (Bronson et al., Metastable Failures in
Distributed Systems, HotOS 2021). It is a tenth below the level that was confirmed, because whatever has queued must be
worked off by what is spare: at the very level of the break-point nothing is, and even a healthy target would take for
ever. With a tenth to spare, a delay of d seconds is worked off in 10·d, so several steps may break before it is that.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from resilience.judge.search.scale import EASE, Scale

MOST = 48
"""After so many steps the search gives up."""
RESTS = 3
"""A target that does not hold at the start after so many rests in a row does not come back."""
DOWNS = 4
"""So many steps in a row, at least, must break at the first level down, before that is hysteresis."""
MOST_DOWNS = 16
"""No more are made; where more would be needed, it remains unknown."""
DOWN_SHARES = (0.85, 0.7, 0.5, 0.3, 0.0)
"""Where it is tried then, as shares of the way from the start to that level."""
_TIES = 4
"""So many votes that do not decide leave a level unsure."""


class Seen(StrEnum):
    """What a step showed."""

    HOLDS = "holds"
    BREAKS = "breaks"
    UNSURE = "unsure"
    SPOILED = "spoiled"


class Purpose(StrEnum):
    """Why a level is tried."""

    CLIMB = "climb"
    NARROW = "narrow"
    CONFIRM = "confirm"
    AGAIN = "again"
    DOWN = "down"
    REST = "rest"


@dataclass(frozen=True, slots=True)
class Try:
    """A step that is to be made; a long one is as long as a confirmation."""

    level: float
    purpose: Purpose
    long: bool = False


@dataclass(frozen=True, slots=True)
class Tried:
    """A step that was made, and what it showed."""

    level: float
    purpose: Purpose
    seen: Seen
    long: bool = False


class Kind(StrEnum):
    """What a search has found."""

    FOUND = "found"  # it breaks between two levels
    BEYOND = "beyond"  # it holds at the hardest that may be tried
    BELOW = "below"  # it breaks at the mildest
    STUCK = "stuck"  # it broke, and does not come back even at the mildest
    SPOILED = "spoiled"  # the generator was the limit
    UNDECIDED = "undecided"  # unsure at the start, too many steps, or ended before its end


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a search has found.

    Attributes:
        holds: the hardest level that certainly held; None if none did.
        breaks: the mildest that certainly broke; None if none did.
        confirmed: whether `holds` was confirmed by a longer step.
        came_back: whether a tenth less than what was confirmed held again after it broke; None if that is not known.
        back_at: the level at which it held again on the way down; None if it did not, or was not asked.
    """

    kind: Kind
    holds: float | None
    breaks: float | None
    confirmed: bool
    came_back: bool | None
    back_at: float | None

    @property
    def metastable(self) -> bool:
        """Whether it stays broken at a load that it bore before."""
        return self.came_back is False or self.kind is Kind.STUCK


EVIDENCE = frozenset({Purpose.CLIMB, Purpose.NARROW, Purpose.CONFIRM, Purpose.AGAIN})
"""What is tried for these tells whether a level holds; on the way down, and at rest, the history tells as well."""


def next_try(scale: Scale, tried: Sequence[Tried], *, downs: int = DOWNS) -> Try | None:
    """What to try next; None if the search is over.

    Args:
        scale: the levels.
        tried: every step so far, in order.
        downs: so many steps in a row must break at the first level down, before that is hysteresis (`patience`); 0 does
            not go down.
    """
    if not tried:
        return Try(scale.start, Purpose.CLIMB)
    if len(tried) >= MOST or _restless(tried) or _spoiled(tried):
        return None
    last = tried[-1]
    if last.seen is Seen.SPOILED:
        return Try(last.level, last.purpose, last.long)
    if last.purpose is Purpose.DOWN or _going_down(scale, tried):
        return _down(scale, tried, downs) if downs else None
    begins = _levels(tried, Seen.BREAKS)
    if scale.start in begins:
        at_start = [one for one in tried if one.level == scale.start and one.purpose in EVIDENCE]
        broke = sum(2 if one.long else 1 for one in at_start if one.seen is Seen.BREAKS)
        return None if broke > 1 else Try(scale.start, Purpose.AGAIN)
    if last.seen is Seen.BREAKS or (last.purpose is Purpose.REST and last.seen is not Seen.HOLDS):
        return Try(scale.start, Purpose.REST)
    if scale.start not in _levels(tried, Seen.HOLDS):
        return None
    return _forward(scale, tried)


def outcome(scale: Scale, tried: Sequence[Tried], *, downs: int = DOWNS) -> Outcome:
    """What has been found by these steps."""
    holds, breaks = _bracket(scale, tried)
    confirmed = holds is not None and _confirmed(tried, holds)
    came_back, back_at = _came_back(tried, downs)
    over = bool(tried) and next_try(scale, tried, downs=downs) is None
    if _spoiled(tried):
        kind = Kind.SPOILED
    elif _stuck(tried):
        kind = Kind.STUCK
    elif over and breaks == scale.start:
        kind = Kind.BELOW
    elif over and confirmed and breaks is None and holds == scale.limit:
        kind = Kind.BEYOND
    elif over and confirmed and breaks is not None and len(tried) < MOST:
        kind = Kind.FOUND
    else:
        kind = Kind.UNDECIDED
    return Outcome(kind, holds, breaks, confirmed, came_back, back_at)


def patience(step_s: float, delay_s: float) -> int:
    """How many steps must break on the way down: a delay is worked off in ten times as long with a tenth to spare.

    Args:
        step_s: the length of a step, with what is left out at its beginning.
        delay_s: the longest that anybody waits: the longest time limit of an operation.
    """
    return max(math.ceil(delay_s / EASE / step_s), DOWNS)


def most_steps(scale: Scale) -> tuple[int, int]:
    """How many steps a search without surprises takes at least and at most."""
    climb, level = 1, scale.start
    climbs = [level]
    while level != scale.limit and climb < MOST:
        level = scale.beyond(level)
        climb += 1
        climbs.append(level)
    widest = 0
    for mild, hard in pairwise(climbs):
        count, low = 0, mild
        while not scale.close(low, hard) and count < MOST:
            low = scale.between(low, hard)
            count += 1
        widest = max(widest, count)
    # each step that breaks is followed by a rest; then: confirm, again, down
    return 4, min(climb + 2 * widest + 1 + 3, MOST)


def _forward(scale: Scale, tried: Sequence[Tried]) -> Try | None:
    """Climb, narrow, confirm, break again."""
    holds, breaks = _bracket(scale, tried)
    if holds is None:
        return None
    unsure = sorted(_levels(tried, Seen.UNSURE), key=scale.place)
    if breaks is None:
        hardest = max([holds, *unsure], key=scale.place)
        if hardest != scale.limit:
            return Try(scale.beyond(hardest), Purpose.CLIMB)
    doubtful = [one for one in unsure if scale.harder(one, holds) and (breaks is None or scale.harder(breaks, one))]
    upper = [*doubtful, *([] if breaks is None else [breaks])]
    if upper and not scale.close(holds, upper[0]):
        return Try(scale.between(holds, upper[0]), Purpose.NARROW)
    if doubtful and breaks is not None and not scale.close(doubtful[-1], breaks):
        return Try(scale.between(doubtful[-1], breaks), Purpose.NARROW)
    if not _confirmed(tried, holds):
        return Try(holds, Purpose.CONFIRM, long=True)
    if breaks is not None and _needs_again(tried, holds, breaks):
        return Try(breaks, Purpose.AGAIN, long=any(one.long for one in _about(tried, breaks)))
    return None


def _bracket(scale: Scale, tried: Sequence[Tried]) -> tuple[float | None, float | None]:
    """The mildest level that breaks, and the hardest below it that holds."""
    breaks = min(_levels(tried, Seen.BREAKS), key=scale.place, default=None)
    below = [one for one in _levels(tried, Seen.HOLDS) if breaks is None or scale.harder(breaks, one)]
    return max(below, key=scale.place, default=None), breaks


def _levels(tried: Sequence[Tried], seen: Seen) -> set[float]:
    """The levels that, all in all, showed that."""
    return {level for level in {one.level for one in tried} if _status(tried, level) is seen}


def _status(tried: Sequence[Tried], level: float) -> Seen | None:
    """What a level showed, all in all: by the most votes, of long steps if there are any; None if it was not tried."""
    found = _about(tried, level)
    votes = [one.seen for one in found if one.long] or [one.seen for one in found]
    if not votes:
        return None
    counts = {seen: votes.count(seen) for seen in (Seen.BREAKS, Seen.HOLDS, Seen.UNSURE)}
    most = max(counts.values())
    first = [seen for seen, count in counts.items() if count == most]
    if len(first) == 1:
        return first[0]
    if len(votes) >= _TIES or Seen.BREAKS not in first:
        return Seen.UNSURE
    return Seen.BREAKS  # for now: it is tried again


def _about(tried: Sequence[Tried], level: float) -> list[Tried]:
    """The steps that tell of a level."""
    return [one for one in tried if one.level == level and one.purpose in EVIDENCE and one.seen is not Seen.SPOILED]


def _confirmed(tried: Sequence[Tried], level: float) -> bool:
    return any(one.level == level and one.purpose is Purpose.CONFIRM and one.seen is Seen.HOLDS for one in tried)


def _needs_again(tried: Sequence[Tried], holds: float, breaks: float) -> bool:
    """Whether the level that broke was not yet broken once more after the other was confirmed."""
    last = max(i for i, one in enumerate(tried) if one.level == holds and one.purpose is Purpose.CONFIRM)
    after = [one for one in tried[last + 1 :] if one.level == breaks and one.purpose is Purpose.AGAIN]
    return not any(one.seen is Seen.BREAKS for one in after)


def _going_down(scale: Scale, tried: Sequence[Tried]) -> bool:
    """Whether the last step broke the target once more, with the level below confirmed: everything is ready."""
    last = tried[-1]
    if last.purpose is not Purpose.AGAIN or last.seen is not Seen.BREAKS:
        return False
    holds, breaks = _bracket(scale, tried)
    return holds is not None and breaks == last.level and _confirmed(tried, holds)


def _down(scale: Scale, tried: Sequence[Tried], downs: int) -> Try | None:
    """The next step down: a tenth below the confirmed level, then milder and milder, until one holds."""
    confirmed, _ = _bracket(scale, tried)
    if confirmed is None:
        return None
    first = scale.eased(confirmed)
    made = [one for one in _last_down(tried) if one.seen is not Seen.SPOILED]
    if made and made[-1].seen is Seen.HOLDS:
        return None
    if len(made) < min(downs, MOST_DOWNS):
        return Try(first, Purpose.DOWN)
    if not any(one.seen is Seen.BREAKS for one in made):
        return None  # unsure, all of them: it is not known whether it came back
    ladder = list(dict.fromkeys(scale.milder(first, share) for share in DOWN_SHARES))
    left = [level for level in ladder if level not in {one.level for one in made}]
    return Try(left[0], Purpose.DOWN) if left else None


def _last_down(tried: Sequence[Tried]) -> list[Tried]:
    """The steps down at the end of the history."""
    found: list[Tried] = []
    for one in reversed(tried):
        if one.purpose is not Purpose.DOWN:
            break
        found.append(one)
    return found[::-1]


def _came_back(tried: Sequence[Tried], downs: int) -> tuple[bool | None, float | None]:
    """Whether the first level down held, and which level did."""
    made = [one for one in _last_down(tried) if one.seen is not Seen.SPOILED]
    if not made:
        return None, None
    at_first = [one.seen for one in made if one.level == made[0].level]
    held = next((one.level for one in made if one.seen is Seen.HOLDS), None)
    if Seen.HOLDS in at_first:
        return True, held
    return (False if at_first.count(Seen.BREAKS) >= downs else None), held


def _restless(tried: Sequence[Tried]) -> bool:
    """Whether it did not hold at the start in any of the last rests."""
    rests = [one.seen for one in tried[-RESTS:] if one.purpose is Purpose.REST]
    return len(rests) == RESTS and not {Seen.HOLDS, Seen.SPOILED} & set(rests)


def _stuck(tried: Sequence[Tried]) -> bool:
    """Whether it certainly broke in all of them."""
    return _restless(tried) and {one.seen for one in tried[-RESTS:]} == {Seen.BREAKS}


def _spoiled(tried: Sequence[Tried]) -> bool:
    """Whether the generator was the limit twice in a row."""
    return len(tried) > 1 and {one.seen for one in tried[-2:]} == {Seen.SPOILED}

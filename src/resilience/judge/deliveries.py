"""What subscribers were given beside what was published: missing, doubled and out of order, for each of them by itself.

A message is *owed* to a subscriber if it was acknowledged, its publishing began after the subscription was confirmed,
and the acknowledgement came before the subscriber's last connection ended. Between two connections:

* the second was resumed: nothing changes, whatever was published meanwhile is owed;
* resuming was asked for and the server said that something is gone (another epoch, `recovered` not true): what is
  missing around that time is *history lost*, which is a loss if `history` is `kept`, and told if it is `announced`;
* resuming was not asked for: what is missing around that time was *missed while away*, which is told.

*Around*: acknowledged at most `exposure` before the connection was known to be lost, or after the last thing that came
by it, and begun before the next one was confirmed. Any other message that is owed and did not come is lost.

A message is *out of order* for a subscriber if it came after one whose publishing began only after the first had been
acknowledged: whoever published the second could know of the first. That needs neither one publisher nor offsets. Of a
message that came several times the first counts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from resilience.columns import Bool, EffectLines, Int8, Int16, Int32, Int64, Mark
from resilience.judge.effects.findings import Broken, Findings, numbers, said
from resilience.judge.effects.sent import Sent
from resilience.judge.places import blocks_of
from resilience.model import Account, Subscription

RESUMED, LOST, ANEW = 1, 2, 3
"""How a connection began that is not the first: as `record.receipts.Joined`."""
_NEVER = np.iinfo(np.int64).max
_SHOWN = 8

CLASSES = ("lost", "history_lost", "missed_away", "duplicated", "out_of_order")


@dataclass(frozen=True, slots=True)
class Gap:
    """Between two connections, from which to which instant a missing message is explained, and whether as history."""

    begin_ns: int
    end_ns: int
    history: bool


@dataclass(frozen=True, slots=True)
class Stay:
    """The time for which a subscriber was there.

    Attributes:
        begin_ns: when its first subscription was confirmed. end_ns: when its last connection ended.
        gaps: in it.
        there: whether it was connected when it was closed in the end, by us.
        connections: how many it had.
    """

    begin_ns: int
    end_ns: int
    gaps: tuple[Gap, ...]
    there: bool
    connections: int


@dataclass(frozen=True, slots=True)
class Receipts:
    """What subscribers were given, in memory.

    Attributes:
        stays: of each subscriber, by its place here.
        numbers: of the subscribers.
        begin: where each one's messages begin in `slot`; one more than there are subscribers.
        slot: of each message, in the order in which it came: the entry, −1 for one that nobody sent.
        wrong: which were not as they had been sent.
        resumed, lost, anew: connections that began so.
        problems: why the receipts cannot be believed.
    """

    stays: tuple[Stay, ...]
    numbers: Int64
    begin: Int64
    slot: Int64
    wrong: Bool
    resumed: int
    lost: int
    anew: int
    problems: tuple[str, ...]

    def of(self, place: int) -> Int64:
        """The messages of one subscriber."""
        return self.slot[self.begin[place] : self.begin[place + 1]]


def read_receipts(lines: EffectLines, told: Sent, exposure_ns: int) -> Receipts:
    """Put the lines of all processes in order of subscribers, and find what contradicts how receipts are written."""
    parts = [_part(block, told) for block in blocks_of(lines) if isinstance(block, EffectLines)]
    who, connection, seq, mark, status, at_ns, slot = (
        np.concatenate(column) for column in zip(*(parts or [_part(lines, told)]), strict=True)
    )
    # Every subscriber's lines are in one file, in the order in which they were written.
    order = np.argsort(who, kind="stable")
    who, connection, seq, mark, status, at_ns, slot = (
        column[order] for column in (who, connection, seq, mark, status, at_ns, slot)
    )
    problems = (*lines.problems, *_contradictions(who, connection, seq, mark))
    subscribers, first = np.unique(who, return_index=True)
    bounds = [*first.tolist(), len(who)]
    message = (mark == Mark.SEEN) | (mark == Mark.WRONG) | (mark == Mark.MISSED)
    how = status[mark == Mark.ATTEMPTED]
    return Receipts(
        stays=tuple(_stay(mark[a:b], at_ns[a:b], status[a:b], exposure_ns) for a, b in pairwise(bounds)),
        numbers=subscribers.astype(np.int64),
        begin=np.concatenate(([0], np.cumsum(message)))[bounds].astype(np.int64),
        slot=slot[message],
        wrong=mark[message] == Mark.WRONG,
        resumed=int(np.count_nonzero(how == RESUMED)),
        lost=int(np.count_nonzero(how == LOST)),
        anew=int(np.count_nonzero(how == ANEW)),
        problems=problems,
    )


def _part(block: EffectLines, told: Sent) -> tuple[npt.NDArray[Any], ...]:
    """The columns that are needed of some lines, the last being the entry of each message."""
    slots = told.entries.slots(block.object, block.other, block.value)
    given = (block.mark == Mark.SEEN) | (block.mark == Mark.WRONG)
    slot = np.where(given, slots, -1)
    return block.writer, block.epoch, block.seq, block.mark, block.status, block.at_ns, slot


def _none() -> Int64:
    return np.empty(0, np.int64)


def _contradictions(who: Int32, connection: Int32, seq: Int64, mark: Int8) -> list[str]:
    """Lines that are missing, or in the wrong place."""
    if len(who) == 0:
        return []
    new = np.concatenate(([True], (np.diff(who) != 0) | (np.diff(connection) != 0)))
    expected = np.arange(len(who)) - np.maximum.accumulate(np.where(new, np.arange(len(who)), 0))
    last = np.concatenate((new[1:], [True]))
    first_of_all = np.concatenate(([True], np.diff(who) != 0))
    follows = np.concatenate(([0], np.diff(connection))) == 1
    found = []
    if np.any(seq != expected):
        found.append(f"{np.count_nonzero(seq != expected):,} lines of receipts are missing or there twice")
    if np.any((mark == Mark.ATTEMPTED) != new):
        found.append("connections without a confirmation, or with several, are in the receipts")
    if np.any((mark == Mark.REJECTED) != last):
        found.append("connections without an end, or with several, are in the receipts")
    if np.any(new & ~first_of_all & ~follows) or np.any(connection[first_of_all] != 0):
        found.append("connections are missing in the receipts")
    return found


def _stay(mark: Int8, at_ns: Int64, status: Int16, exposure_ns: int) -> Stay:
    begun, ended = np.flatnonzero(mark == Mark.ATTEMPTED), np.flatnonzero(mark == Mark.REJECTED)
    gaps = []
    for left, back in zip(ended.tolist(), begun[1:].tolist(), strict=False):
        if status[back] != RESUMED:
            # Nothing may have come for a while before it was noticed that the connection is lost.
            since_ns = min(int(at_ns[left - 1]), int(at_ns[left]) - exposure_ns)
            gaps.append(Gap(since_ns, int(at_ns[back]), history=int(status[back]) == LOST))
    there = bool(len(ended)) and int(status[ended[-1]]) == 1
    end_ns = int(at_ns[ended[-1]]) if len(ended) else int(at_ns[-1])
    return Stay(int(at_ns[0]), end_ns, tuple(gaps), there, len(begun))


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of the messages of one subscriber: how many were owed and came, and the entries of each class."""

    owed: int
    came: int
    classes: dict[str, Int64]

    def counts(self) -> dict[str, int]:
        """How many of each class."""
        return {name: len(slots) for name, slots in self.classes.items()}


def tally(slots: Int64, stay: Stay, told: Sent) -> Tally:
    """Look at one subscriber: the entries that it was given, in order."""
    settled_ns, begun_ns = told.entries.settled_ns, told.begun_ns
    known = slots[slots >= 0]
    times = np.bincount(known, minlength=len(told.entries))
    owed = told.sure & (begun_ns >= stay.begin_ns) & (settled_ns <= stay.end_ns)
    missing = np.flatnonzero(owed & (times == 0))
    explained: dict[bool, Bool] = {one: np.zeros(len(missing), np.bool_) for one in (True, False)}
    for gap in stay.gaps:
        around = (settled_ns[missing] >= gap.begin_ns) & (begun_ns[missing] <= gap.end_ns)
        explained[gap.history] |= around
    history, away = explained[True], explained[False] & ~explained[True]
    return Tally(
        owed=int(np.count_nonzero(owed)),
        came=int(np.count_nonzero(owed & (times > 0))),
        classes={
            "lost": missing[~history & ~away],
            "history_lost": missing[history],
            "missed_away": missing[away],
            "duplicated": np.flatnonzero(times > 1),
            "out_of_order": _overtaken(known, told),
        },
    )


def _overtaken(known: Int64, told: Sent) -> Int64:
    """The acknowledged entries that came after one whose publishing began later than their acknowledgement."""
    places = np.sort(np.unique(known, return_index=True)[1])
    first = known[places]
    if len(first) == 0:
        return first
    latest = np.maximum.accumulate(told.begun_ns[first])
    settled = np.where(told.sure[first], told.entries.settled_ns[first], _NEVER)
    return first[settled < latest]


def judge_deliveries(
    told: Sent, receipts: Receipts, account: Account, subscription: Subscription
) -> tuple[Findings, int]:
    """Compare what every subscriber was given with what was published.

    Returns:
        The findings, and how many subscribers were not there in the end, of whom not everything is known.
    """
    counts = dict.fromkeys(("expected", "verified", *CLASSES, "gaps"), 0)
    evidence: list[str] = []
    for place, stay in enumerate(receipts.stays):
        one = tally(receipts.of(place), stay, told)
        counts["expected"] += one.owed
        counts["verified"] += one.came
        for name, slots in one.classes.items():
            counts[name] += len(slots)
        counts["gaps"] += _runs(one.classes["lost"], told)
        if len(evidence) < _SHOWN:
            evidence += [
                f"subscriber {int(receipts.numbers[place])}: {name.replace('_', ' ')}: entries {numbers(slots)}"
                for name, slots in one.classes.items()
                if len(slots)
            ]
    rejected = told.entries.noted(Mark.REJECTED) & ~told.sure & ~told.unsure
    known = receipts.slot[receipts.slot >= 0]
    counts |= {
        "corrupted": int(np.count_nonzero(receipts.wrong)),
        "phantom": int(np.count_nonzero(receipts.slot < 0)),
        "rejected_present": int(np.count_nonzero(np.bincount(known, minlength=len(rejected))[rejected])),
        "delivered": len(receipts.slot),
        "subscribers": len(receipts.stays),
        "connections": sum(stay.connections for stay in receipts.stays),
        "resumed": receipts.resumed,
        "history_gone": receipts.lost,
    }
    away = sum(not stay.there for stay in receipts.stays)
    return Findings(counts, _broken(counts, account, subscription), tuple(evidence[:_SHOWN]), _none()), away


def _broken(counts: dict[str, int], account: Account, subscription: Subscription) -> tuple[Broken, ...]:
    once, least = account.duplicates == "exactly-once", account.duplicates != "at-most-once"
    return said(
        counts,
        (
            ("lost", least, "delivery is missing", "deliveries are missing"),
            (
                "history_lost",
                least and subscription.history == "kept",
                "delivery is missing, and the service said that its history is gone",
                "deliveries are missing, and the service said that its history is gone",
            ),
            ("corrupted", True, "delivery is corrupted", "deliveries are corrupted"),
            ("phantom", True, "delivery is of a message that nobody sent", "deliveries are of messages nobody sent"),
            ("rejected_present", True, "rejected message was delivered", "rejected messages were delivered"),
            ("duplicated", once or not least, "delivery came twice", "deliveries came twice"),
            ("out_of_order", account.ordered, "delivery is out of order", "deliveries are out of order"),
        ),
    )


def _runs(lost: Int64, told: Sent) -> int:
    """In how many pieces something is missing, in the order of publishing."""
    if len(lost) == 0:
        return 0
    order = np.argsort(told.begun_ns, kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.cumsum(told.sure[order])
    return 1 + int(np.count_nonzero(np.diff(np.sort(place[lost])) > 1))


def canary(told: Sent, receipts: Receipts, look: Callable[[Int64, Stay, Sent], Tally] = tally) -> str:
    """Plant errors in what one subscriber was given; what the checker, `look`, does not find, in one sentence.

    A message that was owed and came is taken away; one comes again; one comes last that should have come first.
    """
    for place, stay in enumerate(receipts.stays):
        slots = receipts.of(place)
        clean = look(slots, stay, told)
        right = _plantable(slots, stay, told)
        if right is None:
            continue
        without = slots[slots != right]
        plants: Sequence[tuple[str, Int64]] = (
            ("lost", without),
            ("duplicated", np.append(slots, right)),
            ("out_of_order", np.append(without, right)),
        )
        wrong = []
        for name, tampered in plants:
            seen, expected = look(tampered, stay, told).counts()[name], clean.counts()[name] + 1
            if seen != expected:
                wrong.append(f"{name}: {seen}, expected {expected}")
        return "; ".join(wrong)
    return "nothing was delivered in order, so that no error could be planted"


def _plantable(slots: Int64, stay: Stay, told: Sent) -> int | None:
    """The entry to plant errors with: owed, came once and in order, outside any gap, and another began after it."""
    known, times = np.unique(slots[slots >= 0], return_counts=True)
    once = known[times == 1]
    settled_ns, begun_ns = told.entries.settled_ns, told.begun_ns
    good = told.sure[once] & (begun_ns[once] >= stay.begin_ns) & (settled_ns[once] <= stay.end_ns)
    for gap in stay.gaps:
        good &= (settled_ns[once] < gap.begin_ns) | (begun_ns[once] > gap.end_ns)
    good &= ~np.isin(once, _overtaken(slots[slots >= 0], told))
    if len(known):
        good &= settled_ns[once] < begun_ns[known].max()
    return int(once[good][0]) if np.any(good) else None

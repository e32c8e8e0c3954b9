"""A simulator of runs: pure, seeded, and it knows the truth. What it draws is a record; what it knows is beside it.

A world is a load, one outage of known shape, and a background of chance failures. A fate is what becomes of one write.
Nothing of the judge is used to make either, so that the judge is compared with something it did not compute.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from resilience.judge.quantiles import NS
from resilience.model import Load, Recovery
from tests.judge.builder import (
    LEDGER,
    MISSED,
    OPERATIONS,
    SEEN,
    WRONG,
    A,
    Held,
    K,
    R,
    Scene,
    Spell,
    U,
    ledger_lines,
    truth_rows,
)

HOLD_S = 4.0
BEGIN_S = 19.0
"""When the fault is asked for; the baseline is the 15 s before it."""

RELAXED = tuple(replace(operation, critical=False) for operation in OPERATIONS)
"""Operations that may all fail under a fault, so that only recovery is judged."""


@dataclass(frozen=True)
class World:
    """A run, and what happened in it.

    Attributes:
        delay_s: from when the fault is asked for until clients feel it.
        length_s: how long they do; None is for ever.
        share: of operations that are hit, at most; with `slope` it falls from there to none, or rises from none.
        what: failed, degraded, slow, unknown, dropped, shed.
        after_s: how long the outage goes on after the fault is gone; negative if it ends before.
        noise: share of operations that fail by chance, all the time.
        watched_s: how long the run goes on after the outage.
        stalls: how often a second, all the time but not around the outage, a machine is held up for up to 0.12 s, and
            loses up to half of what arrives.
        fallback_s: how long after the beginning of the outage what would fail is only degraded; None is never.
    """

    seed: int
    rate: float = 200.0
    poisson: bool = True
    delay_s: float = 0.1
    length_s: float | None = 5.0
    share: float = 1.0
    slope: str = ""
    what: str = "failed"
    after_s: float = 0.5
    noise: float = 0.0
    watched_s: float = 12.0
    stalls: float = 0.0
    fallback_s: float | None = None

    @property
    def lost_s(self) -> float:
        """When clients lost full service."""
        return BEGIN_S + self.delay_s

    @property
    def back_s(self) -> float:
        """When they had it back; without an end, the end of the run."""
        return self.lost_s + (20.0 if self.length_s is None else self.length_s)

    def scene(self) -> Scene:
        """The run as a scene."""
        held_s = max(0.2, self.back_s - self.after_s - BEGIN_S) if self.length_s is not None else 5.0
        end_s = max(self.back_s, BEGIN_S + held_s) + self.watched_s
        outage = Spell(
            self.lost_s,
            self.back_s if self.length_s is not None else end_s,
            self.what,
            self.share,
            ramp=self.slope != "",
            rising=self.slope == "rising",
        )
        spells = (outage,)
        if self.fallback_s is not None:
            begun_s = self.lost_s + self.fallback_s
            spells = (replace(outage, end_s=begun_s), replace(outage, begin_s=begun_s, what="degraded"))
        if self.noise:
            spells = (Spell(0.0, end_s, "failed", self.noise), *spells)
        return Scene(
            faults=(Held(begin_s=BEGIN_S, length_s=held_s),),
            spells=(*self._stalls(end_s), *spells),
            end_s=end_s,
            rate=self.rate,
            load=Load(rate=self.rate, operations=RELAXED),
            seed=self.seed,
            poisson=self.poisson,
            recovery=Recovery(hold_s=HOLD_S),
        )

    def _stalls(self, end_s: float) -> Iterator[Spell]:
        rng = np.random.default_rng([self.seed, 1])
        for _ in range(rng.poisson(self.stalls * end_s)):
            begin_s, length_s, share = rng.uniform(0, end_s), rng.uniform(0.02, 0.12), rng.uniform(0.1, 0.5)
            if not self.lost_s - 1 < begin_s < self.back_s + 1:
                yield Spell(begin_s, begin_s + length_s, "degraded", share)


FATES = {
    "kept": 0.9,
    "lost": 0.01,
    "seen_then_lost": 0.005,
    "duplicated": 0.01,
    "corrupted": 0.01,
    "read_wrong": 0.005,
    "stale": 0.01,
    "swapped": 0.01,
    "rejected": 0.01,
    "rejected_present": 0.01,
    "recovered": 0.01,
    "vanished": 0.01,
}
"""What can become of a write, and how often it does where nobody says otherwise."""

BROKEN = {"lost", "seen_then_lost", "duplicated", "corrupted", "read_wrong", "stale", "swapped", "rejected_present"}
"""Fates that break a promise."""

CLASSES = {
    "lost": {"lost", "seen_then_lost"},
    "lost_after_seen": {"seen_then_lost"},
    "duplicated": {"duplicated"},
    "corrupted": {"corrupted", "read_wrong"},
    "stale": {"stale"},
    "out_of_order": {"swapped"},
    "rejected": {"rejected", "rejected_present"},
    "rejected_present": {"rejected_present"},
    "indeterminate": {"recovered", "vanished"},
    "recovered": {"recovered"},
    "vanished": {"vanished"},
    "verified": {"kept"},
}
"""Figure of the verdict → the fates that it must count, no more and no less."""


@dataclass(frozen=True)
class Writes:
    """A ledger, the truth as the store has it, and the figures that the judge must come to."""

    lines: list
    rows: list
    torn: list
    phantoms: int
    known: dict

    def scene(self, base: Scene) -> Scene:
        """A scene with these writes."""
        truth = truth_rows(self.rows, torn=self.torn)
        return base.but(ledger=LEDGER, lines=ledger_lines(self.lines), truth=truth)


def draw_writes(seed: int, shares: dict, *, writers: int = 4, each: int = 60, phantoms: int = 0) -> Writes:
    """Draw the fate of every write and play it: writers send one at a time, with a new epoch after each unknown."""
    rng = np.random.default_rng(seed)
    names = list(shares)
    fates = rng.choice(names, size=(writers, each), p=np.asarray(list(shares.values())) / sum(shares.values()))
    lines, rows, bad = [], [], []
    known = dict.fromkeys(CLASSES, 0)
    for writer in range(writers):
        epoch = seq = 0
        last_kept = -1  # the row in front of which a swapped one is put
        for number, fate in enumerate(fates[writer].tolist()):
            # What is swapped is stored in front of the one kept just before it; if there is none, it is kept.
            played = "kept" if fate == "swapped" and last_kept < 0 else fate
            name = (writer, epoch, seq)
            at_ns = round((1 + 40 * number / each) * NS) + writer
            mark = {"rejected": R, "rejected_present": R, "recovered": U, "vanished": U}.get(played, K)
            lines += [(*name, A, at_ns), (*name, mark, at_ns + 1000)]
            reads = {"seen_then_lost": SEEN, "read_wrong": WRONG, "stale": MISSED}
            if played in reads:
                lines.append((*name, reads[played], at_ns + 2000))
            if played not in {"lost", "seen_then_lost", "rejected", "vanished"}:
                place = last_kept if played == "swapped" else len(rows)
                rows.insert(place, name)
                bad += [name] if played == "corrupted" else []
                rows += [name] if played == "duplicated" else []
            last_kept = len(rows) - 1 if played == "kept" else -1
            known = {figure: count + (played in CLASSES[figure]) for figure, count in known.items()}
            epoch, seq = (epoch + 1, 0) if mark is U else (epoch, seq + 1)
    rows += [(writers + 1, 0, number) for number in range(phantoms)]
    torn = [number for number, name in enumerate(rows) if name in set(bad)]
    return Writes(lines, rows, torn, phantoms, known | {"phantom": phantoms})
